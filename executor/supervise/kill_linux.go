package supervise

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/process"
)

func (r *runner) revokeLease() {
	if r.lease == nil {
		return
	}
	if err := r.lease.Revoke(); err != nil {
		r.Log.Error("the lease could not be revoked", "lease", r.lease.Path, "error", err)
	}
}

func (r *runner) signalInit(sig unix.Signal) {
	if r.init == nil {
		return
	}
	if err := r.init.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		r.Log.Error("the container's init could not be signalled", "pid", r.init.PID, "signal", process.SignalName(sig), "error", err)
	}
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
		left, listErr := leaf.Processes()
		if err == nil {
			err = listErr
		}
		return delivery{msg: LeafKilled{Remaining: len(left), Err: err}}
	})
}
