package storage

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// ownMounts says that this process has its own mount namespace.
const ownMounts = "STORAGE_TEST_OWN_MOUNTS"

// TestMain runs the tests in a mount namespace of their own, so that what they mount is never the host's and
// is gone with them.
func TestMain(m *testing.M) {
	if os.Getenv(ownMounts) != "" {
		os.Exit(m.Run())
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), ownMounts+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &unix.SysProcAttr{Unshareflags: unix.CLONE_NEWNS, Pdeathsig: unix.SIGKILL}
	runtime.LockOSThread() // the child dies with the thread that started it (PR_SET_PDEATHSIG, prctl(2))
	err := cmd.Run()
	var failed *exec.ExitError
	if err != nil && !errors.As(err, &failed) {
		fmt.Fprintf(os.Stderr, "these tests need root, for a mount namespace: %v\n", err)
		os.Exit(1)
	}
	os.Exit(cmd.ProcessState.ExitCode())
}
