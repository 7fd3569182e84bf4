package registryauth

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestMain makes this process the parent of the orphans that helpers leave: it sees each of them die, whatever the
// machine's init does (PR_SET_CHILD_SUBREAPER, prctl(2)).
func TestMain(m *testing.M) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		fmt.Fprintln(os.Stderr, "child subreaper:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// checkLeaks fails the test if it ends with more goroutines or descriptors than it began with, or with a child that lives.
func checkLeaks(t *testing.T) {
	t.Helper()
	goroutines, fds := runtime.NumGoroutine(), descriptors(t)
	t.Cleanup(func() {
		if !eventually(func() bool { return runtime.NumGoroutine() <= goroutines && descriptors(t) <= fds }) {
			stacks := make([]byte, 1<<20)
			t.Errorf("%d goroutines and %d descriptors, %d and %d before:\n%s",
				runtime.NumGoroutine(), descriptors(t), goroutines, fds, stacks[:runtime.Stack(stacks, true)])
		}
		// Orphans are ours to reap; that the package reaps its helpers is what awaitReaped is for.
		if !eventually(func() bool {
			_, err := unix.Wait4(-1, nil, unix.WNOHANG, nil)
			return err == unix.ECHILD
		}) {
			t.Error("a helper's child is alive")
		}
	})
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// awaitReaped waits until nothing is left of the helper whose number is in a file.
func awaitReaped(t *testing.T, file string) {
	t.Helper()
	pid := pidIn(t, file)
	if !eventually(func() bool { return unix.Kill(pid, 0) == unix.ESRCH }) {
		t.Errorf("helper %d is still there, or was not reaped", pid)
	}
}

// awaitOrphan waits until a child of a helper is dead, and reaps it, unless a shell that waited for it did so with its last breath.
func awaitOrphan(t *testing.T, file string) {
	t.Helper()
	pid := pidIn(t, file)
	if !eventually(func() bool {
		got, err := unix.Wait4(pid, nil, unix.WNOHANG, nil)
		return err == nil && got == pid || unix.Kill(pid, 0) == unix.ESRCH
	}) {
		t.Errorf("process %d, a helper's child, lives", pid)
	}
}

func pidIn(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// eventually polls a condition for some seconds.
func eventually(condition func() bool) bool {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if condition() {
			return true
		}
	}
	return condition()
}
