package main

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/config"
)

// What is mounted in a run directory belongs to a sandbox: a removal would go on in there.
func TestSandboxMountedInAnOldRehearsalIsNotEmptied(t *testing.T) {
	runDir, sandbox := t.TempDir(), t.TempDir()
	precious := filepath.Join(sandbox, "precious")
	dir := filepath.Join(runDir, "rehearsals", workPrefix+"x")
	stage := filepath.Join(dir, "mounts", "x.1")
	if err := os.MkdirAll(stage, 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 { // twice: the first sweep does not get all of it away
		if err := unix.Mount(sandbox, stage, "", unix.MS_BIND, ""); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(stage, unix.MNT_DETACH) })
	}
	old := time.Now().Add(-time.Hour)
	if err := errors.Join(os.WriteFile(precious, nil, 0o600), os.Chtimes(dir, old, old)); err != nil {
		t.Fatal(err)
	}
	rehearsed := trial{file: config.Default()}
	rehearsed.file.Engine.Host = "unix://" + runDir + "/no.sock"
	rehearsed.sweepRehearsals(t.Context(), runDir)
	if _, err := os.Stat(precious); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the rehearsal is still there: %v", err)
	}
}

func TestOldRehearsalsAskASickEngineOnceAndAllGoLater(t *testing.T) {
	runDir := t.TempDir()
	left := []string{workPrefix + "x", workPrefix + "y", keptPrefix + "z"}
	old := time.Now().Add(-time.Hour)
	for _, name := range append(left, workPrefix+"young") {
		dir := filepath.Join(runDir, "rehearsals", name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if slices.Contains(left, name) {
			if err := os.Chtimes(dir, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	there := func() (names []string) {
		entries, err := os.ReadDir(filepath.Join(runDir, "rehearsals"))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names
	}
	socket := filepath.Join(runDir, "frozen.sock")
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int32
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			asked.Add(1)
			defer c.Close()
		}
	}()
	rehearsed := trial{file: config.Default()}
	rehearsed.file.Engine.Host = "unix://" + socket
	rehearsed.file.Engine.Limits.Ping = 100 * time.Millisecond
	rehearsed.sweepRehearsals(t.Context(), runDir)
	if n := asked.Load(); n != 1 || len(there()) != len(left)+1 {
		t.Errorf("asked %d times, there is %q", n, there())
	}
	listener.Close()
	rehearsed.sweepRehearsals(t.Context(), runDir)
	if got := there(); !slices.Equal(got, []string{workPrefix + "young"}) {
		t.Errorf("there is %q", got)
	}
}
