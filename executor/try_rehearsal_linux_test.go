package main

import (
	"errors"
	"os"
	"path/filepath"
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
