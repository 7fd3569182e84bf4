package security

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"
)

// TestBreakGlassLiftsWhatNothingElseDoes: each denial holds without it and under every other rule, and is lifted by its own
// entry only, with one finding that names reason and expiry.
func TestBreakGlassLiftsWhatNothingElseDoes(t *testing.T) {
	bind := func(source string, readOnly bool) func(*Spec) {
		return mounting(mount.Mount{Type: mount.TypeBind, Source: source, ReadOnly: readOnly})
	}
	option := func(o string) func(*Spec) { return func(s *Spec) { s.Host.SecurityOpt = []string{o} } }
	paths := func(p ...HostPath) BreakGlass { return BreakGlass{Paths: p} }
	options := func(s Spec) any { return s.Host.SecurityOpt[len(s.Host.SecurityOpt)-1] }
	source := func(s Spec) any { return s.Host.Mounts[1].Source }
	tests := []struct {
		name    string
		allow   BreakGlass
		change  func(*Spec)
		denied  string // the rule without it
		field   string
		rule    string
		sent    func(Spec) any
		want    any
		another BreakGlass // an entry of the same kind that does not lift it
	}{
		{"PIDs", BreakGlass{HostNamespaces: []string{"pid"}}, func(s *Spec) { s.Host.PidMode = "host" }, "namespaces.pid", "Host.PidMode", liftNamespaces,
			func(s Spec) any { return string(s.Host.PidMode) }, "host", BreakGlass{HostNamespaces: []string{"ipc", "userns"}}},
		{"IPC", BreakGlass{HostNamespaces: []string{"ipc"}}, func(s *Spec) { s.Host.IpcMode = "host" }, "namespaces.ipc", "Host.IpcMode", liftNamespaces,
			func(s Spec) any { return string(s.Host.IpcMode) }, "host", BreakGlass{HostNamespaces: []string{"pid", "userns"}}},
		{"users", BreakGlass{HostNamespaces: []string{"userns"}}, func(s *Spec) { s.Host.UsernsMode = "host" }, "namespaces.userns", "Host.UsernsMode", liftNamespaces,
			func(s Spec) any { return string(s.Host.UsernsMode) }, "host", BreakGlass{HostNamespaces: []string{"pid", "ipc"}}},
		{"the engine's socket", paths(HostPath{"/run/docker.sock", false}), bind("/run/docker.sock", true), "mounts.denied", "Host.Mounts[/x]", liftPaths,
			source, "/run/docker.sock", paths(HostPath{"/var/run/docker.sock", true}, HostPath{"/", true})},
		{"the engine's socket for writing", paths(HostPath{"/run/docker.sock", true}), bind("/run/docker.sock", false), "mounts.denied", "Host.Mounts[/x]", liftPaths,
			source, "/run/docker.sock", paths(HostPath{"/run/docker.sock", false})},
		{"what lies below", paths(HostPath{"/run", false}), bind("/run/containerd/containerd.sock", true), "mounts.denied", "Host.Mounts[/x]", liftPaths,
			source, "/run/containerd/containerd.sock", paths(HostPath{"/run/containerd/containerd.sock/x", false})},
		{"the executor's folder", paths(HostPath{"/etc/mesos-docker-executor", false}), bind("/etc/mesos-docker-executor/policy.yaml", true), "mounts.denied", "Host.Mounts[/x]",
			liftPaths, source, "/etc/mesos-docker-executor/policy.yaml", paths(HostPath{"etc", true}, HostPath{"/etc/../etc", true})},
		{"/etc itself", paths(HostPath{"/etc", false}), bind("/etc", true), "mounts.denied", "Host.Mounts[/x]", liftPaths, source, "/etc", paths(HostPath{"/etc/ssl", false})},
		{"/proc", paths(HostPath{"/proc", false}), bind("/proc", true), "mounts.denied", "Host.Mounts[/x]", liftPaths, source, "/proc", paths(HostPath{"/proc/1", false})},
		{"no seccomp", BreakGlass{Unconfined: []string{"seccomp"}}, option("seccomp=unconfined"), "security_opt.seccomp", "Host.SecurityOpt[seccomp=unconfined]", liftConfinement,
			options, "seccomp=unconfined", BreakGlass{Unconfined: []string{"apparmor", "selinux", "systempaths"}}},
		{"no AppArmor", BreakGlass{Unconfined: []string{"apparmor"}}, option("apparmor:unconfined"), "security_opt.apparmor", "Host.SecurityOpt[apparmor:unconfined]", liftConfinement,
			options, "apparmor=unconfined", BreakGlass{Unconfined: []string{"seccomp", "selinux", "systempaths"}}},
		{"no SELinux", BreakGlass{Unconfined: []string{"selinux"}}, option("label=disable"), "security_opt.selinux", "Host.SecurityOpt[label=disable]", liftConfinement,
			options, "label=disable", BreakGlass{Unconfined: []string{"apparmor", "seccomp", "systempaths"}}},
		{"system paths", BreakGlass{Unconfined: []string{"systempaths"}}, option("systempaths=unconfined"), "security_opt.systempaths",
			"Host.SecurityOpt[systempaths=unconfined]", liftConfinement,
			func(s Spec) any { return [][]string{s.Host.MaskedPaths, s.Host.ReadonlyPaths, s.Host.SecurityOpt} },
			[][]string{{}, {}, {"no-new-privileges"}}, BreakGlass{Unconfined: []string{"apparmor", "selinux", "seccomp"}}},
		{"masked paths", BreakGlass{Unconfined: []string{"systempaths"}}, func(s *Spec) { s.Host.MaskedPaths = []string{} }, "security_opt.systempaths", "Host.MaskedPaths",
			liftConfinement, func(s Spec) any { return [][]string{s.Host.MaskedPaths, s.Host.ReadonlyPaths} }, [][]string{{}, nil}, BreakGlass{}},
		{"propagation", BreakGlass{Propagation: []string{"rslave"}},
			mounting(mount.Mount{Type: mount.TypeBind, Source: "/lease/1/a", BindOptions: &mount.BindOptions{Propagation: mount.PropagationRSlave}}),
			"mounts.propagation", "Host.Mounts[/x]", liftPropagation, func(s Spec) any { return string(s.Host.Mounts[1].BindOptions.Propagation) }, "rslave",
			BreakGlass{Propagation: []string{"rshared", "shared", "slave"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, mode := range []Mode{Enforce, Audit} {
				var expired []Expired
				with := func(rules Rules, b BreakGlass) Decision {
					rules.Mode, rules.BreakGlass = mode, b
					rules.NoNewPrivileges, rules.NewPrivileges = true, true
					rules.BreakGlass.Reason, rules.BreakGlass.Expires = "the old\nmonitoring.", "2027-01-31"
					spec := goodSpec()
					spec.Host.SecurityOpt = []string{"no-new-privileges"}
					test.change(&spec)
					if slices.Equal(spec.Host.SecurityOpt, []string{"systempaths=unconfined"}) {
						spec.Host.SecurityOpt = append(spec.Host.SecurityOpt, "no-new-privileges")
					}
					spec.Origins[test.field] = "here"
					return New("test", rules).WithExpired(expired).Review(spec, testRoots)
				}
				denied := test.denied
				if denied == "mounts.denied" {
					denied = "mounts.sources" // no path of the built-in policy covers it
				}
				for name, b := range map[string]BreakGlass{"none": {}, "another": test.another} {
					if r := with(BuiltInRules(), b).Rejections(); len(r) != 1 || r[0].Rule != denied || r[0].Field != test.field || r[0].Place != "fixed" {
						t.Errorf("%s, %s: %+v", mode, name, r)
					}
					if r := with(everyRule(), b).Rejections(); len(r) != 1 || !strings.HasPrefix(r[0].Rule, strings.SplitN(test.denied, ".", 2)[0]) {
						t.Errorf("%s, %s, with every other rule: %+v", mode, name, r)
					}
				}
				// What has expired is refused, and named to those only whom it served.
				const ended = " (break_glass[1], lifted this until 2026-01-31.)"
				for _, was := range []BreakGlass{test.allow, test.another} {
					serves := reflect.DeepEqual(was, test.allow)
					was.Expires = "2026-01-31"
					expired = []Expired{{"break_glass[1]", was}}
					if r := with(BuiltInRules(), BreakGlass{}).Rejections(); len(r) != 1 || strings.HasSuffix(r[0].Message, ended) != serves {
						t.Errorf("%s, expired: %+v", mode, r)
					}
				}
				d := with(BuiltInRules(), test.allow)
				if d.Rejected() {
					t.Fatalf("%s: %+v", mode, d.Rejections())
				}
				about := slices.DeleteFunc(slices.Clone(d.Findings), func(f Finding) bool { return f.Field != test.field })
				if len(about) != 1 || about[0].Action != Lift || about[0].Rule != test.rule || about[0].Place != "test" || about[0].Origin != "here" ||
					!strings.HasSuffix(about[0].Message, ` lifted by break_glass until 2027-01-31: the old\nmonitoring.`) {
					t.Errorf("%s: %+v", mode, about)
				}
				if diff := cmp.Diff(test.want, test.sent(d.Spec)); diff != "" {
					t.Errorf("%s: %s", mode, diff)
				}
				if !slices.ContainsFunc(d.Changes(), func(f Finding) bool { return f.Action == Lift }) {
					t.Errorf("%s: no change of %+v", mode, d.Changes())
				}
			}
		})
	}
}

// TestWhatBreakGlassCannotLift: what even BreakGlass has no word for.
func TestWhatBreakGlassCannotLift(t *testing.T) {
	everything := BreakGlass{
		Reason: "all of it", Expires: "2027-01-31", HostNamespaces: []string{"cgroup", "ipc", "net", "pid", "user", "userns", "uts"},
		Paths: []HostPath{{"/", true}, {"/run", true}}, Unconfined: []string{"apparmor", "privileged", "seccomp", "selinux", "systempaths"},
		Propagation: []string{"rshared", "rslave", "shared", "slave", "private", "x"},
	}
	for name, change := range map[string]func(*Spec){
		"privileged":                   func(s *Spec) { s.Host.Privileged = true },
		"another container's PIDs":     func(s *Spec) { s.Host.PidMode = "container:x" },
		"another container's IPC":      func(s *Spec) { s.Host.IpcMode = "container:x" },
		"IPC for others":               func(s *Spec) { s.Host.IpcMode = "shareable" },
		"another user namespace":       func(s *Spec) { s.Host.UsernsMode = "container:x" },
		"the host's names":             func(s *Spec) { s.Host.UTSMode = "host" },
		"the host's cgroups":           func(s *Spec) { s.Host.CgroupnsMode = "host" },
		"the root":                     mounting(mount.Mount{Type: mount.TypeBind, Source: "/", ReadOnly: true}),
		"a path with dots":             mounting(mount.Mount{Type: mount.TypeBind, Source: "/run/../etc", ReadOnly: true}),
		"a propagation that is none":   mounting(mount.Mount{Type: mount.TypeBind, Source: "/run/x", BindOptions: &mount.BindOptions{Propagation: "x"}}),
		"other masked paths":           func(s *Spec) { s.Host.MaskedPaths = []string{"/proc/keys"} },
		"other system paths":           func(s *Spec) { s.Host.SecurityOpt = []string{"systempaths=x"} },
		"a seccomp profile of its own": func(s *Spec) { s.Host.SecurityOpt = []string{"seccomp={}"} },
		"restarts":                     func(s *Spec) { s.Host.RestartPolicy.Name = "always" },
		"a cgroup of its own":          func(s *Spec) { s.Host.CgroupParent = "/" },
	} {
		if d := reviewWith(func(r *Rules) { r.BreakGlass = everything }, change); len(d.Rejections()) != 1 {
			t.Errorf("%s: %+v", name, d.Rejections())
		}
	}
}

// TestAnOrdinaryRuleIsNoUseOfBreakGlass: the finding is about what only the exception allows.
func TestAnOrdinaryRuleIsNoUseOfBreakGlass(t *testing.T) {
	for readOnly, want := range map[bool]Action{true: Allow, false: Lift} {
		d := reviewWith(func(r *Rules) {
			r.Mounts.HostPaths = []HostPath{{"/etc/ssl", false}}
			r.BreakGlass.Paths = []HostPath{{"/etc", true}}
		}, mounting(mount.Mount{Type: mount.TypeBind, Source: "/etc/ssl", ReadOnly: readOnly}))
		about := slices.DeleteFunc(slices.Clone(d.Findings), func(f Finding) bool { return f.Field != "Host.Mounts[/x]" })
		if len(about) != 1 || about[0].Action != want {
			t.Errorf("read-only %v: %+v", readOnly, about)
		}
	}
}

func TestBreakGlassOpensThePolicysOwnDeniedPaths(t *testing.T) {
	for mode, paths := range map[Mode][]HostPath{Enforce: {{"/srv/engine.sock", true}}, Audit: nil} {
		d := reviewWith(func(r *Rules) {
			r.Mode, r.BreakGlass.Paths = mode, paths
			r.Mounts.DeniedPaths, r.Mounts.HostPaths = []string{"/srv/engine.sock"}, []HostPath{{"/srv", true}}
		}, mounting(mount.Mount{Type: mount.TypeBind, Source: "/srv/engine.sock"}))
		if d.Rejected() != (paths == nil) {
			t.Errorf("%s: %+v", mode, d.Rejections())
		}
	}
}
