package security

import (
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
)

func TestTargetsDoNotLieInWhatOthersCanWriteTo(t *testing.T) {
	bind := func(source, target string) mount.Mount {
		return mount.Mount{Type: mount.TypeBind, Source: source, Target: target}
	}
	volume := mount.Mount{Type: mount.TypeVolume, Source: "v1", Target: "/data", VolumeOptions: &mount.VolumeOptions{DriverConfig: &mount.Driver{Name: "pxd"}}}
	for _, test := range []struct {
		name    string
		mounts  []mount.Mount
		tmpfs   string
		volume  string // without a name
		refused []string
	}{
		{"in a path of the host", []mount.Mount{bind("/srv/a", "/data"), bind("/lease/1/x", "/data/x/y")}, "", "", []string{"Host.Mounts[/data/x/y]"}},
		{"in a path of the host that comes later", []mount.Mount{bind("/lease/1/x", "/data/x"), bind("/srv/a", "/data")}, "", "", []string{"Host.Mounts[/data/x]"}},
		{"paths of the host in each other", []mount.Mount{bind("/srv/a", "/data"), bind("/srv/b", "/data/b")}, "", "", []string{"Host.Mounts[/data/b]"}},
		{"all kinds in a volume", []mount.Mount{volume, bind("/lease/1", "/data/x")}, "/data/run", "/data/cache", []string{"Host.Mounts[/data/x]", "Host.Tmpfs[/data/run]", "Config.Volumes[/data/cache]"}},
		{"the sandbox", []mount.Mount{bind("/srv/a", "/mnt")}, "", "", []string{"Host.Mounts[/mnt/mesos/sandbox]"}},
		{"beside it", []mount.Mount{bind("/srv/a", "/data"), bind("/srv/b", "/data2"), volume}[:2], "/datum", "/d", nil},
		{"in the sandbox", []mount.Mount{bind("/srv/a", "/mnt/mesos/sandbox/a"), bind("/lease/1/x", "/mnt/mesos/sandbox/x")}, "/mnt/mesos/sandbox/run", "", nil},
		{"in a folder of the sandbox", []mount.Mount{bind("/lease/1/x", "/data"), bind("/srv/a", "/data/a")}, "", "", nil},
		{"in what the cluster grants to others too", []mount.Mount{bind("/disk/v2", "/shared"), bind("/lease/1/x", "/shared/x")}, "", "", []string{"Host.Mounts[/shared/x]"}},
		{"in what the cluster grants", []mount.Mount{bind("/disk/v1", "/data"), bind("/lease/1/x", "/data/x")}, "", "", nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			rules, spec := BuiltInRules(), goodSpec()
			rules.Mounts.HostPaths = []HostPath{{Path: "/srv", Writable: true}}
			rules.Mounts.Volumes = []VolumeRule{{Driver: "pxd", Names: []string{"v*"}}}
			rules.Mounts.AnonymousVolumes = true
			spec.Host.Mounts = append(spec.Host.Mounts, test.mounts...)
			if test.tmpfs != "" {
				spec.Host.Tmpfs = map[string]string{test.tmpfs: ""}
			}
			if test.volume != "" {
				spec.Config.Volumes = map[string]struct{}{test.volume: {}}
			}
			d := New("test", rules).Review(spec, Grants{Roots: testRoots.Roots, Binds: []Bind{
				{Source: "/disk/v1", Target: "/data"}, {Source: "/disk/v2", Target: "/shared", Shared: true},
			}})
			var refused []string
			for _, r := range d.Rejections() {
				refused = append(refused, r.Field)
				if r.Rule != "mounts.targets" || !strings.Contains(r.Message, "others can change") {
					t.Errorf("%+v", r)
				}
			}
			if !slices.Equal(refused, test.refused) {
				t.Errorf("refused %q, want %q: %+v", refused, test.refused, d.Rejections())
			}
		})
	}
}

// TestDevicesAndImagesReachNoTargetInWhatOthersCanWriteTo: the runtime makes a device's node, and the mount of an image's VOLUME, in
// the same way as the task's own mounts.
func TestDevicesAndImagesReachNoTargetInWhatOthersCanWriteTo(t *testing.T) {
	for target, refused := range map[string]bool{
		"/data/x": true, "/data/x/y": true, "/data": false, "/data2/x": false, "/mnt/mesos/sandbox/x": false,
	} {
		rules, spec := BuiltInRules(), goodSpec()
		rules.Mounts.HostPaths = []HostPath{{Path: "/srv", Writable: true}}
		rules.Devices = []DeviceRule{{Path: "/dev/fuse", Permissions: "rwm"}}
		mounted := mount.Mount{Type: mount.TypeBind, Source: "/srv/a", Target: "/data"}
		spec.Host.Mounts = append(spec.Host.Mounts, mounted)
		for _, volume := range []string{target, target + "/", "/.." + target} {
			r := Decision{Findings: New("test", rules).ReviewImage(Image{Volumes: []string{volume}}, spec, testRoots)}.Rejections()
			if (len(r) == 1 && r[0].Rule == "mounts.targets" && r[0].Origin == "image") != refused {
				t.Errorf("volume %s of the image: %+v", volume, r)
			}
		}
		spec.Host.Devices = []container.DeviceMapping{{PathOnHost: "/dev/fuse", PathInContainer: target, CgroupPermissions: "rw"}}
		r := New("test", rules).Review(spec, testRoots).Rejections()
		if (len(r) == 1 && r[0].Field == "Host.Devices["+target+"]" && r[0].Rule == "mounts.targets") != refused {
			t.Errorf("device at %s: %+v", target, r)
		}
	}
}
