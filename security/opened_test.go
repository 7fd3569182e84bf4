package security

import (
	"slices"
	"testing"

	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestHostBindsAreThoseThatThePolicyOpens(t *testing.T) {
	rules := BuiltInRules()
	rules.Mounts.HostPaths = []HostPath{{Path: "/srv", Writable: true}, {Path: "/srv/data"}, {Path: "/etc/ssl/certs"}, {Path: "/"}, {Path: "srv"}}
	rules.BreakGlass.Paths = []HostPath{{Path: "/run/docker.sock", Writable: true}, {Path: "/srv/data2"}}
	spec := goodSpec() // with the sandbox
	bind := func(source, target string, o *mount.BindOptions) {
		spec.Host.Mounts = append(spec.Host.Mounts, mount.Mount{Type: mount.TypeBind, Source: source, Target: target, ReadOnly: target == "/ro", BindOptions: o})
	}
	bind("/lease/1/data", "/sandbox", nil)
	bind("/srv/data/x", "/ro", nil)
	bind("/work/volumes/v1", "/v1", nil)
	bind("/srv/data2", "/b", &mount.BindOptions{NonRecursive: true, Propagation: mount.PropagationRPrivate})
	bind("/run/docker.sock", "/c", nil)
	bind("/opt/nobody/opens/it", "/d", nil)
	spec.Host.Mounts = append(spec.Host.Mounts, mount.Mount{Type: mount.TypeVolume, Source: "/srv/data", Target: "/e"})
	spec.Origins["Host.Mounts[/b]"] = "container.volumes[3]"

	binds := New("test", rules).HostBinds(spec, Grants{
		Roots: []string{"", "/", "relative", "/lease/1"},
		Binds: []Bind{{Source: "/work/volumes/v1", Target: "/v1"}, {Source: "/srv/data2", Target: "/other"}},
	})
	want := []HostBind{
		{Source: "/srv/data/x", Target: "/ro", Inside: "/srv/data", ReadOnly: true, Recursive: true},
		{Source: "/srv/data2", Target: "/b", Inside: "/srv", Origin: "container.volumes[3]", Propagation: mount.PropagationRPrivate},
		{Source: "/run/docker.sock", Target: "/c", Inside: "/run/docker.sock", Recursive: true, Lifted: true},
		{Source: "/opt/nobody/opens/it", Target: "/d", Inside: "/opt/nobody/opens/it", Recursive: true},
	}
	if diff := cmp.Diff(want, binds, cmpopts.IgnoreFields(HostBind{}, "Open", "Closed")); diff != "" {
		t.Error(diff)
	}
}

func TestPlacesAreClosedUnlessTheBindShowsThemByItsText(t *testing.T) {
	for _, test := range []struct {
		source string
		open   []string
	}{
		{"/srv/data", nil},
		{"/etc/ssl/certs", []string{"/etc"}},
		{"/var/log", nil},
		{"/run/docker.sock", []string{"/run/docker.sock", "/run"}},
		{"/var/lib/docker/containers/x", []string{"/var/lib/docker"}},
		{"/agent/shared", []string{"/agent"}},
	} {
		spec := goodSpec()
		mounting(mount.Mount{Type: mount.TypeBind, Source: test.source})(&spec)
		rules := BuiltInRules()
		rules.Mounts.DeniedPaths = []string{"/agent/"}
		b := New("test", rules).HostBinds(spec, testRoots)[0]
		if !slices.Equal(b.Open, test.open) {
			t.Errorf("%s opens %q, want %q", test.source, b.Open, test.open)
		}
		if all := len(neverMounted()) + len(deniedFolders()) + 1; len(b.Open)+len(b.Closed) != all {
			t.Errorf("%s: %d places are open and %d closed, of %d", test.source, len(b.Open), len(b.Closed), all)
		}
	}
}

func TestAPlaceIsClosedToABindThatTheReviewDidNotKnowOf(t *testing.T) {
	for _, test := range []struct {
		source, inside string
		lifted, open   bool
	}{
		{"/srv/data", "/srv", false, false},
		{"/data/engine/containers/x", "/data/engine/containers", false, true},
		{"/data/engine/containers/x", "/data/engine", false, false},
		{"/data/engine/x", "/data", false, false},
		{"/data", "/data", false, false},
		{"/data", "/data", true, true},
		{"/srv", "/srv", true, false},
	} {
		b := HostBind{Source: test.source, Inside: test.inside, Lifted: test.lifted}.Closing("/data/engine/")
		if open := slices.Equal(b.Open, []string{"/data/engine"}); open != test.open || len(b.Open)+len(b.Closed) != 1 {
			t.Errorf("%+v: %+v", test, b)
		}
	}
}

func TestDeniedPlacesOfTheHostDenyAndDoNotChangeTheDigest(t *testing.T) {
	rules := BuiltInRules()
	rules.Mounts.HostPaths = []HostPath{{Path: "/srv", Writable: true}}
	rules.Mounts.DeniedPaths = make([]string, 0, 8) // room that two policies must not share
	plain := New("test", rules)
	agent, other := plain.Denying("/srv/mesos", "", "/run/docker.sock"), plain.Denying("/srv/other")
	for source, rejected := range map[string]bool{"/srv/mesos": true, "/srv/mesos/slaves/x": true, "/srv": true, "/srv/other": false} {
		spec := goodSpec()
		mounting(mount.Mount{Type: mount.TypeBind, Source: source})(&spec)
		if d := agent.Review(spec, testRoots); d.Rejected() != rejected {
			t.Errorf("%s is rejected: %v", source, d.Rejected())
		}
		if d := plain.Review(spec, testRoots); d.Rejected() {
			t.Errorf("%s is rejected by the policy without the place: %v", source, d.Rejections())
		}
	}
	if agent.Digest() != plain.Digest() || agent.Hash() != plain.Hash() {
		t.Error("the digest changes")
	}
	if denied := agent.rules.Mounts.DeniedPaths; !slices.Equal(denied, []string{"/srv/mesos"}) || !slices.Equal(other.rules.Mounts.DeniedPaths, []string{"/srv/other"}) {
		t.Errorf("denied are %q", denied)
	}
}
