package supervise

import (
	"cmp"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/process"
)

func (r *runner) revokeLease() {
	r.abandon()
	r.takeLease()
}

// takeLease takes the lease away, which is made before any operation that may call this, and may be taken twice.
func (r *runner) takeLease() {
	if r.lease == nil {
		return
	}
	if err := r.lease.Revoke(); err != nil {
		r.Log.Error("the lease could not be revoked", "lease", r.lease.Path, "error", err)
	}
}

func (r *runner) signalInit(sig unix.Signal) {
	init := r.container.init.Load()
	if init == nil {
		return
	}
	if err := init.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		r.Log.Error("the container's init could not be signalled", "pid", init.PID, "signal", process.SignalName(sig), "error", err)
	}
}

func (r *runner) stopInit() {
	if r.stopped || !r.container.program() {
		return
	}
	r.stopped = true
	r.signalInit(r.stopSignal())
}

// stopSignal is the task's, else the image's, SIGTERM without one or when it cannot be read.
func (r *runner) stopSignal() unix.Signal {
	for _, name := range []string{r.taskStopSignal, r.image.StopSignal} {
		if sig, ok := process.SignalNumber(name); ok {
			return sig
		}
	}
	return unix.SIGTERM
}

func (r *runner) signalByEngine(signal string) {
	if signal == "" {
		signal = process.SignalName(r.stopSignal())
	}
	id := r.container.id
	r.ops.Go(func() {
		if err := r.Engine.Signal(r.ctx, id, signal); err != nil {
			r.Log.Warn("docker kill", "signal", signal, "error", err)
		}
	})
}

func (r *runner) killLeaf() {
	leaf := r.container.leaf
	r.spawn(func() delivery {
		err := leaf.Kill()
		alive, listErr := leaf.Processes()
		return delivery{msg: LeafKilled{Alive: alive, Err: cmp.Or(err, listErr)}}
	})
}

func (r *runner) listLeaf() {
	leaf := r.container.leaf
	r.spawn(func() delivery {
		alive, err := leaf.Processes()
		return delivery{msg: LeafKilled{Alive: alive, Err: err}}
	})
}
