//go:build acceptance

package main

import (
	"bytes"
	"errors"
	"io"
	"net/netip"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

func TestChooseAgent(t *testing.T) {
	own := []netip.Addr{netip.MustParseAddr("10.0.0.5")}
	local := registered{ID: "S0", PID: "slave(1)@127.0.0.1:5051", Active: true}
	host := registered{ID: "S1", PID: "slave(1)@10.0.0.5:5051", Active: true}
	remote := registered{ID: "S2", PID: "slave(1)@10.0.0.6:5051", Active: true}
	gone := registered{ID: "S3", PID: "slave(1)@127.0.0.1:5052"}
	tests := map[string]struct {
		all      []registered
		id       string
		want     string
		complain string
	}{
		"none":             {nil, "", "", "no agent is registered"},
		"loopback":         {[]registered{local}, "", "S0", ""},
		"own address":      {[]registered{remote, host}, "", "S1", ""},
		"by id":            {[]registered{local, host}, "S1", "S1", ""},
		"unknown id":       {[]registered{local}, "S9", "", "no agent with the id S9"},
		"elsewhere":        {[]registered{remote}, "", "", "runs on another machine (10.0.0.6:5051)"},
		"inactive":         {[]registered{gone}, "", "", "is not active"},
		"pid without host": {[]registered{{ID: "S4", PID: "slave(1)", Active: true}}, "", "", "want name@ip:port"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := chooseAgent(test.all, test.id, own)
			if got.ID != test.want {
				t.Errorf("chose %q, want %q", got.ID, test.want)
			}
			if test.complain != "" && (err == nil || !strings.Contains(err.Error(), test.complain)) {
				t.Errorf("error %v, want %q", err, test.complain)
			}
		})
	}
}

func TestCarveKeepsReservationsAndStaysWithinTheOffer(t *testing.T) {
	role := "web"
	resources := offeredResources(role)
	resources[0].Scalar.Value = 0.15
	reserved := resources[0]
	reserved.Scalar, reserved.Role = &mesos.Value_Scalar{Value: 1}, &role
	revocable := resources[1]
	revocable.Revocable = &mesos.Resource_RevocableInfo{}
	offer := mesos.Offer{Resources: append([]mesos.Resource{revocable}, append(resources, reserved)...)}

	s, err := carve(offer, needs{cpus: 0.3, memMB: 96, ports: 2})
	if err != nil {
		t.Fatal(err)
	}
	if len(s.task) != 5 || s.task[0].Scalar.Value != 0.15 || s.task[1].GetRole() != "web" {
		t.Errorf("task resources %v", s.task)
	}
	if len(s.executor) != 2 || s.executor[0].GetRole() != "web" {
		t.Errorf("executor resources %v", s.executor)
	}
	if s.ports[0] != 31000 || s.ports[1] != 31001 {
		t.Errorf("ports %v", s.ports)
	}
	if offer.Resources[1].Scalar.Value != 0.15 || offer.Resources[3].Ranges.Range[0].Begin != 31000 {
		t.Error("the offer itself was changed")
	}
	for _, n := range []needs{{cpus: 3, memMB: 96}, {cpus: 0.3, memMB: 96, ports: 1002}} {
		if _, err := carve(offer, n); err == nil {
			t.Errorf("%+v was carved out of too little", n)
		}
	}
}

func TestBinaryOfMode(t *testing.T) {
	flags := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	tests := map[string]struct {
		m              mode
		a              agent
		path, complain string
	}{
		"drop-in":                   {dropIn, agent{flags: flags("containerizers", "docker,mesos", "launcher_dir", "/opt/mesos")}, "/opt/mesos/mesos-docker-executor", ""},
		"drop-in without docker":    {dropIn, agent{flags: flags("containerizers", "mesos", "launcher_dir", "/opt")}, "", `needs "docker"`},
		"drop-in, flags unknown":    {dropIn, agent{flagsErr: errors.New("403 Forbidden")}, "", "--launcher_dir is unknown: 403"},
		"drop-in, no launcher dir":  {dropIn, agent{flags: flags("containerizers", "docker")}, "", "no launcher_dir"},
		"custom":                    {custom, agent{flags: flags("containerizers", "docker,mesos")}, "/bin/x", ""},
		"custom, flags unknown":     {custom, agent{flagsErr: errors.New("403")}, "/bin/x", ""},
		"custom without mesos":      {custom, agent{flags: flags("containerizers", "docker")}, "", `needs "mesos"`},
		"containerizer's substring": {dropIn, agent{flags: flags("containerizers", "mydocker")}, "", `needs "docker"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path, err := binaryOf(test.m, &test.a, "/bin/x")
			if path != test.path || (err == nil) != (test.complain == "") || err != nil && !strings.Contains(err.Error(), test.complain) {
				t.Errorf("got %q, %v", path, err)
			}
		})
	}
}

func TestStockExecutorIsNotOurs(t *testing.T) {
	if err := checkVersion(dropIn, "/x", "mesos-docker-executor version 1", nil); err != nil {
		t.Error(err)
	}
	for _, test := range []struct {
		said string
		err  error
	}{{"", errors.New("exit status 1")}, {"Usage: something", nil}} {
		if err := checkVersion(dropIn, "/x", test.said, test.err); err == nil || !strings.Contains(err.Error(), "--launcher_dir=") {
			t.Errorf("%q, %v: %v", test.said, test.err, err)
		}
	}
}

func TestOurContainersAreKnownByLabelAndByName(t *testing.T) {
	seen := &transcript{taskID: "t1", updates: []update{{status: mesos.TaskStatus{ContainerStatus: &mesos.ContainerStatus{ContainerID: &mesos.ContainerID{Value: fakeContainerID}}}}}}
	tasks := map[string]*transcript{"t1": seen, "t2": {taskID: "t2"}}
	all := []found{
		{id: "1", name: "mesos-" + fakeContainerID}, {id: "2", name: "x", task: "t2"}, {id: "3", name: "mesos-ffffffff-0000-4000-8000-000000000000"},
		{id: "4", name: "web", task: "t3"}, {id: "5", name: "mesosx-" + fakeContainerID},
	}
	var ids string
	for _, f := range oursAmong(all, tasks) {
		ids += f.id
	}
	if ids != "125" {
		t.Errorf("ours are %s, want 1 2 5", ids)
	}
}

func TestParseContainers(t *testing.T) {
	got := parseContainers("abc\tmesos-1\tUp 2 seconds\tt1\ndef\tother\tExited (0)\t\nnonsense\n")
	if len(got) != 2 || got[0] != (found{id: "abc", name: "mesos-1", state: "Up 2 seconds", task: "t1"}) || got[1].task != "" {
		t.Errorf("got %+v", got)
	}
}

func TestTableShowsDeviationsBelowTheLine(t *testing.T) {
	var out bytes.Buffer
	r := newReport(&out, false)
	r.add(result{Mode: "custom", Check: "kill", Passed: true, Took: 2500 * time.Millisecond, Detail: "STARTING 0.1s"})
	r.add(result{Check: "nothing left behind", Detail: "two\nlines\x1b[31m", Wrong: []string{"mesosx-1"}})
	r.close()
	lines := strings.Split(out.String(), "\n")
	for i, want := range []string{
		"MODE      CHECK                               RESULT  SECONDS  DETAIL",
		"custom    kill                                ok         2.50  STARTING 0.1s",
		"-         nothing left behind                 FAILED     0.00  two lines?[31m",
		"          - mesosx-1",
		"FAILED: 1 of 2 checks in ",
	} {
		if !strings.HasPrefix(lines[i], want) {
			t.Errorf("line %d is %q, want %q", i, lines[i], want)
		}
	}
	if r.passed() || newReport(&out, false).passed() {
		t.Error("a failed check, or none at all, counts as passed")
	}
}

func TestParse(t *testing.T) {
	environment := map[string]string{"MESOS_MASTER": "10.0.0.1:5050"}
	o, err := parse([]string{"--modes", "custom", "--binary", "x"}, func(k string) string { return environment[k] }, io.Discard)
	if err != nil || o.master != "10.0.0.1:5050" || len(o.modes) != 1 || o.modes[0] != custom || !strings.HasPrefix(o.binary, "/") {
		t.Errorf("got %+v, %v", o, err)
	}
	for _, bad := range [][]string{{"--modes", "both"}, {"--modes", ""}, {"word"}, {"--master", "zk://h:2181/mesos"}, {"--limit", "x"}} {
		if _, err := parse(bad, func(string) string { return "" }, io.Discard); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestRemedies(t *testing.T) {
	message := "Failed to launch container: Unable to find 'ContainerConfig' in the inspect output"
	s := mesos.TaskStatus{State: mesos.TASK_FAILED.Enum(), Reason: mesos.REASON_CONTAINER_LAUNCH_FAILED.Enum(), Message: &message}
	if got := remedy(&s); !strings.Contains(got, "DOCKER_API_VERSION=1.44") {
		t.Errorf("remedy %q", got)
	}
	if got := remedy(&mesos.TaskStatus{}); got != "" {
		t.Errorf("remedy for nothing: %q", got)
	}
}
