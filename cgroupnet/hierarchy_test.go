package cgroupnet

import "testing"

func TestOwnCgroup(t *testing.T) {
	const self = "12:name=systemd:/user.slice\n5:cpu,cpuacct:/mesos/c1\n4:freezer:/a:b\n0::/unified\nnonsense\n"
	for name, test := range map[string]struct {
		h    Hierarchy
		want string
		ok   bool
	}{
		"v1":                  {Hierarchy{Controllers: []string{"freezer"}}, "/a:b", true},
		"joint mount":         {Hierarchy{Controllers: []string{"cpuacct", "cpu"}}, "/mesos/c1", true},
		"named":               {Hierarchy{Controllers: []string{"name=systemd"}}, "/user.slice", true},
		"v2":                  {Hierarchy{Unified: true}, "/unified", true},
		"not there":           {Hierarchy{Controllers: []string{"pids"}}, "", false},
		"v1, no controllers":  {Hierarchy{}, "", false},
		"v2 with controllers": {Hierarchy{Unified: true, Controllers: []string{"freezer"}}, "/unified", true},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := test.h.ownCgroup(self)
			if got != test.want || ok != test.ok {
				t.Errorf("got %q, %v; want %q, %v", got, ok, test.want, test.ok)
			}
		})
	}
}
