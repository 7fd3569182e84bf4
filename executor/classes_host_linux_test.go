package main

import (
	"os/exec"
	"strings"
	"testing"
)

// asHostsClasses runs a command where a file is the host's classes.yaml, in a mount namespace of its own.
const asHostsClasses = `file=$1; shift; mount -t tmpfs tmpfs /etc && mkdir /etc/mesos-docker-executor &&
	install -m 0644 "$file" /etc/mesos-docker-executor/classes.yaml && exec "$@"`

// hostsClasses: what the commands do by the class file of the host, when it is right and when it is wrong.
func hostsClasses(t *testing.T, binary, task string) {
	in := folder(t, map[string]string{
		"right": "version: 1\nclusters: {c: {teams: {web: {major: 0x0010}}, identities: [{match: {roles: [web]}, team: web}]}}\nunknown: default\n",
		"wrong": badClasses,
	})
	const path = "/etc/mesos-docker-executor/classes.yaml"
	for _, tt := range []struct {
		file, args string
		status     int
		want       string
	}{
		{"right", "check", exitOK, path + ": ok (classes, sha256 "},
		{"right", "explain --role web " + task, exitOK, "\nclass: 0x00100001 (tc 10:1), the default class of team web in cluster c (classes.yaml:3): "},
		{"right", "explain " + task, exitFail, "refused: TASK_FAILED, REASON_CONTAINER_LAUNCH_FAILED: class ID: Refused a class ID: no entry of identities matches role \"demo\"; "},
		{"right", "classes show", exitOK, "0x00100001  10:1  c        web   -    default  2\n"},
		{"right", "classes lookup 10:1", exitOK, "default class of team web"},
		{"right", "classes allocate --team web --app x", exitOK, "x: 0x00100100\n"},
		{"wrong", "check", exitFail, path + ":4: clusters.gra1.teams.web.major: "},
		{"wrong", "explain " + task, exitUsage, path + ":4: clusters.gra1.teams.web.major: "},
		{"wrong", "classes show", exitUsage, path + ":4: clusters.gra1.teams.web.major: "},
		// Just then people want to see what runs.
		{"wrong", "classes ps", exitFail, "classes: none: " + path + ":4: clusters.gra1.teams.web.major: "},
		{"wrong", "classes ps --json", exitFail, `"problem": "` + path + ":4: clusters.gra1.teams.web.major: "},
	} {
		args := append([]string{"--mount", "sh", "-c", asHostsClasses, "sh", in(tt.file), binary}, strings.Fields(tt.args)...)
		out, err := exec.CommandContext(t.Context(), "unshare", args...).CombinedOutput()
		if status := exitStatus(t, err); status != tt.status || !strings.Contains(string(out), tt.want) {
			t.Errorf("%s, %s: %d, want %d and %q\n%s", tt.file, tt.args, status, tt.status, tt.want, out)
		}
	}
}
