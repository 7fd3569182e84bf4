package security

import (
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
)

func TestVolumesOfImages(t *testing.T) {
	image := Image{Volumes: []string{"/var/lib/postgresql/data", "/b/"}}
	found := BuiltIn().ReviewImage(image, Spec{}, testRoots)
	if len(found) != 1 || found[0].Action != Allow || found[0].Rule != "image.volumes" || found[0].Value != "/b/, /var/lib/postgresql/data" {
		t.Errorf("%+v", found)
	}
	strict := New("strict", Rules{})
	found = strict.ReviewImage(image, Spec{}, testRoots)
	if len(found) != 1 || found[0].Action != Reject || found[0].Rule != "image.volumes" || found[0].Origin != "image" || !strings.Contains(found[0].Message, "/b/") {
		t.Errorf("%+v", found)
	}
	// The engine makes no volume where something else is mounted.
	mounted := Spec{Host: container.HostConfig{Mounts: []mount.Mount{{Target: "/var/lib/postgresql/data"}}, Tmpfs: map[string]string{"/b": ""}}}
	if found := strict.ReviewImage(image, mounted, testRoots); len(found) != 0 {
		t.Errorf("%+v", found)
	}
}

func TestImageMayNotPretendToBeTheExecutors(t *testing.T) {
	tests := []struct {
		name    string
		labels  []string
		workdir string
		want    []string // rule and field of each rejection
	}{
		{"nothing", nil, "", nil},
		{"ordinary", []string{"maintainer", "org.example.version", "mesos-docker-executor"}, "/srv/app", nil},
		{"looks like /proc", nil, "/process", nil},
		{"reserved labels", []string{"b", ReservedLabelPrefix + "task", "Mesos-Docker-Executor.X"}, "", []string{
			"image.labels Image.Labels[Mesos-Docker-Executor.X]", "image.labels Image.Labels[" + ReservedLabelPrefix + "task]",
		}},
		{"descriptor", nil, "/proc/self/fd/7", []string{"image.workdir Image.WorkingDir"}},
		{"descriptor by the link in /dev", nil, "/dev//fd/7", []string{"image.workdir Image.WorkingDir"}},
		{"hidden", nil, "//a/.././proc//", []string{"image.workdir Image.WorkingDir"}},
		{"relative", nil, "proc/self/cwd", []string{"image.workdir Image.WorkingDir"}},
		{"both, and two lines", []string{ReservedLabelPrefix + "a\nb"}, "/proc/a\nb", []string{
			"image.labels Image.Labels[" + ReservedLabelPrefix + `a\nb]`, "image.workdir Image.WorkingDir",
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			labels := map[string]string{}
			for _, key := range test.labels {
				labels[key] = "x"
			}
			var got []string
			for _, f := range BuiltIn().ReviewImage(Image{Labels: labels, WorkingDir: test.workdir}, Spec{}, testRoots) {
				got = append(got, f.Rule+" "+f.Field)
				if f.Action != Reject || f.Origin != "image" || strings.Contains(f.Message, "\n") || !strings.HasSuffix(f.Message, ".") {
					t.Errorf("%+v", f)
				}
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}
