package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/hostcheck"
	"mesos-docker-executor/storage"
)

// exampleHost is the host on docs/doctor.md: what its engine says of its storage was recorded, the rest is made up.
func exampleHost(t *testing.T) healthPage {
	t.Helper()
	text, err := os.ReadFile("../storage/testdata/info/recorded/overlay2-ext4.json")
	if err != nil {
		t.Fatal(err)
	}
	var recorded storage.Engine
	if err := json.Unmarshal(text, &recorded); err != nil {
		t.Fatal(err)
	}
	docker := hostcheck.Engine{
		Diagnosis: engine.Diagnosis{Health: engine.Healthy, Host: "unix:///var/run/docker.sock", Dockerd: engine.Process{Name: "dockerd", PID: 812, State: "S"}},
		Calls:     []engine.CallRecord{{Call: "ping", Took: time.Millisecond}, {Call: "info", Took: 22 * time.Millisecond}},
		Info:      engine.Info{ServerVersion: "20.10.24+dfsg1", APIVersion: "1.41", CgroupDriver: "cgroupfs", CgroupVersion: "1", LoggingDriver: "json-file", NGoroutines: 214, ContainersRunning: 14},
		Files:     hostcheck.Files{Open: 187, Limit: 1048576},
	}
	const gib = 1 << 30
	disk := storage.Room{
		Places: []storage.Place{{Path: "/var/lib/docker", Use: storage.DataRoot}, {Path: "/var/lib/docker/overlay2", Use: storage.Layers}},
		Bytes:  storage.Amount{Free: 8 * gib, Total: 98 * gib}, Inodes: storage.Amount{Free: 5_102_388, Total: 6_553_600},
	}
	kernel := hostcheck.Kernel{
		Release: "6.1.0-18-amd64", Root: true, Pidfd: true, Openat2: true, Inotify: hostcheck.Inotify{InUse: 31, Most: 1024},
		Classes:  cgroupnet.Support{Mode: "hybrid", Kernel: true, NetCLS: &cgroupnet.Hierarchy{Dir: "/sys/fs/cgroup/net_cls,net_prio"}},
		ClassIDs: hostcheck.ClassesRequired,
	}
	agent := hostcheck.NewAgent(1204, "mesos-agent", []string{"--containerizers=docker,mesos", "--launcher_dir=/opt/mesos-docker-executor/libexec",
		"--isolation=cgroups/cpu,cgroups/mem", "--work_dir=/var/lib/mesos"}, []string{"PATH=/usr/bin"}, nil)
	agent.Executor = hostcheck.ThisOne
	operator := hostcheck.Operator{Files: []hostcheck.File{
		{Kind: "config", Path: "/etc/mesos-docker-executor/config.yaml", Without: "the defaults hold"},
		{Kind: "policy", Path: "/etc/mesos-docker-executor/policy.yaml", SHA256: "9f3c51d0a7b2" + strings.Repeat("0", 52)},
		{Kind: "classes", Path: "/etc/mesos-docker-executor/classes.yaml", SHA256: "27ab84e01f6d" + strings.Repeat("0", 52)},
	}}
	lines := docker.Lines()
	for _, more := range []hostcheck.Lines{
		hostcheck.Storage{Settings: storage.DefaultSettings(), Engine: recorded, Rooms: []storage.Room{disk}}.Lines(),
		{hostcheck.Record{Folder: "/var/lib/mesos-docker-executor/images", Images: 23}.Line()},
		kernel.Lines(), operator.Lines(),
		hostcheck.Agents{Agents: []hostcheck.Agent{agent}, EngineHost: "unix:///var/run/docker.sock", EngineAPI: "1.41", ClassIDs: hostcheck.ClassesRequired}.Lines(),
		hostcheck.NestedLeaves{Freezer: "/sys/fs/cgroup/freezer", Leaves: []hostcheck.NestedLeaf{{Root: "mesos", Found: true}}}.Lines("cgroupfs"),
		{hostcheck.Claims{Living: 14}.Line()},
	} {
		lines = append(lines, more...)
	}
	page := newHealthPage(lines)
	page.Host = "worker-17"
	return page
}

// TestOutputOnTheDoctorPage: what docs/doctor.md shows is what doctor prints of the example host. To renew it: make docs
func TestOutputOnTheDoctorPage(t *testing.T) {
	var out bytes.Buffer
	exampleHost(t).print(&out, 110, false)
	const page, mark, fence = "../docs/doctor.md", "<!-- the example host -->\n```text\n", "```\n"
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(data), mark)
	shown, after, closed := strings.Cut(rest, fence)
	if !found || !closed {
		t.Fatalf("%s has no example", page)
	}
	if shown == out.String() {
		return
	}
	if !*update {
		t.Fatalf("the page is behind; run `make docs`. doctor prints\n%s", out.String())
	}
	if err := os.WriteFile(page, []byte(before+mark+out.String()+fence+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestPageInAPipeHasALineForEachCheck(t *testing.T) {
	page := exampleHost(t)
	var out bytes.Buffer
	page.print(&out, 0, false)
	remedies, lines := 0, 0
	for line := range strings.Lines(out.String()) {
		switch fields := strings.Fields(line); {
		case strings.Contains(line, "\x1b"):
			t.Errorf("escape sequence in %q", line)
		case len(fields) > 1 && fields[0] == "->":
			remedies++
		case len(fields) > 1 && (fields[0] == "ok" || fields[0] == "warn" || fields[0] == "fail"):
			lines++
		}
	}
	if want := page.Lines.Count(hostcheck.Warn) + page.Lines.Count(hostcheck.Fail); lines != len(page.Lines) || remedies != want {
		t.Errorf("%d lines of %d, %d remedies of %d", lines, len(page.Lines), remedies, want)
	}
}

func TestPageOfATerminal(t *testing.T) {
	page := newHealthPage(hostcheck.Lines{
		{Subject: "engine", Name: "daemon", Status: hostcheck.Fail, Text: strings.Repeat("word ", 20) + "\x1b[2J", Remedy: strings.Repeat("do ", 30)},
		{Subject: "engine", Name: "load", Text: "fine"},
	})
	var out bytes.Buffer
	page.print(&out, 60, true)
	text := out.String()
	if strings.Contains(text, "\x1b[2J") || !strings.Contains(text, "\x1b[1;31mfail\x1b[0m  daemon") || !strings.Contains(text, "not fit for tasks: 1 fail, 0 warn") {
		t.Errorf("%q", text)
	}
	for line := range strings.Lines(text) {
		plain := strings.NewReplacer("\x1b[1;31m", "", "\x1b[32m", "", "\x1b[0m", "").Replace(strings.TrimSuffix(line, "\n"))
		if len(plain) > 60 {
			t.Errorf("%d columns: %q", len(plain), plain)
		}
	}
}

func TestVerdictOfAHealthPage(t *testing.T) {
	ok, warn, fail := hostcheck.Line{}, hostcheck.Line{Status: hostcheck.Warn}, hostcheck.Line{Status: hostcheck.Fail}
	for want, lines := range map[string]hostcheck.Lines{
		"fit for tasks": {ok}, "fit for tasks, 2 warn": {warn, ok, warn}, "not fit for tasks: 1 fail, 1 warn": {fail, warn},
	} {
		if got := newHealthPage(lines).verdict(); got != want {
			t.Errorf("%s, not %s", got, want)
		}
	}
}

func TestDoctorRefusesWhatItDoesNotTake(t *testing.T) {
	for _, args := range [][]string{{"doctor", "now"}, {"doctor", "--config="}, {"doctor", "--policy", ""}, {"doctor", "--what"}} {
		if out, status, complaint := commanded(nil, args...); status != exitUsage || complaint == "" || out != "" {
			t.Errorf("%q: %d %q %q", args, status, complaint, out)
		}
	}
}
