package process

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// startAs starts the process until it gets the id, which nobody has: the kernel gives out the one after ns_last_pid
// next, but to whoever comes first. ok is false when that was another one, who keeps it.
func startAs(t *testing.T, pid int, prepare func() *exec.Cmd) (cmd *exec.Cmd, ok bool) {
	t.Helper()
	for range 100 {
		if err := os.WriteFile("/proc/sys/kernel/ns_last_pid", []byte(strconv.Itoa(pid-1)), 0); err != nil {
			t.Fatalf("this test needs a kernel with CONFIG_CHECKPOINT_RESTORE: %v", err)
		}
		cmd := prepare()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if cmd.Process.Pid == pid {
			t.Cleanup(func() {
				_ = cmd.Process.Kill()
				_ = cmd.Wait()
			})
			return cmd, true
		}
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
	return nil, false
}

// untilReused tries until the id that a process had could be given to another one of the test's.
func untilReused(t *testing.T, attempt func() (reused bool)) {
	t.Helper()
	for range 10 {
		if attempt() {
			return
		}
	}
	t.Fatal("others took the ids every time")
}

func wantAlive(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	st, err := readStat(cmd.Process.Pid)
	if err != nil || st.dead() {
		t.Fatalf("the new process of the id was hit: %+v, %v", st, err)
	}
}

func sleep() *exec.Cmd { return exec.Command("sleep", "1000") }

func TestIDGivenToAnotherProcessIsNotTheInit(t *testing.T) {
	untilReused(t, func() bool { return initsIDReused(t) })
}

func initsIDReused(t *testing.T) bool {
	f := newLeaf(t)
	c, goOn := f.startHeld("exit 9")
	init := f.watch()
	goOn()
	_ = c.reap()
	other, ok := startAs(t, init.PID, sleep)
	if !ok {
		return false
	}
	if err := init.Signal(unix.SIGKILL); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal: %v", err)
	}
	if status, ok := init.Zombie(); ok {
		t.Errorf("zombie %#x", status)
	}
	if !init.over() {
		t.Error("not over")
	}
	if exit, err := init.Wait(limited(t)); err != nil || exit.Code() != 9 || exit.Source != SourcePidfd {
		t.Errorf("got %+v, %v", exit, err)
	}
	if s, err := init.Shim(testID); !errors.Is(err, ErrNoShim) {
		t.Errorf("got %+v, %v", s, err)
	}
	wantAlive(t, other)
	return true
}

func TestIDGivenToAnotherProcessIsNotTheShim(t *testing.T) {
	untilReused(t, func() bool { return shimsIDReused(t) })
}

func shimsIDReused(t *testing.T) bool {
	f := newLeaf(t)
	bundle := t.TempDir()
	if err := os.WriteFile(filepath.Join(bundle, "address"), []byte("unix:///a"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := f.playShim("containerd-shim-runc-v2", testID, "/nowhere", bundle)
	init := f.watch()
	shim, err := init.Shim(testID)
	if err != nil {
		t.Fatal(err)
	}
	defer shim.Close()
	if err := shim.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.reap()
	other, ok := startAs(t, shim.PID, sleep)
	if !ok {
		return false
	}
	if err := shim.Kill(); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("kill: %v", err)
	}
	if p, ok := shim.Process(); ok {
		t.Errorf("described as %v", p)
	}
	if _, err := shim.Wait(limited(t)); !errors.Is(err, ErrNoShim) {
		t.Errorf("wait: %v", err)
	}
	wantAlive(t, other)
	return true
}

func TestIDGivenToAnotherProcessIsNotKilledWithTheLeaf(t *testing.T) {
	untilReused(t, func() bool { return membersIDReused(t) })
}

func membersIDReused(t *testing.T) bool {
	f := newLeaf(t)
	c := f.start(testID, nil, shell("exit 0", false))
	_ = c.reap()
	other, ok := startAs(t, c.Process.Pid, sleep)
	if !ok {
		return false
	}
	// As if the cgroup had been read before.
	if err := f.signalBatch([]int{other.Process.Pid}, unix.SIGKILL); err != nil {
		t.Error(err)
	}
	if init, err := openInit(other.Process.Pid, f.freezer(testID), isNumberOne); init != nil || err != nil {
		t.Errorf("taken for the init process: %+v, %v", init, err)
	}
	wantAlive(t, other)
	return true
}
