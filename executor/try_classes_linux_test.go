package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"strings"
	"testing"

	"mesos-docker-executor/cgroupnet"
)

// classes: the executor goes by the class file that try was given, and the timeline shows the container's class ID.
func (f tryFixture) classes(t *testing.T) {
	in := folder(t, map[string]string{
		"all.yaml":  "version: 1\nunknown: default\nclusters: {c: {default_team: web, teams: {web: {major: 0x0010}}, identities: [{match: {roles: [web]}, team: web}]}}\n",
		"none.yaml": "version: 1\nclusters: {c: {teams: {web: {major: 0x0010}}, identities: [{match: {roles: [web]}, team: web}]}}\n",
		"bad.yaml":  badClasses,
	})
	for _, mode := range []string{"drop-in", "custom"} {
		r := f.json(t, nil, "--classes", in("all.yaml"), "--mode", mode, taskFile(t, "true"))
		if r.exit != 0 || r.states() != "STARTING RUNNING FINISHED" {
			t.Errorf("%s: exit %d, states %s, %+v", mode, r.exit, r.states(), r.lines)
		}
		for _, l := range r.lines {
			if l.Status != nil && l.Status.ClassID != "0x00100001" {
				t.Errorf("%s: the class ID is %q: %+v", mode, l.Status.ClassID, l.Status)
			}
		}
	}
	r := f.json(t, nil, "--classes", in("none.yaml"), taskFile(t, "true"))
	last := r.lines[len(r.lines)-1].Result
	if r.exit != 1 || r.states() != "FAILED" || last == nil || !strings.Contains(last.Message, "class ID: ") {
		t.Errorf("exit %d, states %s, %+v", r.exit, r.states(), last)
	}
	for name, want := range map[string]string{"bad.yaml": in("bad.yaml") + ":4: clusters.gra1.teams.web.major: ", "missing.yaml": "does not exist"} {
		r := f.json(t, nil, "--classes", in(name), taskFile(t, "true"))
		if r.exit != exitUsage || len(r.lines) > 0 || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: exit %d, %s", name, r.exit, r.stderr)
		}
	}
}

// withoutNetCLS runs a command where no net_cls is mounted; the mounts of everybody else stay.
const withoutNetCLS = `awk '$(NF-2) == "cgroup" && $NF ~ /net_cls/ { print $5 }' /proc/self/mountinfo | xargs -r -n 1 umount && exec "$@"`

// removeUnseenLeaf removes what the executor could not see: the engine is not where net_cls is missing, so that runc made the leaf there, too,
// as its container's parent. It takes the container's line of /proc/self/cgroup.
func removeUnseenLeaf(t *testing.T, line string) {
	t.Helper()
	support, err := cgroupnet.Probe()
	if err != nil || support.NetCLS == nil {
		t.Fatal(err, support.Problem)
	}
	container := line[strings.LastIndex(line, ":")+1:]
	if err := os.Remove(support.NetCLS.Folder(path.Dir(container))); err != nil {
		t.Error(err)
	}
}

// noNetCLS: what the host cannot give is said by the executor, and explain does not ask.
func (f tryFixture) noNetCLS(t *testing.T) {
	const file = "version: 1\nunknown: default\nclusters: {c: {default_team: web, teams: {web: {major: 0x0010}}, identities: [{match: {roles: [web]}, team: web}]}}\n"
	in := folder(t, map[string]string{"required.yaml": file, "preferred.yaml": file + "class_ids: preferred\n"})
	without := func(cmd *exec.Cmd) *exec.Cmd {
		cmd.Path, cmd.Args = "/usr/bin/unshare", append([]string{"unshare", "--mount", "sh", "-c", withoutNetCLS, "sh"}, cmd.Args...)
		return cmd
	}
	for _, tt := range []struct {
		name   string
		exit   int
		states string
		says   string
	}{
		{"required.yaml", exitFail, "FAILED", "class ID: this host cannot give containers a network class: "},
		{"preferred.yaml", exitOK, "STARTING RUNNING FINISHED", "Untagged, without the class ID 0x00100001: this host cannot give containers a network class: "},
	} {
		out, err := without(f.command(t, "--json", "--classes", in(tt.name), taskFile(t, "grep net_cls /proc/self/cgroup"))).Output()
		r := tried{exit: exitStatus(t, err)}
		said := false
		for line := range strings.Lines(string(out)) {
			var l jsonLine
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatalf("%v: %s", err, line)
			}
			r.lines = append(r.lines, l)
			said = said || l.Status != nil && strings.Contains(l.Status.Message, tt.says)
			if l.Status != nil && l.Status.ClassID != "" {
				t.Errorf("%s: a class is shown: %+v", tt.name, l.Status)
			}
			if l.Log != nil && l.Log.From == "stdout" {
				removeUnseenLeaf(t, l.Log.Line)
			}
		}
		if r.exit != tt.exit || r.states() != tt.states || !said {
			t.Errorf("%s: exit %d, states %s, want %q in\n%s", tt.name, r.exit, r.states(), tt.says, out)
		}
	}
	explain := without(exec.CommandContext(t.Context(), f.binary, "explain", "--classes", in("required.yaml"), taskFile(t, "true")))
	if out, err := explain.CombinedOutput(); err != nil || !strings.Contains(string(out), "class: 0x00100001 (tc 10:1), the default class of team web") {
		t.Errorf("%v\n%s", err, out)
	}
	ps := without(exec.CommandContext(t.Context(), f.binary, "classes", "ps"))
	if out, err := ps.CombinedOutput(); exitStatus(t, err) != exitFail || !strings.HasPrefix(string(out), linePrefix+"classes ps: this host cannot give containers a network class: ") {
		t.Errorf("%v\n%s", err, out)
	}
}
