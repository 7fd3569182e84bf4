//go:build linux

package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A run that is as short as can be: every part that needs no long wait, and nothing stays behind.
func TestShortRunMeasuresAndLeavesNothing(t *testing.T) {
	others := os.TempDir() // a bench that runs at the same time has its folder there, with the name of its cgroups
	dir := shortFolder(t)
	t.Setenv("TMPDIR", dir)
	binary := filepath.Join(dir, "mesos-docker-executor")
	build := exec.Command("go", "build", "-buildvcs=false", "-o", binary, "mesos-docker-executor/executor")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // on a busy machine it takes more than one
	defer cancel()
	var out, errOut bytes.Buffer
	args := []string{"-binary", binary, "-only", "size,review,launch,frozen,gc,class,registry", "-recording", "../../testdata/recordings/drop-in/events.protobuf.recordio", "-pairs", "4", "-rounds", "1", "-executors", "2", "-network", "NONE", "-json", filepath.Join(dir, "figures.json")}
	if status := run(ctx, args, func(string) string { return "" }, &out, &errOut); status != exitMeasured {
		t.Fatalf("status %d: %s", status, errOut.String())
	}
	var names []string
	for line := range strings.Lines(out.String()) {
		names = append(names, strings.Fields(line)[0])
	}
	if got, want := strings.Join(names, " "), "size review review_allocs launch launch_cpu start exit kill frozen_gone frozen_killed frozen_exit "+
		"gc_launch class registry_load registry_start registry_launch registry_rss"; got != want {
		t.Errorf("figures %s, want %s", got, want)
	}
	if errOut.Len() > 0 {
		t.Errorf("in a pipe it is quiet, but said %q", errOut.String())
	}
	for _, pattern := range []string{filepath.Join(dir, "mesos-docker-executor-bench-*"), filepath.Join(dir, "enginetest-*"),
		"/sys/fs/cgroup/*/mesos-docker-executor-bench-*"} {
		found, _ := filepath.Glob(pattern)
		for _, left := range found {
			if _, err := os.Stat(filepath.Join(others, filepath.Base(left))); err != nil {
				t.Errorf("left behind: %s", left)
			}
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "figures.json")); err != nil {
		t.Error(err)
	}
}

func TestInterruptedRunLeavesNothing(t *testing.T) {
	t.Setenv("TMPDIR", shortFolder(t))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errOut bytes.Buffer
	if status := run(ctx, []string{"-binary", os.Args[0]}, func(string) string { return "" }, &out, &errOut); status != exitFailed {
		t.Errorf("status %d", status)
	}
	if errOut.String() != "bench: interrupted\n" {
		t.Errorf("it said %q", errOut.String())
	}
	if left, _ := os.ReadDir(os.Getenv("TMPDIR")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// shortFolder is a temporary folder in whose subfolders containerd's sockets can be: at most 104 bytes.
func shortFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bench-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
