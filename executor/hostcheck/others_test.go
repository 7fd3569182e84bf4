package hostcheck

import (
	"errors"
	"testing"
	"time"
)

func TestNestedLeaf(t *testing.T) {
	const outlives = "a container outlives an executor that is killed"
	with := func(leaves ...NestedLeaf) NestedLeaves {
		return NestedLeaves{Freezer: "/sys/fs/cgroup/freezer", Leaves: leaves}
	}
	there, missing := NestedLeaf{Root: "mesos", Found: true}, NestedLeaf{Root: "other"}
	for _, c := range []struct {
		name   string
		leaves NestedLeaves
		driver string
		want   []string
	}{
		{"there", with(there), "cgroupfs", []string{"ok nested leaf: /sys/fs/cgroup/freezer/mesos is there"}},
		{"an engine that does not answer", with(there), "", []string{"ok nested leaf: /sys/fs/cgroup/freezer/mesos is there"}},
		{"no custom mode", NestedLeaves{}, "systemd", []string{"ok nested leaf: not needed"}},
		{"systemd", with(there), "systemd", []string{"warn nested leaf: Docker's cgroup driver is systemd: in custom mode " + outlives}},
		{"no freezer", NestedLeaves{Leaves: []NestedLeaf{{Root: "mesos"}}}, "cgroupfs", []string{"warn nested leaf: no freezer hierarchy of cgroup v1: in custom mode " + outlives}},
		{"two agents, one without a cgroup", with(there, missing), "cgroupfs", []string{"ok nested leaf: /sys/fs/cgroup/freezer/mesos is there",
			"warn nested leaf: /sys/fs/cgroup/freezer/other is not there: in custom mode " + outlives}},
		{"unknown", with(NestedLeaf{Err: errors.New("permission denied")}), "cgroupfs", []string{"warn nested leaf: not known: permission denied"}},
		{"cgroups unknown", NestedLeaves{Err: errors.New("no /proc"), Leaves: []NestedLeaf{there}}, "cgroupfs", []string{"warn nested leaf: not known: no /proc"}},
	} {
		t.Run(c.name, func(t *testing.T) { expect(t, c.leaves.Lines(c.driver), c.want...) })
	}
}

func TestClaims(t *testing.T) {
	for _, c := range []struct {
		name   string
		claims Claims
		want   string
	}{
		{"none", Claims{}, "ok claims: 0 executors running, none has died"},
		{"living", Claims{Living: 1}, "ok claims: 1 executor running"},
		{"dead", Claims{Living: 2, Dead: []string{"a", "b", "c", "d", "e"}}, "warn claims: 2 executors running, and 5 dead ones left something: a, b, c and 2 more"},
		{"strange files", Claims{Others: 1}, "warn claims: 0 executors running, and 1 file that no executor of this version made"},
		{"too many", Claims{Living: 9, More: true}, "ok claims: there are more that were not looked at"},
		{"unknown", Claims{Err: errors.New("permission denied")}, "warn claims: not known: permission denied"},
	} {
		t.Run(c.name, func(t *testing.T) { expect(t, Lines{c.claims.Line()}, c.want) })
	}
}

func TestFiles(t *testing.T) {
	const hash = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	for _, c := range []struct {
		name string
		file File
		want string
	}{
		{"right", File{Kind: "policy", Path: "/p", SHA256: hash}, "ok policy: /p, sha256 0123456789ab"},
		{"not there", File{Kind: "config", Path: "/c", Without: "the defaults hold"}, "ok config: no /c: the defaults hold"},
		{"with warnings", File{Kind: "policy", Path: "/p", SHA256: hash, Warnings: []string{"line 3: a", "line 4: b"}}, "warn policy: /p, sha256 0123456789ab: line 3: a (and 1 more)"},
		{"wrong", File{Kind: "classes", Path: "/k", Problems: []string{"line 2: unknown key"}}, "fail classes: /k: line 2: unknown key; no task starts"},
	} {
		t.Run(c.name, func(t *testing.T) {
			line := c.file.Line()
			expect(t, Lines{line}, c.want)
			if line.SHA256 != c.file.SHA256 {
				t.Errorf("sha256 %q", line.SHA256)
			}
		})
	}
}

func TestLines(t *testing.T) {
	var l lines
	if l.all.Worst() != OK {
		t.Error("no lines are not ok")
	}
	l.ok("a", "")
	l.warn("b", "", "")
	if l.all.Worst() != Warn || l.all.Count(Warn) != 1 {
		t.Errorf("%v", l.all)
	}
	l.all = append(l.all, Unanswered("engine", time.Second)...)
	if l.all.Worst() != Fail || l.all.Count(Fail) != 1 || l.all.Count(OK) != 1 {
		t.Errorf("%v", l.all)
	}
}
