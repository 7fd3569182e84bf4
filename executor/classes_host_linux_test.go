package main

import (
	"os/exec"
	"strings"
	"testing"
)

// asHostsClasses runs a command where a file is the host's classes.yaml, in a mount namespace of its own.
const asHostsClasses = `file=$1; shift; mount -t tmpfs tmpfs /etc && mkdir /etc/mesos-docker-executor &&
	install -m 0644 "$file" /etc/mesos-docker-executor/classes.yaml && exec "$@"`

// withoutClasses runs a command where config.yaml demands a class file, and there is none.
const withoutClasses = `mount -t tmpfs tmpfs /etc && mkdir /etc/mesos-docker-executor &&
	printf 'version: 1\ncgroup: {require_classes: true}\n' >/etc/mesos-docker-executor/config.yaml && exec "$@"`

// demandedClasses: no command says that all is well, or that class IDs are off, where no task would start.
func demandedClasses(t *testing.T, binary, task string) {
	const demands = "does not exist, and cgroup.require_classes of config.yaml demands it; put it there"
	for _, tt := range []struct {
		args   string
		status int
		want   string
	}{
		{"check", exitFail, "/etc/mesos-docker-executor/classes.yaml: " + demands},
		{"check --json", exitFail, `"text": "` + demands},
		{"explain " + task, exitUsage, demands},
		{"classes ps", exitFail, "classes: none: /etc/mesos-docker-executor/classes.yaml: " + demands},
		{"classes ps --classes " + task + "/../../classes.yaml", exitUsage, "cannot be opened"},
	} {
		args := append([]string{"--mount", "sh", "-c", withoutClasses, "sh", binary}, strings.Fields(tt.args)...)
		out, err := exec.CommandContext(t.Context(), "unshare", args...).CombinedOutput()
		if status := exitStatus(t, err); status != tt.status || !strings.Contains(string(out), tt.want) || strings.Contains(string(out), "are off") {
			t.Errorf("%s: %d, want %d and %q\n%s", tt.args, status, tt.status, tt.want, out)
		}
	}
}

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
		{"right", "explain " + task, exitFail, "refused: TASK_FAILED, REASON_CONTAINER_LAUNCH_FAILED: class ID: no entry of identities matches role \"demo\"; "},
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
