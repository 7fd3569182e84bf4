//go:build linux

package enginetest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const folderPrefix = "enginetest-"

func (e *Engine) lockFile() string { return filepath.Join(e.Dir, "owner.lock") }

// own marks the folder as in use for as long as this process lives: a lock of flock(2) goes with it. The
// file gets its name only when it is locked, so that nobody finds it free too early.
func (e *Engine) own() error {
	lock, err := os.CreateTemp(e.Dir, "owner-")
	if err != nil {
		return fmt.Errorf("mark the engine's folder: %w", err)
	}
	e.lock = lock
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	return os.Rename(lock.Name(), e.lockFile())
}

// sweepAbandoned deletes what engines left whose process died without Stop, for instance in a test that ran
// into its time limit. An engine whose daemon is still on its way down is left to the next start; it is helped on if a test had
// frozen it.
func sweepAbandoned() error {
	folders, err := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range folders {
		e := newEngine(dir)
		lock, err := os.Open(e.lockFile())
		if err != nil {
			continue // just being made, or just being deleted
		}
		free := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
		switch {
		case free && e.daemonRuns():
			e.thawAll()
		case free:
			errs = append(errs, e.sweep())
		}
		errs = append(errs, lock.Close())
	}
	return errors.Join(errs...)
}

// daemonRuns finds a dockerd of this engine that another process started.
func (e *Engine) daemonRuns() bool {
	return slices.ContainsFunc(processes(), e.isDaemon)
}

func (e *Engine) isDaemon(pid int) bool {
	return strings.Contains(commandLine(pid), "--pidfile="+e.pidFile())
}
