package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/supervise"
)

// settleSweeps is how often an engine is asked for a container whose create was not answered: the second answer settles it.
const settleSweeps = 2

// rehearsal is the run directory of a try with faults.
func rehearsal(runDir, work string) string {
	return filepath.Join(runDir, "rehearsals", filepath.Base(work))
}

// sweepRehearsals removes what tries with faults have left that were killed. The engine is asked once whether it answers: somebody
// waits.
func (t *trial) sweepRehearsals(ctx context.Context, runDir string) {
	left := oldRehearsals(runDir)
	if len(left) == 0 {
		return
	}
	docker, err := t.openEngine(ctx)
	if docker != nil {
		defer docker.Close()
	}
	for _, dir := range left {
		file := t.file
		file.RunDirectory = dir
		if err == nil {
			err = sweepAfter(ctx, file, docker, "")
		}
		if err == nil {
			err = os.RemoveAll(dir)
		}
		if err != nil {
			say(fmt.Sprintf("try: what an earlier rehearsal left behind stays: %v", err))
			return // the next one's turn
		}
	}
}

// oldRehearsals lists those of which nobody lives, unless there are claims.
func oldRehearsals(runDir string) (old []string) {
	for _, prefix := range []string{workPrefix, keptPrefix} { // what is kept is the work directory
		all, _ := filepath.Glob(filepath.Join(runDir, "rehearsals", prefix+"*")) // the pattern is good
		for _, dir := range all {
			if about, err := os.Lstat(dir); err == nil && about.IsDir() && time.Since(about.ModTime()) >= oldRehearsal {
				old = append(old, dir)
			}
		}
	}
	return old
}

// errLives says that another executor still serves a container.
var errLives = errors.New("an executor of it still lives")

// sweepAfter removes what an executor that was killed has left of a container, or of all ("") in a run directory of its own, as the next
// executor of this host would. docker is nil where no engine answers.
func sweepAfter(ctx context.Context, file config.File, docker *engine.Engine, containerID string) error {
	for tries := 1; ; tries++ {
		report, err := supervise.Sweep(ctx, supervise.SweepOptions{
			RunDir:     file.RunDirectory,
			CgroupRoot: file.Cgroup.Root,
			Log:        slog.New(slog.NewTextHandler(io.Discard, nil)),
			Engine:     docker,
			Only:       containerID,
			Limit:      leftoverLimit,
			Settle:     1, // nothing of this executor's is under way any more
		})
		if err != nil {
			return err
		}
		if containerID == "" && report.Alive > 0 {
			return errLives
		}
		var left []string
		for _, one := range report.Dead {
			left = append(left, one.Left...)
		}
		for _, one := range report.Unclaimed {
			if !one.Removed {
				left = append(left, one.Kind+" "+one.Name+": "+one.Why)
			}
		}
		if len(left) == 0 {
			return nil
		}
		if tries == settleSweeps {
			return fmt.Errorf("left on the host until a later executor can remove it: %s", strings.Join(left, "; "))
		}
	}
}
