package policyfile

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/mount"

	"mesos-docker-executor/internal/rulefile"
	"mesos-docker-executor/security"
)

// FuzzParse: no text makes Parse or For panic or take long; every problem has a line, but for a file that is too large; and no
// file that is accepted lets any identity have, without break_glass, what only break_glass can lift.
func FuzzParse(f *testing.F) {
	for _, text := range []string{Default(), identitiesText, glassFile, rulesText("seccomp_profiles: {web: /x.json}\nulimits: {}"),
		"version: 2\n---\n", "version: &a 1\nmode: *a\n<<: *a\n? [x]\n: y\n", "\ufeffversion: 1\r\ndefaults:\r\n  init: !!bool true\r\n",
		"version: 1\nprofiles: {p: {mounts: {+host_paths: [{path: /run/docker.sock}]}}}\nidentities: [{match: {roles: ['*']}, profiles: [p]}]\n",
		"version: 1\ndefaults: {host_namespaces: [pid], apparmor_profiles: [unconfined], selinux_labels: [disable], privileged: true}\n",
	} {
		f.Add([]byte(text))
		f.Add([]byte(strings.ReplaceAll(text, "\n#", "\n")))
	}
	examples, err := filepath.Glob("../../docs/policies/*.yaml")
	if err != nil || len(examples) == 0 {
		f.Fatalf("no example policies: %v", err)
	}
	for _, path := range examples {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		file, err := Parse("p.yaml", data, today())
		if took := time.Since(start); took > 30*time.Second {
			t.Fatalf("took %v", took)
		}
		if err != nil {
			var e *Error
			if !errors.As(err, &e) || file != nil {
				t.Fatalf("%v, %+v", err, file)
			}
			for _, p := range e.Problems {
				if p.Line < 1 && len(data) <= maxFileSize || strings.ContainsAny(p.Key+p.Text, "\n\x00\x1b") || len(p.Text) > 2000 {
					t.Errorf("problem %+v", p)
				}
			}
			return
		}
		file.Notes()
		file.Warnings()
		for _, id := range someIdentities(file) {
			p, err := file.For(id)
			if err != nil {
				if id.Profile == "" {
					t.Errorf("%+v: %v", id, err)
				}
				continue
			}
			holds(t, p.Rules())
		}
	})
}

// FuzzValues puts one value into the keys by which rights are given, in the defaults, an entry and a profile: random files hardly ever
// get as far as a value that is accepted.
func FuzzValues(f *testing.F) {
	keys := []string{
		"capabilities: {base: [%s], allow: [%s]}", "seccomp_profiles: {x: %s}", "seccomp_profiles: {%s: /x}", "apparmor_profiles: [%s]",
		"selinux_labels: [%s]", "host_namespaces: [%s]", "mounts: {host_paths: [{path: %s, writable: true}]}", "mounts: {+host_paths: [{path: %s}]}",
		"network: {modes: [%s]}", "network: {names: [%s]}", "%s: true", "%s: [pid]", "pids_limit: %s", "mounts: {volumes: [{driver: %s, names: ['*']}]}",
		"devices: [{path: %s, permissions: rwm}]", "device_cgroup_rules: [%s]", "runtimes: [%s]", "shm_size: %s", "mounts: {tmpfs_size: %s}", "ulimits: {nofile: %s}",
	}
	for i := range keys {
		for _, value := range []string{"ALL", "+all", "NET_RAW", "unconfined", " unconfined", "disable", "type:spc_t", "pid", "+ipc", "host", "/run/docker.sock", "/run", "/srv",
			"/var/run/../run/docker.sock", "privileged", "break_glass", "a *:* rwm", "/dev/*", "local", "-1", "1e9", "64MiB", "~", "*", "kernel.*"} {
			f.Add(uint(i), value, len(value)%2 == 0)
		}
	}
	f.Fuzz(func(t *testing.T, which uint, value string, quoted bool) {
		if quoted {
			value = strconv.Quote(value)
		}
		line := strings.ReplaceAll(keys[which%uint(len(keys))], "%s", value)
		text := "version: 1\ndefaults: {" + line + "}\nprofiles: {p: {" + line + "}}\nidentities: [{match: {roles: [r]}, profiles: [p], rules: {" + line + "}}]\n"
		file, err := Parse("p.yaml", []byte(text), today())
		if err != nil {
			return
		}
		for _, id := range someIdentities(file) {
			if p, err := file.For(id); err == nil {
				holds(t, p.Rules())
			}
		}
	})
}

// someIdentities returns one for nobody, and for each entry one that it could match, with each of its profiles.
func someIdentities(f *File) []security.Identity {
	ids := []security.Identity{{}, {Profile: "p"}, {Principal: "p", Role: "r", AppID: "/a/b", Trusted: true}}
	concrete := func(patterns []string) string {
		if len(patterns) == 0 {
			return "x"
		}
		return strings.ReplaceAll(strings.ReplaceAll(patterns[0], "**", "a"), "*", "a")
	}
	var matches []rulefile.Match
	for _, i := range f.identities {
		matches = append(matches, i.match)
	}
	for _, x := range f.exceptions {
		matches = append(matches, x.match)
	}
	for i, m := range matches {
		id := security.Identity{Principal: concrete(m.Principals), Role: concrete(m.Roles), AppID: concrete(m.AppIDs), Trusted: true}
		ids = append(ids, id)
		if i < len(f.identities) {
			for _, profile := range f.identities[i].profiles {
				id.Profile = profile
				ids = append(ids, id)
			}
		}
		if len(ids) > 50 {
			break
		}
	}
	return ids
}

// holds checks what the rules may not say, and has them review a container that asks for it.
func holds(t *testing.T, r security.Rules) {
	t.Helper()
	if r.Mode != "" && r.Mode != security.Enforce && r.Mode != security.Audit {
		t.Errorf("mode %q", r.Mode)
	}
	r.Mode, r.BreakGlass = "", security.BreakGlass{}
	if r.PidsLimit < 1 || r.ShmSize < 0 || r.Mounts.TmpfsSize < 0 {
		t.Errorf("pids limit %d, shm %d, tmpfs %d", r.PidsLimit, r.ShmSize, r.Mounts.TmpfsSize)
	}
	for name, profile := range r.SeccompProfiles {
		if profile != unreadProfile {
			t.Errorf("seccomp profile %q is %q", name, profile)
		}
	}
	for _, c := range slices.Concat(r.Capabilities.Base, r.Capabilities.Allow) {
		if c == "CAP_ALL" || !strings.HasPrefix(c, "CAP_") {
			t.Errorf("capability %q", c)
		}
	}
	wishes := []func(*security.Spec){
		func(s *security.Spec) { s.Host.Privileged = true },
		func(s *security.Spec) { s.Host.PidMode = "host" },
		func(s *security.Spec) { s.Host.IpcMode = "host" },
		func(s *security.Spec) { s.Host.UsernsMode = "host" },
		func(s *security.Spec) { s.Host.SecurityOpt = []string{"seccomp=unconfined"} },
		func(s *security.Spec) { s.Host.SecurityOpt = []string{"apparmor=unconfined"} },
		func(s *security.Spec) { s.Host.SecurityOpt = []string{"label=disable"} },
		func(s *security.Spec) { s.Host.SecurityOpt = []string{"systempaths=unconfined"} },
	}
	for _, source := range []string{"/", "/etc", "/proc", "/run/docker.sock", "/var/run/docker.sock", "/run/containerd", "/etc/mesos-docker-executor"} {
		wishes = append(wishes, func(s *security.Spec) {
			s.Host.Mounts = []mount.Mount{{Type: mount.TypeBind, Source: source, Target: "/x", ReadOnly: true}}
		})
	}
	policy := security.New("fuzz", r)
	for i, wish := range wishes {
		spec := security.Spec{Name: "mesos-x", Image: "busybox:1"}
		spec.Config.Image = spec.Image
		spec.Host.NetworkMode = "none"
		without := len(policy.Review(spec, security.Grants{}).Rejections())
		wish(&spec)
		if len(policy.Review(spec, security.Grants{}).Rejections()) <= without {
			t.Errorf("wish %d is granted by %+v", i, r)
		}
	}
}

// largePolicy has about 2,000 lines.
func largePolicy() string {
	var b strings.Builder
	b.WriteString(Default() + "profiles:\n  net: {capabilities: {allow: [+NET_RAW]}}\nidentities:\n")
	for i := range 110 {
		n := strings.Repeat("x", i%7) + string(rune('a'+i%26)) + strings.Repeat("y", i/26)
		b.WriteString(`  # Team ` + n + `
  - match:
      roles:
        - teams/` + n + `
    profiles: [net]
    rules:
      capabilities:
        allow: [+SYS_PTRACE, +IPC_LOCK]
      mounts:
        tmpfs_size: 2GiB
        +host_paths:
          - {path: /srv/` + n + `, writable: true}
      ulimits:
        nofile: 100000
      network:
        names: ["` + n + `-*"]
`)
	}
	return b.String()
}

// A policy of 2,000 lines is read for each task.
func BenchmarkLargePolicy(b *testing.B) {
	text := []byte(largePolicy())
	b.Logf("%d lines, %d bytes", strings.Count(string(text), "\n"), len(text))
	b.ReportAllocs()
	for b.Loop() {
		f, err := Parse("policy.yaml", text, today())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.For(security.Identity{Role: "teams/z", Trusted: true}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDefaultPolicy(b *testing.B) {
	text := []byte(Default())
	b.ReportAllocs()
	for b.Loop() {
		f, err := Parse("policy.yaml", text, today())
		if err != nil {
			b.Fatal(err)
		}
		if _, err := f.For(security.Identity{}); err != nil {
			b.Fatal(err)
		}
	}
}
