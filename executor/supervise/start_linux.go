package supervise

import (
	"context"
	"fmt"
	"time"

	"mesos-docker-executor/executor/engine"
)

// watchTail is how long the search for the init goes on after a successful start: the process of a container that is
// still running is in its cgroup before start is answered, so one look would do.
const watchTail = 500 * time.Millisecond

// startContainer starts the container and, meanwhile, looks for its init: after start has returned, a short-lived process
// is gone.
func (r *runner) startContainer() {
	c := r.container
	watch, stopWatch := context.WithCancel(r.ctx)
	r.ops.Go(func() {
		defer stopWatch()
		r.watchInit(watch, c)
	})
	r.ops.Go(func() {
		err := r.startOrAdopt(c)
		c.leave()
		r.post(delivery{msg: Started{err}})
		switch engine.OutcomeOf(err) {
		case engine.Done:
			r.findShim(c)
			r.release(c) // the container has its own copies of the mounts
			r.pause(watch, watchTail)
			stopWatch()
		case engine.Refused:
			stopWatch()
		case engine.Unknown: // the init may still come
		}
	})
}

// startOrAdopt starts the container. A start without an answer may have happened, or may happen yet: its effect is looked
// for, first without the engine, and what runs is ours. Only what is known not to run is started again.
//
// An init that is dead by then was the program, or `runc init` that never became it, for instance because containerd died: the engine
// tells which. If it doesn't, the end of what may have been the program says more than the error.
//
// What the engine says of such a failed start does not make it a refused one: a `runc init` may still be there.
func (r *runner) startOrAdopt(c *container) error {
	err := r.reach(func() error { return r.Engine.Start(r.ctx, c.id) })
	c.started.Store(err == nil)
	if engine.OutcomeOf(err) != engine.Unknown {
		return explainCapability(err)
	}
	r.Gate.Failed(err)
	r.Log.Warn("looking for the effect of docker start", "error", err)
	for looks := 1; ; looks++ {
		if c.program() {
			return nil
		}
		fit := r.awaitFit(r.launch)
		if c.program() || fit != nil && c.ended() {
			return nil
		}
		if fit != nil {
			return fmt.Errorf("%w; %w", err, fit)
		}
		found, lost := r.Engine.Inspect(r.launch, c.id)
		switch {
		case lost != nil && c.ended():
			return nil
		case lost != nil && looks < startLooks && r.launch.Err() == nil && engine.OutcomeOf(lost) == engine.Unknown:
			continue // the late start may be what keeps inspect waiting: both need the container's lock
		case lost != nil && r.launch.Err() != nil:
			return err // nobody wants to know any more
		case lost != nil:
			return fmt.Errorf("%w; %s", err, r.Engine.Diagnose(r.launch, c.id))
		case found.Running || !found.StartedAt.IsZero():
			return nil
		case found.Error != "":
			return fmt.Errorf("%w; %s", err, found.Error)
		case c.ended():
			return fmt.Errorf("%w; runc ended before it became the task's program", err)
		}
		return explainCapability(r.Engine.Start(r.launch, c.id))
	}
}

// startLooks is how often an engine that is well by its own account is asked for the effect of a start without an answer.
const startLooks = 3

// program reports whether the container's own program is at work, no longer `runc init`.
func (c *container) program() bool {
	init := c.init.Load()
	return init != nil && init.Executed() && !init.Ended()
}

// ended reports whether the container's init was held and is dead.
func (c *container) ended() bool {
	init := c.init.Load()
	return init != nil && init.Ended()
}

func (r *runner) release(c *container) {
	if c.stage == nil {
		return
	}
	if err := c.stage.Release(); err != nil {
		r.Log.Error("staged volumes stay mounted below the run directory", "error", err)
	}
}

func (r *runner) pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// copyOutput copies to the end of the container's streams. It is not one of the operations that Run waits for without a
// limit: a reader that does not read blocks it.
func (r *runner) copyOutput(c *container, resumed bool) {
	output, copied := c.output, make(chan struct{})
	c.copied = copied
	r.writers.Go(func() {
		err := output.Copy(r.Stdout, r.Stderr)
		if resumed && err == nil {
			r.copyRest(c, output)
		}
		r.post(delivery{msg: OutputEnded{err}})
		close(copied)
	})
}

// copyRest copies what the daemon's log has beyond the end of a resumed output: dockerd 20.10 ends a followed log up to 16 KiB too early
// when the container ends in full flow. Each look begins where the one before ended, so the last one brings nothing.
func (r *runner) copyRest(c *container, output *engine.Output) {
	for range restLooks {
		rest, _, err := r.Engine.Resume(r.ctx, c.id, output)
		if err != nil {
			return
		}
		cut := context.AfterFunc(r.ctx, func() { rest.Close() })
		stdout, stderr := output.Delivered()
		err = rest.Copy(r.Stdout, r.Stderr)
		cut()
		if moreOut, moreErr := rest.Delivered(); err != nil || moreOut == stdout && moreErr == stderr {
			return
		}
		output = rest
	}
}

// restLooks bounds the looks for the rest of an output.
const restLooks = 5

func (r *runner) awaitExit(exit *engine.Exit, again bool) {
	r.spawn(func() delivery {
		code, err := exit.Wait(r.ctx)
		return delivery{msg: WaitEnded{Code: code, Err: err, Again: again}}
	})
}
