package supervise

import (
	"context"
	"errors"
	"os"
	"time"

	"mesos-docker-executor/executor/process"
)

// retryPause is between two attempts to wait for a process for which the system had no resources (EMFILE).
const retryPause = time.Second

// shimLimit is how long a shim may take to answer about a container that is dead. It knows the status as soon as it has
// reaped the init; one that is stopped answers when it goes on.
const shimLimit = 30 * time.Second

// watchInit posts InitMissed; or InitSeen, then InitDied, and then InitExited and ShimTold.
func (r *runner) watchInit(ctx context.Context, c *container) {
	watch := c.leaf.WatchInit
	if c.hostPID {
		watch = c.leaf.WatchHostInit
	}
	init, err := watch(ctx, c.id)
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
	c.init.Store(init)
	if !r.post(delivery{msg: InitSeen{PID: init.PID, Misplaced: r.initMisplaced(c, init)}}) {
		return
	}
	r.persist("waiting for the death of the container's init", func() error { return init.Dead(r.ctx) })
	// The memory cgroup goes within some milliseconds of the death: it is read before the status, which may be later.
	died := InitDied{At: time.Now(), OOM: r.readOOM(memory), ShimGone: c.shimGone()}
	r.takeLease() // a start without an answer may have been sent again, and the first of two would run the program a second time
	died.EngineDown, died.EngineGone = r.Engine.Standstill()
	if r.ctx.Err() != nil || !r.post(delivery{msg: died}) {
		return
	}
	r.ops.Go(func() { r.askShim(c, shimLimit) })
	r.tellStatus(c, init)
}

// statusWaits is how often the kernel is waited for: the second time, a wedged shim has been killed and another process reaps.
const statusWaits = 2

// tellStatus posts InitExited as soon as the kernel tells what settles the matter. While a stopped shim does not reap, that is the
// zombie's status, unless it is 0.
func (r *runner) tellStatus(c *container, init *process.Init) {
	if shim := c.shim.Load(); shim != nil && shim.Stopped() {
		if status, ok := init.Zombie(); ok && status != 0 {
			r.post(delivery{msg: InitExited{Status: status, Known: true, Source: process.SourceZombie}})
			return
		}
	}
	var exit process.Exit
	for range statusWaits {
		r.persist("reading the status of the container's init", func() (err error) { exit, err = init.Wait(r.ctx); return err })
		if exit.Source == process.SourcePidfd || !process.StatusByPidfd() {
			break
		}
	}
	r.post(delivery{msg: InitExited{
		Status: exit.Status,
		Known:  exit.Known,
		Proven: exit.Source == process.SourcePidfd,
		Source: exit.Source,
	}})
}

// findShim takes hold of the shim once the container runs. Where the kernel does not tell the status, the shim is asked
// from now on: it forgets a container soon after its end.
func (r *runner) findShim(c *container) {
	init := c.init.Load()
	if init == nil {
		return
	}
	shim, err := init.Shim(c.id)
	if err != nil {
		r.Log.Warn("the container's shim was not found", "error", err)
		return
	}
	c.shim.Store(shim)
	if !process.StatusByPidfd() {
		r.ops.Go(func() { r.askShim(c, forever) })
	}
}

// askShim posts ShimTold, once.
func (r *runner) askShim(c *container, limit time.Duration) {
	if c.asked.Swap(true) {
		return
	}
	ctx, cancel := context.WithTimeout(r.ctx, limit)
	defer cancel()
	shim := c.shim.Load()
	if shim == nil {
		r.post(delivery{msg: ShimTold{Err: process.ErrNoShim}})
		return
	}
	exit, err := shim.Wait(ctx)
	r.post(delivery{msg: ShimTold{Code: exit.Code(), Err: err}})
}

// shimGone reports whether a shim that was there has died.
func (c *container) shimGone() bool {
	shim := c.shim.Load()
	if shim == nil {
		return false
	}
	_, alive := shim.Process()
	return !alive
}

func (r *runner) killShim() {
	shim := r.container.shim.Load()
	if shim == nil {
		return
	}
	if p, ok := shim.Process(); ok {
		r.Log.Warn("the shim does not reap the container's dead init and is killed", "shim", p.String())
	}
	if err := shim.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		r.Log.Error("the shim could not be killed", "error", err)
	}
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
