package security

import (
	"testing"

	"github.com/docker/docker/api/types/mount"
)

func TestAGrantedBindIsForOneMountOnly(t *testing.T) {
	const volume = "/var/lib/mesos/volumes/roles/web/v1"
	granted := Grants{Roots: testRoots.Roots, Binds: []Bind{{Source: volume, Target: "/data", ReadOnly: true, Inside: "/var/lib/mesos"}}}
	for _, test := range []struct {
		name     string
		m        mount.Mount
		rejected bool
	}{
		{"itself", mount.Mount{Source: volume, Target: "/data", ReadOnly: true}, false},
		{"for writing", mount.Mount{Source: volume, Target: "/data"}, true},
		{"at another target", mount.Mount{Source: volume, Target: "/other", ReadOnly: true}, true},
		{"what lies in it", mount.Mount{Source: volume + "/link", Target: "/data", ReadOnly: true}, true},
		{"what it lies in", mount.Mount{Source: "/var/lib/mesos/volumes/roles/web", Target: "/data", ReadOnly: true}, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			spec := goodSpec()
			test.m.Type = mount.TypeBind
			spec.Host.Mounts = append(spec.Host.Mounts, test.m)
			if d := BuiltIn().Review(spec, granted); d.Rejected() != test.rejected {
				t.Errorf("rejected: %v: %+v", d.Rejected(), d.Rejections())
			}
		})
	}
}

func TestNoGrantOpensTheHostsOwnPlaces(t *testing.T) {
	for _, test := range []struct {
		source, inside string
		rejected       bool
	}{
		{"/mnt/disk1", "", false},
		{"/mnt/disk1/volumes/roles/web/v1", "", false},
		{"/var/lib/mesos/volumes/roles/web/v1", "/var/lib/mesos", false},
		{"/run/mesos/volumes/roles/web/v1", "/run/mesos", false},
		{"/var/lib/mesos", "/var/lib/mesos", true},
		{"/var/lib/mesos/volumes/roles/web/v1", "", true},
		{"/etc/volumes/roles/web/v1", "/var/lib/mesos", true},
		{"/run/docker.sock", "/run", true},
		{"/var/run/docker.sock", "", true},
		{"/etc", "", true},
		{"/", "", true},
		{"/mnt/../etc", "", true},
		{"/proc/1/root", "", true},
		{"relative", "", true},
	} {
		spec := goodSpec()
		spec.Host.Mounts = append(spec.Host.Mounts, mount.Mount{Type: mount.TypeBind, Source: test.source, Target: "/data"})
		d := BuiltIn().Review(spec, Grants{Roots: testRoots.Roots, Binds: []Bind{{Source: test.source, Target: "/data", Inside: test.inside}}})
		if d.Rejected() != test.rejected {
			t.Errorf("%s inside %q: rejected %v: %+v", test.source, test.inside, d.Rejected(), d.Rejections())
		}
	}
}
