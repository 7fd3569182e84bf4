package localagent_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/localagent"
)

// The test binary plays the executor's process when it is started under the
// executor's name: it says what it sees on stdout and waits.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "mesos-docker-executor" {
		fake()
		return
	}
	os.Exit(m.Run())
}

// sight is what the fake executor reports about itself.
type sight struct {
	Args, Env           []string
	Dir, Freezer, Stdin string
	Leader              bool // of a session of its own
	Child               int
}

// fake ends with status 3 at SIGTERM; its child, which ignores SIGHUP, lives on.
func fake() {
	terminate := make(chan os.Signal, 1)
	signal.Notify(terminate, syscall.SIGTERM)
	s := sight{Args: os.Args, Env: os.Environ()}
	s.Dir, _ = os.Getwd()
	s.Stdin, _ = os.Readlink("/proc/self/fd/0")
	cgroups, _ := os.ReadFile("/proc/self/cgroup")
	for line := range strings.Lines(string(cgroups)) {
		if parts := strings.SplitN(strings.TrimSpace(line), ":", 3); parts[1] == "freezer" {
			s.Freezer = parts[2]
		}
	}
	sid, _, _ := syscall.RawSyscall(syscall.SYS_GETSID, 0, 0, 0)
	s.Leader = int(sid) == os.Getpid()
	child := exec.Command("/bin/sleep", "600")
	child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if child.Start() == nil {
		s.Child = child.Process.Pid
	}
	os.Stderr.WriteString("begun\n")
	json.NewEncoder(os.Stdout).Encode(s)
	<-terminate
	os.Exit(3)
}

func fakeExecutor(t *testing.T) string {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// runFake starts the fake executor and reads what it saw.
func runFake(t *testing.T, agent *localagent.Agent) sight {
	t.Helper()
	if err := agent.StartExecutor(); err != nil {
		t.Fatal(err)
	}
	var s sight
	poll(t, "the fake executor's report", func() bool {
		raw, err := os.ReadFile(filepath.Join(agent.Sandbox(), "stdout"))
		return err == nil && json.Unmarshal(raw, &s) == nil
	})
	return s
}

func poll(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !done(); {
		if time.Now().After(end) {
			t.Fatalf("waited 10 s for %s", what)
		}
		<-time.After(5 * time.Millisecond)
	}
}

func alive(pid int) bool {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(raw), ") Z ")
}

func TestExecutorStartsAsItsContainerizerStartsIt(t *testing.T) {
	for _, tt := range []struct {
		mode           localagent.Mode
		freezer, stdin string
	}{{localagent.DropIn, "", "pipe:"}, {localagent.Custom, "/mesos/", "/dev/null"}} {
		t.Run(string(tt.mode), func(t *testing.T) {
			agent, _ := start(t, localagent.Options{Mode: tt.mode, Executable: fakeExecutor(t)})
			seen := runFake(t, agent)
			if seen.Dir != agent.Sandbox() {
				t.Errorf("started in %s, want the sandbox", seen.Dir)
			}
			if !seen.Leader {
				t.Error("not started in a session of its own")
			}
			if !strings.HasPrefix(seen.Stdin, tt.stdin) {
				t.Errorf("stdin is %s, want %s", seen.Stdin, tt.stdin)
			}
			if tt.freezer != "" && seen.Freezer != tt.freezer+agent.IDs().ContainerID {
				t.Errorf("born in freezer cgroup %q", seen.Freezer)
			}
			own, err := os.ReadFile("/proc/self/cgroup")
			if err != nil || strings.Contains(string(own), agent.IDs().ContainerID) {
				t.Errorf("the agent itself is in the executor's cgroup: %s %v", own, err)
			}
			pid, err := os.ReadFile(filepath.Join(strings.Replace(agent.Sandbox(), "/slaves/", "/meta/slaves/", 1), "pids/forked.pid"))
			if err != nil || string(pid) != strconv.Itoa(agent.PID()) {
				t.Errorf("forked.pid holds %q, %v; the pid is %d", pid, err, agent.PID())
			}
			log, err := os.ReadFile(filepath.Join(agent.Sandbox(), "stderr"))
			if err != nil || string(log) != "begun\n" {
				t.Errorf("stderr file holds %q, %v", log, err)
			}
			killLater(t, seen.Child)
		})
	}
}

// killLater ends the fake's child, which a drop-in destroy after the fake's
// own end would not find any more.
func killLater(t *testing.T, pid int) {
	t.Cleanup(func() {
		if p, err := os.FindProcess(pid); err == nil {
			_ = p.Kill()
			p.Release()
		}
	})
}

func TestDestroyEndsTheWholeTreeAndReportsTheTask(t *testing.T) {
	for _, mode := range []localagent.Mode{localagent.DropIn, localagent.Custom} {
		t.Run(string(mode), func(t *testing.T) {
			var stopped []string
			agent, _ := start(t, localagent.Options{
				Mode: mode, Executable: fakeExecutor(t),
				StopContainer: func(_ context.Context, name string) error { stopped = append(stopped, name); return nil },
			})
			seen := runFake(t, agent)
			if err := agent.Destroy(deadline(t, 10*time.Second)); err != nil {
				t.Fatal(err)
			}
			state, err := agent.WaitExit(deadline(t, 10*time.Second))
			if err != nil {
				t.Fatal(err)
			}
			poll(t, "the executor's child to end", func() bool { return !alive(seen.Child) })
			status := agent.Statuses()
			if len(status) != 1 || status[0].GetReason() != mesos.REASON_EXECUTOR_TERMINATED {
				t.Errorf("statuses %v", status)
			}
			if mode == localagent.DropIn {
				if state.ExitCode() != 3 || len(stopped) != 1 || stopped[0] != agent.ContainerName() {
					t.Errorf("exit %v, stopped %q: want SIGTERM, then a stop of %s", state, stopped, agent.ContainerName())
				}
				return
			}
			if ws := state.Sys().(syscall.WaitStatus); !ws.Signaled() || ws.Signal() != syscall.SIGKILL {
				t.Errorf("exit %v, want SIGKILL", state)
			}
			dir := "/sys/fs/cgroup/freezer/mesos/" + agent.IDs().ContainerID
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s is still there: %v", dir, err)
			}
		})
	}
}

func TestCustomRunsContainerDiesWithTheExecutor(t *testing.T) {
	agent, _ := start(t, localagent.Options{Mode: localagent.Custom, Executable: fakeExecutor(t)})
	seen := runFake(t, agent)
	if err := agent.KillExecutor(); err != nil {
		t.Fatal(err)
	}
	poll(t, "the child in the executor's cgroup to end", func() bool { return !alive(seen.Child) })
}

func TestExecutorThatDoesNotSubscribeIsDestroyed(t *testing.T) {
	agent, _ := start(t, localagent.Options{Mode: localagent.DropIn, Executable: fakeExecutor(t), RegistrationTimeout: 100 * time.Millisecond})
	if err := agent.StartExecutor(); err != nil {
		t.Fatal(err)
	}
	if _, err := agent.WaitExit(deadline(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
	status, err := agent.WaitTerminal(deadline(t, time.Second))
	if err != nil || status.GetReason() != mesos.REASON_EXECUTOR_REGISTRATION_TIMEOUT {
		t.Errorf("status %v, %v", status, err)
	}
}

func TestExecutorThatIgnoresShutdownIsDestroyed(t *testing.T) {
	agent, c := start(t, localagent.Options{Mode: localagent.Custom, Executable: fakeExecutor(t), ShutdownGrace: 100 * time.Millisecond})
	if err := agent.StartExecutor(); err != nil {
		t.Fatal(err)
	}
	c.subscribe().expect(first...)
	agent.Shutdown()
	if _, err := agent.WaitExit(deadline(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
}

func TestExecutorMissingAfterARestartIsDestroyed(t *testing.T) {
	agent, c := start(t, localagent.Options{Mode: localagent.Custom, Executable: fakeExecutor(t), ReregistrationTimeout: 100 * time.Millisecond})
	if err := agent.StartExecutor(); err != nil {
		t.Fatal(err)
	}
	c.subscribe().expect(first...)
	if err := agent.Restart(t.Context(), localagent.Restart{}); err != nil {
		t.Fatal(err)
	}
	status, err := agent.WaitTerminal(deadline(t, 5*time.Second))
	if err != nil || status.GetReason() != mesos.REASON_EXECUTOR_REREGISTRATION_TIMEOUT {
		t.Errorf("status %v, %v", status, err)
	}
	if _, err := agent.WaitExit(deadline(t, 10*time.Second)); err != nil {
		t.Fatal(err)
	}
}

func TestCloseLeavesNothingBehind(t *testing.T) {
	for _, mode := range []localagent.Mode{localagent.DropIn, localagent.Custom} {
		agent, err := localagent.Start(t.Context(), localagent.Options{Mode: mode, Task: task(), Executable: fakeExecutor(t)})
		if err != nil {
			t.Fatal(err)
		}
		seen := runFake(t, agent)
		work := strings.SplitAfter(agent.Sandbox(), "/slaves")[0]
		pid := agent.PID()
		if err := agent.Close(); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
		// The executor has ended by now; its child was signalled with it, and ends a moment later.
		if alive(pid) {
			t.Errorf("%s: the executor is left", mode)
		}
		poll(t, "the executor's child to end", func() bool { return !alive(seen.Child) })
		if _, err := os.Stat(filepath.Dir(work)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: the work directory is left: %v", mode, err)
		}
		left, err := filepath.Glob("/sys/fs/cgroup/*/mesos/" + agent.IDs().ContainerID)
		if err != nil || len(left) > 0 {
			t.Errorf("%s: cgroups are left: %v %v", mode, left, err)
		}
		if err := agent.Close(); err != nil {
			t.Errorf("%s: second close: %v", mode, err)
		}
	}
}
