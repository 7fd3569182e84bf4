package localagent

import (
	"context"
	"fmt"
	"os"
	"syscall"
)

// Destroy ends the executor as the containerizer of the mode does, and waits
// for its end.
//
// Drop-in: SIGTERM to the executor's process tree, a wait without a limit, then
// `docker stop` of its container (Options.StopContainer). Custom: everything in
// the freezer cgroup and below is killed at once, nested containers included.
// The end of ctx ends the patience: the executor's tree gets SIGKILL.
func (a *Agent) Destroy(ctx context.Context) error {
	a.mu.Lock()
	p := a.process
	if p == nil || p.ended() {
		a.mu.Unlock()
		return nil
	}
	a.disarm()
	a.state = terminating
	a.record(Entry{Kind: Note, Name: "destroy", Text: string(a.opts.Mode) + " run"})
	a.mu.Unlock()

	if a.opts.Mode == Custom {
		if err := a.killCgroup(ctx); err != nil {
			return err
		}
		p.signalTree(syscall.SIGKILL) // without a freezer the tree is all there is
	} else {
		p.signalTree(syscall.SIGTERM)
	}
	select {
	case <-p.done:
	case <-ctx.Done():
		p.signalTree(syscall.SIGKILL)
		<-p.done // SIGKILL of our own child; its end is not the task's to refuse
	}
	if a.opts.Mode == DropIn {
		return a.stopContainer(ctx)
	}
	return nil
}

// KillExecutor sends SIGKILL to the executor alone: it dies without a word.
func (a *Agent) KillExecutor() error { return a.Signal(syscall.SIGKILL) }

// Signal sends a signal to the executor alone.
func (a *Agent) Signal(sig os.Signal) error {
	a.mu.Lock()
	p := a.process
	a.mu.Unlock()
	if p == nil {
		return os.ErrProcessDone
	}
	return p.Signal(sig)
}

func (a *Agent) stopContainer(ctx context.Context) error {
	if a.opts.StopContainer == nil {
		return nil
	}
	a.note("destroy", "stop container "+a.ContainerName())
	if err := a.opts.StopContainer(ctx, a.ContainerName()); err != nil {
		return fmt.Errorf("stop container %s: %w", a.ContainerName(), err)
	}
	return nil
}

// PID is the executor's process id, 0 before StartExecutor.
func (a *Agent) PID() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.process == nil {
		return 0
	}
	return a.process.Pid
}

// Exited is closed when the executor has ended; nil before StartExecutor.
func (a *Agent) Exited() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.process == nil {
		return nil
	}
	return a.process.done
}

// WaitExit waits for the end of the executor's process.
func (a *Agent) WaitExit(ctx context.Context) (*os.ProcessState, error) {
	var state *os.ProcessState
	err := a.await(ctx, "the executor's exit", func() bool {
		if a.process != nil {
			state = a.process.state
		}
		return state != nil
	})
	return state, err
}
