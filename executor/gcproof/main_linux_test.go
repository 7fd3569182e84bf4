package gcproof

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/enginetest"
)

// The Docker Engine of this package's tests, short of inodes and not of bytes, and the program. Only TestMain sets them.
var (
	private *enginetest.Engine
	binary  string
)

const (
	diskSize   = 64 << 30 // of which nearly nothing is used
	diskInodes = 10_000
	cgroupRoot = "/mesos-docker-executor-test-gcproof" // above the leaves of these tests
	patience   = 2 * time.Minute                       // for every wait: a hang is a failure
)

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(run(context.Background(), m))
}

func run(ctx context.Context, m *testing.M) int {
	dir, err := os.MkdirTemp("", "gcproof-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "mesos-docker-executor")
	build := exec.CommandContext(ctx, "go", "build", "-buildvcs=false", "-o", binary, "mesos-docker-executor/executor")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v: %s\n", err, out)
		return 1
	}
	o := enginetest.Options{DataSize: diskSize, Inodes: diskInodes}
	status := enginetest.RunWith(ctx, m, o, func(e *enginetest.Engine) { private = e })
	if err := removeCgroupRoot(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return max(status, 1)
	}
	return status
}

// removeCgroupRoot removes what executors leave for each other. That they have left something in it is an error.
func removeCgroupRoot() error {
	hierarchies, err := cgroupnet.Hierarchies()
	for _, h := range hierarchies {
		if failed := os.Remove(h.Folder(cgroupRoot)); !errors.Is(failed, os.ErrNotExist) {
			err = errors.Join(err, failed)
		}
	}
	return err
}

// after is for what has to be done when the test's own context has ended.
func after(t *testing.T) context.Context { return context.WithoutCancel(t.Context()) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// await polls a condition that other processes bring about.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}
