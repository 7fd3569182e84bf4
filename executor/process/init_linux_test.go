package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
)

// watch finds the init process in the leaf.
func (f *fixture) watch() *Init {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 20*time.Second)
	defer cancel()
	init, err := f.WatchInit(ctx, testID)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { init.Close() })
	return init
}

func TestWatchInitPicksTheContainersInit(t *testing.T) {
	f := newLeaf(t)
	f.start(testID, nil, shell("exec sleep 1000", false))
	// It makes a PID namespace inside of its own, with one more number 1.
	outer := f.start(testID, nil, shell("unshare --pid --fork sleep 1000 & wait", true))
	f.waitForProcesses(4)
	init := f.watch()
	if init.PID != outer.Process.Pid {
		t.Errorf("picked %d, the init process is %d", init.PID, outer.Process.Pid)
	}
	if st, err := readStat(init.PID); err != nil || init.StartTime != st.startTime || init.StartTime == 0 {
		t.Errorf("start time %d, /proc says %d (%v)", init.StartTime, st.startTime, err)
	}
}

func TestWatchInitWaitsForAProcessThatIsNumberOne(t *testing.T) {
	f := newLeaf(t)
	f.start(testID, nil, shell("exec sleep 1000", false))
	cause := errors.New("start failed")
	ctx, cancel := context.WithCancelCause(t.Context())
	found := make(chan error, 1)
	go func() {
		_, err := f.WatchInit(ctx, testID)
		found <- err
	}()
	cancel(cause)
	if err := <-found; !errors.Is(err, cause) {
		t.Errorf("error %v does not wrap the cause", err)
	}
}

// lateContext has ended, and calls come when somebody asks whether it has.
type lateContext struct {
	context.Context
	come func()
}

func (c lateContext) Done() <-chan struct{} {
	c.come()
	return c.Context.Done()
}

func TestWatchInitLooksOnceMoreAtItsEnd(t *testing.T) {
	f := newLeaf(t)
	f.start(testID, nil, shell("exec sleep 1000", false)) // so that the cgroup is there
	c := f.start("", func(cgroupnet.Hierarchy) bool { return false }, shell("exec sleep 1000", true))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	init, err := f.WatchInit(lateContext{ctx, sync.OnceFunc(func() {
		for _, h := range f.hierarchies {
			if !usable(h) {
				continue
			}
			procs := filepath.Join(h.Folder(path.Join(f.parent, testID)), "cgroup.procs")
			if err := writeFile(procs, strconv.Itoa(c.Process.Pid)); err != nil {
				t.Error(err)
			}
		}
	})}, testID)
	if err != nil {
		t.Fatal(err)
	}
	init.Close()
}

func TestWatchInitFindsTheScopeOfTheSystemdDriver(t *testing.T) {
	f := newLeaf(t)
	c := f.start("docker-"+testID+".scope", nil, shell("exec sleep 1000", true))
	if init := f.watch(); init.PID != c.Process.Pid {
		t.Errorf("picked %d, the init process is %d", init.PID, c.Process.Pid)
	}
}

func TestWatchInitNeedsAFullDockerID(t *testing.T) {
	f := newLeaf(t)
	for _, id := range []string{"", "abc", strings.Repeat("A", 64), strings.Repeat("../", 21) + "a", testID + "0"} {
		if _, err := f.WatchInit(t.Context(), id); err == nil || !strings.Contains(err.Error(), "64 hex digits") {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestOpenInitRefusesAProcessOutsideOfTheCgroup(t *testing.T) {
	f := newLeaf(t)
	// The process id that was read from the cgroup belongs to another process by now.
	elsewhere := f.start("elsewhere", nil, shell("exec sleep 1000", true))
	f.start(testID, nil, shell("exec sleep 1000", false))
	init, err := openInit(elsewhere.Process.Pid, f.freezer(testID), isNumberOne)
	if init != nil || err != nil {
		t.Errorf("got %+v, %v", init, err)
	}
	init, err = openInit(1<<22+1, f.freezer(testID), isNumberOne) // above pid_max
	if init != nil || err != nil {
		t.Errorf("no such process: got %+v, %v", init, err)
	}
}

func TestWaitTellsTheExitStatus(t *testing.T) {
	for _, code := range []int{0, 7, 255} {
		t.Run(strconv.Itoa(code), func(t *testing.T) {
			f := newLeaf(t)
			c, goOn := f.startHeld(fmt.Sprintf("exit %d", code))
			init := f.watch()
			goOn()
			go c.reap()
			exit, err := init.Wait(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !exit.Known || !exit.Status.Exited() || exit.Status.ExitStatus() != code || exit.Source != SourcePidfd {
				t.Errorf("got %+v", exit)
			}
		})
	}
}

// startHeld starts an init process that runs the script when goOn is called.
func (f *fixture) startHeld(script string) (c *child, goOn func()) {
	f.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		f.t.Fatal(err)
	}
	defer r.Close()
	f.t.Cleanup(func() { w.Close() })
	cmd := shell("read go <&3; "+script, true)
	cmd.ExtraFiles = []*os.File{r}
	return f.start(testID, nil, cmd), func() { w.WriteString("\n") }
}

func TestWaitTellsTheSignalThatKilledTheProcess(t *testing.T) {
	f := newLeaf(t)
	c := f.start(testID, nil, shell("exec sleep 1000", true))
	init := f.watch()
	go c.reap()
	if err := init.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	exit, err := init.Wait(t.Context())
	if err != nil || !exit.Known || !exit.Status.Signaled() || exit.Status.Signal() != unix.SIGKILL {
		t.Errorf("got %+v, %v", exit, err)
	}
}

func TestWaitAfterTheEndTellsTheStatusEveryTime(t *testing.T) {
	f := newLeaf(t)
	c, goOn := f.startHeld("exit 7")
	init := f.watch()
	goOn()
	if err := init.Dead(t.Context()); err != nil {
		t.Fatal(err)
	}
	_ = c.reap()
	for range 3 {
		exit, err := init.Wait(t.Context())
		if err != nil || !exit.Known || exit.Status.ExitStatus() != 7 {
			t.Errorf("got %+v, %v", exit, err)
		}
	}
	if err := init.Signal(unix.SIGTERM); !errors.Is(err, os.ErrProcessDone) {
		t.Errorf("signal after the end: %v", err)
	}
}

func TestWaitReadsTheZombieWhenNobodyReapsIt(t *testing.T) {
	t.Parallel() // takes reapLimit
	f := newLeaf(t)
	c, goOn := f.startHeld("exit 9")
	init := f.watch()
	goOn()
	if err := init.Dead(t.Context()); err != nil {
		t.Fatal(err)
	}
	died := time.Now()
	exit, err := init.Wait(t.Context())
	if err != nil || !exit.Known || exit.Status.ExitStatus() != 9 || exit.Source != SourceZombie {
		t.Errorf("got %+v, %v", exit, err)
	}
	if took := time.Since(died); took < reapLimit || took > reapLimit+2*time.Second {
		t.Errorf("told %v after the death", took)
	}
	_ = c.reap()
	exit, err = init.Wait(t.Context())
	if err != nil || exit.Status.ExitStatus() != 9 || exit.Source != SourcePidfd {
		t.Errorf("after the reaping: got %+v, %v", exit, err)
	}
}

func TestZombieOfAnotherProcessIsNotRead(t *testing.T) {
	f := newLeaf(t)
	c, goOn := f.startHeld("exit 9")
	init := f.watch()
	goOn()
	waitFor(t, "the zombie", func() bool { _, ok := init.Zombie(); return ok })
	init.StartTime++ // as if the id had been given to another process
	if st, ok := init.Zombie(); ok {
		t.Errorf("read status %#x", st)
	}
	_ = c.reap()
}

func TestCancelledWaitLeavesNothingBehind(t *testing.T) {
	f := newLeaf(t)
	c := f.start(testID, nil, shell("exec sleep 1000", true))
	init := f.watch()
	goroutines, fds := runtime.NumGoroutine(), openFiles(t)
	cause := errors.New("enough")
	for range 50 {
		ctx, cancel := context.WithCancelCause(t.Context())
		waited := make(chan error)
		go func() {
			_, err := init.Wait(ctx)
			waited <- err
		}()
		cancel(cause)
		if err := <-waited; !errors.Is(err, cause) {
			t.Fatalf("error %v does not wrap the cause", err)
		}
	}
	waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	if now := openFiles(t); now > fds {
		t.Errorf("%d open files, %d before", now, fds)
	}
	go c.reap()
	if err := init.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if exit, err := init.Wait(t.Context()); err != nil || !exit.Known {
		t.Errorf("wait after cancelled ones: %+v, %v", exit, err)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

func TestManyWaitForOneProcess(t *testing.T) {
	f := newLeaf(t)
	c := f.start(testID, nil, shell("exec sleep 1000", true))
	init := f.watch()
	fds := openFiles(t)
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if exit, err := init.Wait(t.Context()); err != nil || exit.Status.Signal() != unix.SIGKILL {
				t.Errorf("got %+v, %v", exit, err)
			}
		})
	}
	waitFor(t, "all to wait", func() bool { return openFiles(t) >= fds+10 })
	if err := init.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = init.Close() // does not disturb a Wait that goes on; a later one fails
	_ = c.reap()
	group.Wait()
	if _, err := init.Wait(t.Context()); !errors.Is(err, os.ErrClosed) {
		t.Errorf("wait after close: %v", err)
	}
	if err := init.Signal(unix.SIGKILL); !errors.Is(err, os.ErrClosed) {
		t.Errorf("signal after close: %v", err)
	}
}

func TestExecFromAnotherThreadIsNotTheEnd(t *testing.T) {
	f := newLeaf(t)
	cmd := actor(t, "exec from another thread")
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	c := f.start(testID, nil, cmd)
	init := f.watch()
	go c.reap()
	exit, err := init.Wait(t.Context())
	if err != nil || !exit.Known || exit.Status.ExitStatus() != 7 {
		t.Errorf("got %+v, %v", exit, err)
	}
}

func TestFirstThreadEndsBeforeTheOthers(t *testing.T) {
	f := newLeaf(t)
	cmd := actor(t, "first thread ends before the others")
	c := f.start(testID, nil, cmd)
	fd, err := unix.PidfdOpen(c.Process.Pid, unix.O_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	st, err := readStat(c.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	init := &Init{PID: c.Process.Pid, StartTime: st.startTime, pidfd: os.NewFile(uintptr(fd), "pidfd")}
	defer init.Close()
	go c.reap()
	exit, err := init.Wait(t.Context())
	if err != nil || !exit.Known || exit.Status.ExitStatus() != 3 {
		t.Errorf("got %+v, %v; the first thread ended with 0, the process with 3", exit, err)
	}
}

// Not parallel: no other test can open a file meanwhile.
func TestWaitOutlastsALackOfDescriptors(t *testing.T) {
	f := newLeaf(t)
	c, goOn := f.startHeld("exit 9")
	init := f.watch()
	var old unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &old); err != nil {
		t.Fatal(err)
	}
	allow := func(limit uint64) {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: limit, Max: old.Max}); err != nil {
			t.Error(err)
		}
	}
	allow(1) // 0 is in use
	defer allow(old.Cur)
	cause := errors.New("enough")
	ctx, cancel := context.WithTimeoutCause(t.Context(), 200*time.Millisecond, cause)
	defer cancel()
	if err := init.Dead(ctx); !errors.Is(err, cause) {
		t.Errorf("got %v", err)
	}
	goOn()
	waited := make(chan error, 1)
	go func() { waited <- init.Dead(t.Context()) }()
	select {
	case err := <-waited:
		t.Fatalf("ended without a descriptor: %v", err)
	case <-time.After(2 * descriptorPause):
	}
	allow(old.Cur)
	if err := <-waited; err != nil {
		t.Error(err)
	}
	_ = c.reap()
}
