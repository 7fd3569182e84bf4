package security

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"
)

func TestHostPathsOpenWhatTheySayAndNoMore(t *testing.T) {
	tests := []struct {
		paths    []HostPath
		source   string
		readOnly bool
		rule     string // of the rejection; "" if it is mounted
	}{
		{[]HostPath{{"/srv", false}}, "/srv", true, ""},
		{[]HostPath{{"/srv", false}}, "/srv/a/b", true, ""},
		{[]HostPath{{"/srv", false}}, "/srv2", true, "mounts.sources"},
		{[]HostPath{{"/srv", false}}, "/srv/../etc", true, "mounts.sources"},
		{[]HostPath{{"/srv/", false}, {"srv", false}, {"", false}}, "/srv", true, "mounts.sources"}, // malformed paths open nothing
		{[]HostPath{{"/srv", false}}, "/srv", false, "mounts.modes"},
		{[]HostPath{{"/srv", false}, {"/srv/data", true}}, "/srv/data/x", false, ""},
		{[]HostPath{{"/srv", false}, {"/srv/data", true}}, "/srv", false, "mounts.modes"},
		{[]HostPath{{"/srv", true}}, "/srv/a\nb", false, "mounts.sources"},
		{[]HostPath{{"/", true}}, "/srv", true, "mounts.sources"},
		{[]HostPath{{"/var/log", false}}, "/var/log/x", true, ""},
		{[]HostPath{{"/var", false}}, "/var/log", true, ""},
		{[]HostPath{{"/var", false}}, "/var", true, "mounts.denied"},
		{[]HostPath{{"/var", false}}, "/var/lib", true, "mounts.denied"},
		{[]HostPath{{"/var", false}}, "/var/lib/docker/x", true, "mounts.denied"},
		{[]HostPath{{"/var/lib/docker", false}}, "/var/lib/docker", true, "mounts.denied"},
		{[]HostPath{{"/var/lib/docker/containers", false}}, "/var/lib/docker/containers", true, ""},
		{[]HostPath{{"/etc/ssl", false}}, "/etc/ssl/certs", true, ""},
		{[]HostPath{{"/etc/ssl", true}, {"/etc", true}}, "/etc", true, "mounts.denied"},
		{[]HostPath{{"/run/containerd/containerd.sock", true}}, "/run/containerd/containerd.sock", true, "mounts.denied"},
		{[]HostPath{{"/etc/mesos-docker-executor/x", false}}, "/etc/mesos-docker-executor/x", true, "mounts.denied"},
		{[]HostPath{{"/run/user", true}}, "/run/user/1000", false, ""},
		{[]HostPath{{"/agent", true}}, "/agent/slaves", true, "mounts.denied"}, // DeniedPaths, below
		{[]HostPath{{"/agent/shared", true}}, "/agent/shared", true, "mounts.denied"},
	}
	for _, test := range tests {
		d := reviewWith(func(r *Rules) { r.Mounts.HostPaths, r.Mounts.DeniedPaths = test.paths, []string{"/agent/"} },
			mounting(mount.Mount{Type: mount.TypeBind, Source: test.source, ReadOnly: test.readOnly}))
		rule := ""
		if r := d.Rejections(); len(r) > 0 {
			rule = r[0].Rule
		}
		if rule != test.rule {
			t.Errorf("%s (read-only %v) with %v: rule %q, want %q", test.source, test.readOnly, test.paths, rule, test.rule)
		}
		if strings.HasPrefix(test.source, "/srv") && rule == "" && d.Spec.Host.Mounts[1].ReadOnly != test.readOnly {
			t.Errorf("%+v", d.Spec.Host.Mounts[1])
		}
	}
}

// TestAMistakeInADenialDeniesEverything: a typo in the list of what is never mounted must not open it.
func TestAMistakeInADenialDeniesEverything(t *testing.T) {
	for _, denied := range []string{"", "agent", "/", "/srv/../"} {
		d := reviewWith(func(r *Rules) {
			r.Mounts.HostPaths, r.Mounts.DeniedPaths = []HostPath{{Path: "/srv"}}, []string{denied}
		}, mounting(mount.Mount{Type: mount.TypeBind, Source: "/srv", ReadOnly: true}))
		if !d.Rejected() {
			t.Errorf("%q", denied)
		}
	}
	// The caller's own folders are not a matter of the list.
	if d := reviewWith(func(r *Rules) { r.Mounts.DeniedPaths = []string{"/"} }, func(*Spec) {}); d.Rejected() {
		t.Error(d.Rejections())
	}
}

func TestBindOptions(t *testing.T) {
	own := func(readOnly bool, o mount.BindOptions) Decision {
		return reviewOf(mounting(mount.Mount{Type: mount.TypeBind, Source: "/lease/1/a", ReadOnly: readOnly, BindOptions: &o}))
	}
	d := own(true, mount.BindOptions{NonRecursive: true, ReadOnlyForceRecursive: true})
	if d.Rejected() {
		t.Fatal(d.Rejections())
	}
	want := &mount.BindOptions{Propagation: mount.PropagationRPrivate, NonRecursive: true, ReadOnlyForceRecursive: true}
	if diff := cmp.Diff(want, d.Spec.Host.Mounts[1].BindOptions); diff != "" {
		t.Error(diff)
	}
	if d := own(false, mount.BindOptions{ReadOnlyForceRecursive: true}); !d.Rejected() {
		t.Error("an option for read-only mounts passes on another")
	}
	if d := own(true, mount.BindOptions{ReadOnlyNonRecursive: true}); !d.Rejected() {
		t.Error("a read-only mount with writable ones in it passes")
	}
}

func TestTmpfsIsBounded(t *testing.T) {
	const forced = "nodev,noexec,nosuid,"
	for options, want := range map[string]string{
		"":                       forced + "size=1073741824",
		"size=64m":               forced + "size=67108864",
		"size=64M,mode=1777":     forced + "size=67108864,mode=1777",
		"mode=0700,size=1k":      forced + "size=1024,mode=0700",
		"size=8g":                forced + "size=1073741824",
		"noexec,rw,uid=5,gid=6":  forced + "size=1073741824,rw,uid=5,gid=6",
		"ro,noatime,nr_inodes=9": forced + "size=1073741824,ro,noatime,nr_inodes=9",
		"exec":                   "", "suid": "", "dev": "", "size=0": "", "size=50%": "", "size=": "", "size=-1": "", "size=1t": "", "size=1gk": "",
		"size=9999999999g": "", "nr_inodes=0": "", "nr_blocks=1": "", "mpol=default": "", "huge=always": "", "mode=99999": "", "mode=": "",
		"ro,ro,size=1k,size=1k,nodev,": forced + "size=1024,ro",
		"size=1m,size=2m":              "", "mode=1,mode=2": "", "ro,rw": "", "uid=1,uid=2": "", "sync,async": "", "noatime,strictatime": "", "noexec,exec": "",
		"nodev" + strings.Repeat(",nodev", 100): "",
		"uid=root":                              "", "shared": "", "remount": "", "bind": "", "noexec=1": "", "=": "", "size=1m, exec": "", "x": "",
	} {
		d := reviewOf(func(s *Spec) { s.Host.Tmpfs = map[string]string{"/run": options} })
		if want == "" {
			if r := d.Rejections(); len(r) != 1 || r[0].Rule != "mounts.tmpfs" || r[0].Field != "Host.Tmpfs[/run]" {
				t.Errorf("%q: %+v", options, r)
			}
			continue
		}
		if d.Rejected() || d.Spec.Host.Tmpfs["/run"] != want {
			t.Errorf("%q becomes %q: %v", options, d.Spec.Host.Tmpfs["/run"], d.Rejections())
		}
	}
}

func TestOneTmpfsIsOneFinding(t *testing.T) {
	for _, options := range []string{"exec,suid,dev", strings.Repeat("exec,", 50_000), strings.Repeat("ro,rw,", 40)} {
		if r := reviewOf(func(s *Spec) { s.Host.Tmpfs = map[string]string{"/run": options} }).Rejections(); len(r) != 1 {
			t.Errorf("%.20s: %d rejections", options, len(r))
		}
	}
	words := make([][]string, 10_000)
	if r := reviewOf(mounting(mount.Mount{Type: mount.TypeTmpfs, TmpfsOptions: &mount.TmpfsOptions{Options: words}})).Rejections(); len(r) != 1 {
		t.Errorf("%d rejections", len(r))
	}
}

func TestOptionsOfOneVolumeAreOneFinding(t *testing.T) {
	many := map[string]string{"size": "10"}
	for i := range 1000 {
		many[fmt.Sprintf("o%03d", i)] = ""
	}
	rules := func(r *Rules) {
		r.Mounts.Volumes = []VolumeRule{{Driver: "pxd", Names: []string{"v*"}, Options: []string{"size"}}}
	}
	r := reviewWith(rules, mounting(mount.Mount{Type: mount.TypeVolume, Source: "v1", VolumeOptions: &mount.VolumeOptions{
		Labels: many, DriverConfig: &mount.Driver{Name: "pxd", Options: many}}})).Rejections()
	if len(r) != 2 || r[0].Value != "o000, o001, o002 and 997 more" || r[0].Rule != "mounts.volume_options" || r[1].Value != "o000, o001, o002 and 998 more" || r[1].Rule != "mounts.options" {
		t.Errorf("%+v", r)
	}
}

func TestConsistencyOfAMountIsSaidToBeWithoutEffect(t *testing.T) {
	d := reviewOf(mounting(mount.Mount{Type: mount.TypeBind, Source: "/lease/1/a", Consistency: mount.ConsistencyDelegated}))
	found := slices.ContainsFunc(d.Findings, func(f Finding) bool {
		return f.Action == Allow && f.Field == "Host.Mounts[/x].Consistency" && f.Rule == "mounts.options" && strings.Contains(f.Message, "no effect")
	})
	if d.Rejected() || !found || d.Spec.Host.Mounts[1].Consistency != "" {
		t.Errorf("%+v", d)
	}
}

func TestTmpfsMountIsBounded(t *testing.T) {
	tmpfs := func(o *mount.TmpfsOptions) Decision {
		return reviewOf(mounting(mount.Mount{Type: mount.TypeTmpfs, ReadOnly: true, TmpfsOptions: o}))
	}
	for _, o := range []*mount.TmpfsOptions{nil, {}, {SizeBytes: 8 << 30}, {Options: [][]string{{"noexec"}}}} {
		d := tmpfs(o)
		if d.Rejected() {
			t.Fatal(d.Rejections())
		}
		want := mount.Mount{Type: mount.TypeTmpfs, Target: "/x", ReadOnly: true, TmpfsOptions: &mount.TmpfsOptions{SizeBytes: 1 << 30}}
		if diff := cmp.Diff(want, d.Spec.Host.Mounts[1]); diff != "" {
			t.Error(diff)
		}
	}
	for _, o := range []*mount.TmpfsOptions{{SizeBytes: -1}, {Mode: 0o17777}, {Options: [][]string{{"exec"}}}, {Options: [][]string{{"size", "9g"}}}, {Options: [][]string{nil}}} {
		if r := tmpfs(o).Rejections(); len(r) != 1 || r[0].Rule != "mounts.tmpfs" {
			t.Errorf("%+v: %+v", o, r)
		}
	}
	none := func(r *Rules) { r.Mounts.TmpfsSize = 0 }
	if d := reviewWith(none, func(s *Spec) { s.Host.Tmpfs = map[string]string{"/x": "size=1k"} }); !d.Rejected() {
		t.Error("a tmpfs passes where the policy has no size for one")
	}
}

func TestTargetsAreTakenOnce(t *testing.T) {
	d := reviewWith(func(r *Rules) { r.Mounts.AnonymousVolumes = true }, func(s *Spec) {
		s.Host.Mounts = append(s.Host.Mounts, mount.Mount{Type: mount.TypeTmpfs, Target: "/a"})
		s.Host.Tmpfs = map[string]string{"/a": "", "/b": "", "/proc": "", "c": ""}
		s.Config.Volumes = map[string]struct{}{"/b": {}, "/mnt/mesos/sandbox": {}}
	})
	var fields []string
	for _, r := range d.Rejections() {
		if r.Rule != "mounts.targets" {
			t.Errorf("%+v", r)
		}
		fields = append(fields, r.Field)
	}
	want := []string{"Host.Tmpfs[/a]", "Host.Tmpfs[/proc]", "Host.Tmpfs[c]", "Config.Volumes[/b]", "Config.Volumes[/mnt/mesos/sandbox]"}
	if !slices.Equal(fields, want) {
		t.Errorf("%q", fields)
	}
}

func TestVolumeNamesThatCarryOptionsAreRejected(t *testing.T) {
	rules := func(r *Rules) { r.Mounts.Volumes = []VolumeRule{{Driver: "pxd", Names: []string{"*", "*/*"}}} }
	for _, name := range []string{"a,size=9", "a/b", "../x", "size=9", " "} {
		d := reviewWith(rules, mounting(mount.Mount{Type: mount.TypeVolume, Source: name, VolumeOptions: &mount.VolumeOptions{DriverConfig: &mount.Driver{Name: "pxd"}}}))
		if r := d.Rejections(); len(r) != 1 || r[0].Rule != "mounts.volumes" {
			t.Errorf("%q: %+v", name, r)
		}
	}
	for _, subpath := range []string{"/etc", "..", "../x", "a/../..", "a/"} {
		d := reviewWith(rules, mounting(mount.Mount{Type: mount.TypeVolume, Source: "vol", VolumeOptions: &mount.VolumeOptions{Subpath: subpath, DriverConfig: &mount.Driver{Name: "pxd"}}}))
		if r := d.Rejections(); len(r) != 1 || r[0].Rule != "mounts.options" {
			t.Errorf("%q: %+v", subpath, r)
		}
	}
}

// TestAVolumeWithoutADriverIsTheEnginesOwn: which is what it is judged as, and the engine has to be told.
func TestAVolumeWithoutADriverIsTheEnginesOwn(t *testing.T) {
	for mode, want := range map[Mode]string{Enforce: "local", Audit: ""} {
		d := reviewWith(func(r *Rules) {
			r.Mode = mode
			r.Mounts.Volumes = []VolumeRule{{Driver: "local", Names: []string{"team-*"}}}
		}, mounting(mount.Mount{Type: mount.TypeVolume, Source: "team-a"}))
		if d.Rejected() || len(d.Spec.Host.Mounts) != 2 {
			t.Fatalf("%s: %+v", mode, d.Rejections())
		}
		got := ""
		if o := d.Spec.Host.Mounts[1].VolumeOptions; o != nil && o.DriverConfig != nil {
			got = o.DriverConfig.Name
		}
		if got != want {
			t.Errorf("%s: driver %q, want %q", mode, got, want)
		}
	}
}
