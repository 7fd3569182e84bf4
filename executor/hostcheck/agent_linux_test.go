package hostcheck

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// processFolder makes what /proc shows of a process.
func processFolder(t *testing.T, proc, pid, name string, files map[string]string) string {
	t.Helper()
	folder := filepath.Join(proc, pid)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for file, text := range files {
		if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for file, text := range map[string]string{"comm": name + "\n", "status": "Name:\t" + name + "\nUid:\t0\t0\t0\t0\n"} {
		if _, given := files[file]; given {
			continue
		}
		if err := os.WriteFile(filepath.Join(folder, file), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func TestAgentsAreFoundByName(t *testing.T) {
	proc := t.TempDir()
	processFolder(t, proc, "7", "mesos-master", map[string]string{"cmdline": "mesos-master\x00--work_dir=/x\x00", "environ": ""})
	processFolder(t, proc, "8", "mesos-slave", map[string]string{"cmdline": "/usr/sbin/mesos-slave\x00--containerizers=docker\x00", "environ": "MESOS_WORK_DIR=/var/lib/mesos\x00"})
	processFolder(t, proc, "9", "lt-mesos-agent", map[string]string{"cmdline": "mesos-agent\x00--launcher_dir=/opt/x\x00"})
	processFolder(t, proc, "10", "mesos-agent", map[string]string{"cmdline": "", "environ": ""}) // it has ended
	processFolder(t, proc, "11", "mesos-agent", map[string]string{"cmdline": "mesos-agent\x00--work_dir=file:///etc/shadow\x00", "environ": "", "status": "Uid:\t0\t1000\t1000\t1000\n"})
	found := lookAtAgents(proc)
	if found.Err != nil || len(found.Agents) != 3 {
		t.Fatalf("%+v", found)
	}
	if other := found.Agents[0]; other.PID != 11 || other.User != 1000 || other.WorkDir() != "" || other.Custom() {
		t.Errorf("another user's: %+v", other)
	}
	slave, agent := found.Agents[1], found.Agents[2]
	if slave.PID != 8 || slave.Name != "mesos-slave" || slave.WorkDir() != "/var/lib/mesos" || !slave.DropIn() || slave.Custom() || slave.NoEnvironment {
		t.Errorf("%+v", slave)
	}
	if agent.PID != 9 || agent.Name != "mesos-agent" || agent.LauncherDir() != "/opt/x" || !agent.NoEnvironment {
		t.Errorf("%+v", agent)
	}
	if none := lookAtAgents(filepath.Join(proc, "none")); none.Err == nil {
		t.Error("no /proc is no error")
	}
}

func TestExecutorInTheAgentsFolder(t *testing.T) {
	root := t.TempDir()
	const dir = "/libexec"
	if got := installed(root, dir); got != Absent {
		t.Errorf("nothing there: %d", got)
	}
	if got := installed(root, ""); got != NotLooked {
		t.Errorf("no folder: %d", got)
	}
	path := filepath.Join(root, dir, ExecutorName)
	if err := os.Mkdir(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	ours, err := os.Open("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	program, err := io.ReadAll(ours)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		text []byte
		want Installed
	}{
		{"a copy", program, ThisOne},
		{"of another size", []byte("#!/bin/sh\n"), Another},
		{"of the same size", append(append([]byte{}, program[:len(program)-1]...), program[len(program)-1]+1), Another},
	} {
		if err := os.WriteFile(path, c.text, 0o755); err != nil {
			t.Fatal(err)
		}
		if got := installed(root, dir); got != c.want {
			t.Errorf("%s: %d", c.name, got)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/proc/self/exe", path); err != nil {
		t.Fatal(err)
	}
	if got := installed(root, dir); got != ThisOne {
		t.Errorf("a link to it: %d", got)
	}
}

func TestNestedLeafIsFoundWhereTheAgentsCgroupIs(t *testing.T) {
	agents := func(words ...string) Agents {
		return Agents{Agents: []Agent{NewAgent(1, "mesos-agent", words, nil, noFile), NewAgent(2, "mesos-agent", append(words, "--cgroups_root=/"), nil, noFile)}}
	}
	if n := lookAtNestedLeaves(agents("--containerizers=docker")); n.Freezer != "" || len(n.Leaves) != 0 {
		t.Errorf("nobody asks: %+v", n)
	}
	n := lookAtNestedLeaves(agents("--cgroups_root=no-such-cgroup-" + strings.Repeat("x", 8)))
	if n.Err != nil || n.Freezer == "" || len(n.Leaves) != 2 || n.Leaves[0].Found || !n.Leaves[1].Found {
		t.Errorf("%+v", n)
	}
}

func TestFilesWithFlagsAreReadAsTheAgentSeesThem(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "isolation"), []byte("cgroups/cpu\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "long"), make([]byte, longestFlag+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/hostname", filepath.Join(root, "outside")); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(root, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, err := readBelow(root, "/isolation"); err != nil || text != "cgroups/cpu\n" {
		t.Errorf("%q, %v", text, err)
	}
	for _, path := range []string{"isolation", "/long", "/outside", "/fifo", "/none", "/../etc/hostname", "/"} {
		if text, err := readBelow(root, path); err == nil {
			t.Errorf("%s: %q", path, text)
		}
	}
}

func TestAgentThatRunsIsFoundByItsFlags(t *testing.T) {
	name := filepath.Join(t.TempDir(), "mesos-agent")
	if err := os.Symlink("/bin/sh", name); err != nil { // the kernel names a process after the file that was executed
		t.Fatal(err)
	}
	// Whatever else looks at this host meanwhile finds nothing against these flags.
	cmd := exec.CommandContext(t.Context(), name, "-c", "echo; read line", "mesos-agent", "--containerizers=mesos", "--executor_registration_timeout=7mins")
	cmd.Env = []string{"MESOS_WORK_DIR=/srv/mesos", "SECRET=hunter2"}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		_ = cmd.Wait() // read fails at the end of its input, which is its status
	}()
	if _, err := out.Read(make([]byte, 1)); err != nil { // it runs
		t.Fatal(err)
	}
	found := lookAtAgents("/proc")
	at := slices.IndexFunc(found.Agents, func(a Agent) bool { return a.PID == cmd.Process.Pid })
	if at < 0 {
		t.Fatalf("%+v", found)
	}
	if a := found.Agents[at]; a.Name != "mesos-agent" || !a.Custom() || a.DropIn() || a.WorkDir() != "/srv/mesos" || a.flags.get("executor_registration_timeout") != "7mins" {
		t.Errorf("%+v", a)
	}
}
