package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// killedTry kills try itself: the executor must end its task without an agent, and the next try tidies up.
func (f tryFixture) killedTry(t *testing.T) {
	for _, mode := range []string{"drop-in", "custom"} {
		cmd := f.command(t, "--json", "--mode", mode, taskFile(t, "trap 'exit 0' TERM; echo begun; while true; do sleep 0.1; done"))
		executor := startAndKill(t, cmd)
		next := func() {
			again := f.command(t, taskFile(t, "true"))
			again.Env = cmd.Env // and so its temporary folder
			if out, err := again.CombinedOutput(); err != nil {
				t.Errorf("%s: the next try: %v\n%s", mode, err, out)
			}
		}
		next()
		left := leftWork(t, cmd)
		if len(left) != 1 {
			t.Fatalf("%s: while the executor lives: %q", mode, left)
		}
		awaitEnd(t, executor)
		next()
		cgroups, err := filepath.Glob("/sys/fs/cgroup/*/mesos/" + filepath.Base(left[0]))
		if err != nil || len(cgroups) > 0 || len(leftWork(t, cmd)) > 0 {
			t.Errorf("%s: left behind: %q, %q, %v", mode, cgroups, leftWork(t, cmd), err)
		}
	}
}

// startAndKill runs try until its task prints "begun", kills it and returns a pidfd of its executor.
func startAndKill(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	executor, begun := 0, false
	for scanner := bufio.NewScanner(out); !begun && scanner.Scan(); {
		var l jsonLine
		if err := json.Unmarshal(scanner.Bytes(), &l); err != nil {
			t.Errorf("line %q: %v", scanner.Text(), err)
		}
		if l.Event != nil && l.Event.Name == "started" {
			_, _ = fmt.Sscanf(l.Event.Text, "pid %d", &executor)
		}
		begun = l.Log != nil && l.Log.Line == "begun"
	}
	if !begun || executor <= 0 {
		t.Fatalf("begun %v, executor %d", begun, executor)
	}
	fd, err := unix.PidfdOpen(executor, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := cmd.Process.Kill(); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // killed
	return fd
}

// awaitEnd waits for a process: its pidfd becomes readable (pidfd_open(2)).
func awaitEnd(t *testing.T, pidfd int) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}, 1000)
		if n == 1 {
			return
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			t.Fatal(err)
		}
	}
	t.Fatal("the executor still lives 30 s after try was killed")
}

// leftWork lists the run directories in the temporary folder of a try.
func leftWork(t *testing.T, cmd *exec.Cmd) []string {
	t.Helper()
	temp := strings.TrimPrefix(cmd.Env[len(cmd.Env)-1], "TMPDIR=")
	left, err := filepath.Glob(filepath.Join(temp, workPrefix+"*", agentFolder, "slaves/*/frameworks/*/executors/*/runs/*"))
	if err != nil {
		t.Fatal(err)
	}
	return left
}
