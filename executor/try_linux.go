package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"

	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/supervise"
)

// settleSweeps is how often an engine is asked for a container whose create was not answered: the second answer settles it.
const settleSweeps = 2

// sweepAfter removes what an executor that was killed has left of a container, as the next executor of this host would. docker is nil
// where no engine answers.
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
		var left []string
		for _, one := range report.Dead {
			left = append(left, one.Left...)
		}
		if len(left) == 0 {
			return nil
		}
		if tries == settleSweeps {
			return fmt.Errorf("left on the host until a later executor can remove it: %s", strings.Join(left, "; "))
		}
	}
}
