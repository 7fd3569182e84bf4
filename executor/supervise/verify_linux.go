package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"mesos-docker-executor/executor/process"
	"mesos-docker-executor/executor/task"
)

const (
	// executeLimit is how long after the answer to start the init may need to become the task's program.
	executeLimit = 10 * time.Second
	executePause = 2 * time.Millisecond
)

// verifyAndInspect posts Inspected. What may do too much does not wait for the engine's description.
func (r *runner) verifyAndInspect() {
	made, plan := r.container, r.machine.plan
	r.keepClass(r.ctx, made)
	r.spawn(func() delivery {
		exceeds, misplaced := r.verify(made, plan), r.misplaced(made)
		if len(exceeds) > 0 || misplaced != "" && !plan.ClassPreferred {
			return delivery{msg: Inspected{Exceeds: exceeds, Misplaced: misplaced}}
		}
		found, err := r.Engine.Inspect(r.ctx, made.id)
		if misplaced == "" && err == nil {
			misplaced = r.elsewhere(made, found)
		}
		return delivery{msg: Inspected{Container: found, Err: err, Misplaced: misplaced}}
	})
}

// verify compares what the container's init may do with what was decided, by /proc, without the engine's word. It returns what is
// more, nil when all is well. A container whose init was not found, or is dead already, cannot be asked and does no harm any more
// respectively.
func (r *runner) verify(c *container, plan *task.Plan) []string {
	init := c.init.Load()
	if init == nil {
		r.Log.Warn("what the container may do was not verified: its init process was not found")
		return nil
	}
	rights, err := r.rights(init)
	switch {
	case errors.Is(err, os.ErrProcessDone):
		return nil
	case err != nil:
		return []string{fmt.Sprintf("What the container may do cannot be verified: %v.", err)}
	}
	var options []string
	if info := r.info.Load(); info != nil {
		options = info.SecurityOptions
	}
	return rights.Exceeds(rightsLimit(plan.Spec, plan.Policy.ForbidsRoot(), options))
}

// rights waits until there are any: the engine answers a start a moment before the program is executed.
func (r *runner) rights(init *process.Init) (process.Rights, error) {
	ctx, cancel := context.WithTimeout(r.ctx, executeLimit)
	defer cancel()
	for {
		rights, err := init.Rights()
		if !errors.Is(err, process.ErrNotExecuted) || ctx.Err() != nil {
			return rights, err
		}
		r.pause(ctx, executePause)
	}
}
