package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mesos-docker-executor/cgroupnet"
)

// leaves makes tasks' cgroups below a root of the test's own.
type leaves struct {
	root        string
	config      string
	support     cgroupnet.Support
	hierarchies []cgroupnet.Hierarchy
}

func newLeaves(t *testing.T) leaves {
	t.Helper()
	support, err := cgroupnet.Probe()
	if err == nil {
		_, err = support.Driver()
	}
	if err != nil {
		t.Fatalf("this test needs net_cls; run scripts/setup: %v", err)
	}
	root := fmt.Sprintf("/classes-ps-%d", os.Getpid())
	hierarchies := []cgroupnet.Hierarchy{*support.NetCLS}
	t.Cleanup(func() {
		if err := os.Remove(support.NetCLS.Folder(root)); err != nil {
			t.Error(err)
		}
	})
	in := folder(t, map[string]string{"config.yaml": "version: 1\ncgroup: {root: " + root + "}\n"})
	return leaves{root, in("config.yaml"), support, hierarchies}
}

// add makes a task's cgroup whose path says a class, gives it another if it is to have one, and starts a process in it.
func (l leaves) add(t *testing.T, id string, said, has uint32, below string) string {
	t.Helper()
	in := cgroupnet.PlaceInput{Root: l.root, ContainerID: id, CgroupDriver: "cgroupfs", Class: said}
	if len(id) == len(explainContainerID) { // as the agent makes it: the task's cgroup is below that of its launcher
		in.Custom, in.SelfFreezer = true, l.root+"/"+id
	}
	placement, err := cgroupnet.Place(in)
	if err == nil {
		err = cgroupnet.Prepare(l.hierarchies, placement)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cgroupnet.Remove(l.hierarchies, placement); err != nil {
			t.Error(err)
		}
	})
	dir := l.support.NetCLS.Folder(placement.Path)
	if has != 0 {
		write(t, filepath.Join(dir, "net_cls.classid"), strconv.FormatUint(uint64(has), 10))
	}
	if below == "" {
		return placement.Path
	}
	sleep := exec.CommandContext(t.Context(), "sleep", "600")
	err = errors.Join(sleep.Start(), os.Mkdir(filepath.Join(dir, below), 0o755))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = sleep.Process.Kill()
		_ = sleep.Wait()
	})
	write(t, filepath.Join(dir, below, "cgroup.procs"), strconv.Itoa(sleep.Process.Pid))
	return placement.Path
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// list runs classes ps and returns what it says of the test's own cgroups.
func (l leaves) list(t *testing.T, args ...string) (rows []classedRow, status int) {
	t.Helper()
	out, status, complaint := commanded(nil, append([]string{"classes", "ps", "--json", "--config", l.config}, args...)...)
	var list classList
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		t.Fatalf("%v %s\n%s", err, complaint, out)
	}
	for _, row := range list.Cgroups {
		if strings.HasPrefix(row.Cgroup, l.root+"/") {
			rows = append(rows, row)
		}
	}
	return rows, status
}

func TestPSListsTasksByTheirClasses(t *testing.T) {
	l := newLeaves(t)
	shop := l.add(t, "shop", 0x00100101, 0x00100101, "docker-id")
	front := l.add(t, "front", 0x00100100, 0x00100100, "")
	plain := l.add(t, "plain", 0, 0, "docker-id")
	lost := l.add(t, "lost", 0x00110100, 0, "docker-id")
	other := l.add(t, "other", 0x00110101, 0x00110100, "docker-id")
	nobody := l.add(t, "nobody", 0x00770101, 0x00770101, "docker-id")

	rows, status := l.list(t, "--classes", twoClusters)
	want := []classedRow{
		{"0x00000000", "0:0", "", "", "", "plain", 1, "sleep", plain, ""},
		{"0x00000000", "0:0", "", "", "", "lost", 1, "sleep", lost, "it has no class, and its path says 0x00110100"},
		{"0x00100100", "10:100", "gra1", "web", "/web/front", "front", 0, "", front, ""},
		{"0x00100101", "10:101", "gra1", "web", "/web/shop", "shop", 1, "sleep", shop, ""},
		{"0x00110100", "11:100", "gra1", "data", "kafka", "other", 1, "sleep", other, "its path says 0x00110101"},
		{"0x00770101", "77:101", "", "", "", "nobody", 1, "sleep", nobody, "not in two-clusters.yaml: given to nobody"},
	}
	if !slices.Equal(rows, want) || status != exitFail {
		t.Errorf("%d\n%+v\nwant\n%+v", status, rows, want)
	}

	// Without a file nobody is known.
	rows, _ = l.list(t)
	for i := range want {
		want[i].Cluster, want[i].Team, want[i].App = "", "", ""
	}
	want[5].Wrong = ""
	if !slices.Equal(rows, want) {
		t.Errorf("%+v\nwant\n%+v", rows, want)
	}
	out, _, _ := commanded(nil, "classes", "ps", "--config", l.config, "--classes", twoClusters)
	for _, line := range []string{"classes: two-clusters.yaml, sha256 ", "  web   /web/shop   shop       1          sleep  " + shop + "\n", "  " + lost + "  wrong: it has no class, "} {
		if !strings.Contains(strings.Join(strings.Fields(out), " "), strings.Join(strings.Fields(line), " ")) {
			t.Errorf("no %q in\n%s", line, out)
		}
	}
}

// A container's own cgroup that has lost its class is below one that has it.
func TestPSFindsProcessesWithoutTheirTasksClass(t *testing.T) {
	l := newLeaves(t)
	shop := l.add(t, "shop", 0x00100101, 0x00100101, "docker-id")
	write(t, filepath.Join(l.support.NetCLS.Folder(shop), "docker-id", "net_cls.classid"), "0")
	rows, status := l.list(t, "--classes", twoClusters)
	want := []classedRow{
		{"0x00000000", "0:0", "", "", "", "shop", 1, "sleep", shop + "/docker-id", "it has no class, and its path says 0x00100101"},
		{"0x00100101", "10:101", "gra1", "web", "/web/shop", "shop", 0, "", shop, ""},
	}
	if !slices.Equal(rows, want) || status != exitFail {
		t.Errorf("%d %+v", status, rows)
	}
}

// In custom mode the agent's launcher has made the cgroup above, and no folder says the class.
func TestPSListsTasksInTheAgentsCgroups(t *testing.T) {
	const shopID, plainID, lostID = "0c0ffee0-0000-4000-8000-000000000001", "0c0ffee0-0000-4000-8000-000000000002", "0c0ffee0-0000-4000-8000-000000000003"
	l := newLeaves(t)
	shop := l.add(t, shopID, 0, 0x00100101, "docker-id")
	plain := l.add(t, plainID, 0, 0, "docker-id")
	lost := l.add(t, lostID, 0, 0, "docker-id")
	write(t, filepath.Join(l.support.NetCLS.Folder(lost), "docker-id", "net_cls.classid"), "1048832")
	want := []classedRow{
		{"0x00000000", "0:0", "", "", "", plainID, 1, "sleep", plain, ""},
		{"0x00000000", "0:0", "", "", "", lostID, 0, "", lost, ""},
		{"0x00100100", "10:100", "gra1", "web", "/web/front", lostID, 1, "sleep", lost + "/docker-id", "the task's cgroup above has another class"},
		{"0x00100101", "10:101", "gra1", "web", "/web/shop", shopID, 1, "sleep", shop, ""},
	}
	if rows, status := l.list(t, "--classes", twoClusters); !slices.Equal(rows, want) || status != exitFail {
		t.Errorf("%d\n%+v\nwant\n%+v", status, rows, want)
	}
}

func TestExamplesInHelpOfPS(t *testing.T) {
	t.Chdir("..")
	help, _, _ := commanded(nil, "classes", "ps", "--help")
	_, examples, _ := strings.Cut(help, "Examples:\n")
	ran := 0
	for line := range strings.Lines(examples) {
		words, isOne := strings.CutPrefix(strings.TrimSpace(line), "mesos-docker-executor ")
		if !isOne {
			break
		}
		ran++
		// What other programs gave a class to is no mistake of the example.
		if out, status, complaint := commanded(nil, strings.Fields(words)...); status == exitUsage || complaint != "" || !strings.Contains(out, "classes") {
			t.Errorf("%s: %d %s\n%s", words, status, complaint, out)
		}
	}
	if ran != 2 {
		t.Errorf("%d examples in\n%s", ran, help)
	}
}
