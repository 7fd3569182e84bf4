package localagent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// ErrExecutorLives is what Sweep leaves a work directory alone for.
var ErrExecutorLives = errors.New("an executor still runs in the work directory")

// Sweep removes what an Agent whose process was killed has left outside its
// work directory: the cgroups of its run. The directory itself, and any
// container that the executor did not remove, are left to the caller. With
// [ErrExecutorLives] nothing was done: the executor ends by itself after
// Options.RecoveryTimeout.
func Sweep(ctx context.Context, workDir string) error {
	workDir, err := filepath.EvalSymlinks(workDir)
	if errors.Is(err, os.ErrNotExist) {
		return nil // it did not get far
	}
	if err != nil {
		return err
	}
	runs, err := filepath.Glob(filepath.Join(workDir, "slaves/*/frameworks/*/executors/*/runs/*"))
	if err != nil {
		return err
	}
	for _, run := range runs {
		relative, err := filepath.Rel(workDir, run)
		if err != nil {
			return err
		}
		if livesIn(filepath.Join(workDir, "meta", relative, "pids/forked.pid"), run) {
			return fmt.Errorf("%w: %s", ErrExecutorLives, workDir)
		}
		left := &Agent{opts: Options{Mode: Custom}, ids: IDs{ContainerID: filepath.Base(run)}, life: ctx}
		if err := left.removeCgroups(); err != nil {
			return err
		}
	}
	return nil
}

// livesIn tells whether the process that was forked is still itself: an
// executor's working directory is its sandbox.
func livesIn(pidFile, sandbox string) bool {
	raw, err := os.ReadFile(pidFile)
	if err != nil {
		return false
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(raw)))
	if err != nil || pid <= 0 {
		return false
	}
	directory, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	return err == nil && directory == sandbox
}
