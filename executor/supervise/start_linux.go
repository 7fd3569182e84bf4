package supervise

import (
	"context"
	"time"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/process"
)

// watchTail is how long the search for the init goes on after a successful start: the process of a container that is
// still running is in its cgroup before start is answered, so one look would do.
const watchTail = 500 * time.Millisecond

// retryPause is between two attempts to wait for a process for which the system had no resources (EMFILE).
const retryPause = time.Second

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
		err := r.Engine.Start(r.ctx, c.id)
		r.post(delivery{msg: Started{err}})
		switch engine.OutcomeOf(err) {
		case engine.Done:
			r.release(c) // the container has its own copies of the mounts
			r.pause(watch, watchTail)
			stopWatch()
		case engine.Refused:
			stopWatch()
		case engine.Unknown: // the init may still come
		}
	})
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

// watchInit posts InitMissed; or InitSeen, then InitDied, and then InitExited.
func (r *runner) watchInit(ctx context.Context, c *container) {
	init, err := c.leaf.WatchInit(ctx, c.id)
	if err != nil {
		r.post(delivery{msg: InitMissed{err}})
		return
	}
	memory, err := c.leaf.OpenMemory(c.id)
	if err != nil {
		r.Log.Warn("no evidence of out-of-memory kills can be read", "error", err)
	} else {
		defer memory.Close()
	}
	if !r.post(delivery{InitSeen{init.PID}, func() { r.init = init }}) {
		init.Close()
		return
	}
	r.persist("waiting for the death of the container's init", func() error { return init.Dead(r.ctx) })
	// The memory cgroup goes within some milliseconds of the death: it is read before the status, which may be later.
	if r.ctx.Err() != nil || !r.post(delivery{msg: InitDied{r.readOOM(memory)}}) {
		return
	}
	var exit process.Exit
	r.persist("reading the status of the container's init", func() (err error) { exit, err = init.Wait(r.ctx); return err })
	r.post(delivery{msg: InitExited{
		Status: exit.Status,
		Known:  exit.Known,
		Proven: exit.Source == process.SourcePidfd,
		Source: exit.Source,
	}})
}

// persist tries again until it succeeds or Run is over: nobody else would notice the end of the container.
func (r *runner) persist(what string, try func() error) {
	for {
		err := try()
		if err == nil || r.ctx.Err() != nil {
			return
		}
		r.Log.Error(what, "error", err)
		r.pause(r.ctx, retryPause)
	}
}

func (r *runner) readOOM(memory *process.Memory) OOM {
	if memory == nil {
		return OOM{}
	}
	report, err := memory.Read()
	if err != nil {
		r.Log.Warn("the evidence of out-of-memory kills is gone", "error", err)
		return OOM{Lost: true}
	}
	return OOM{Kills: report.OOMKills, Limit: report.Limit, Peak: report.Peak}
}

// copyOutput copies to the end of the container's streams. It is not one of the operations that Run waits for without a
// limit: a reader that does not read blocks it.
func (r *runner) copyOutput(output *engine.Output) {
	r.writers.Go(func() { r.post(delivery{msg: OutputEnded{output.Copy(r.Stdout, r.Stderr)}}) })
}

func (r *runner) awaitExit(exit *engine.Exit) {
	r.spawn(func() delivery {
		code, err := exit.Wait(r.ctx)
		return delivery{msg: WaitEnded{code, err}}
	})
}
