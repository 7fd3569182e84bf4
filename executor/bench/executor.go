//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

// execution is one executor process with its task.
type execution struct {
	identity
	*peer
	task  mesos.TaskInfo
	cmd   *exec.Cmd
	began time.Time     // just before the fork
	done  chan struct{} // closed when the process was reaped
	init  int           // pid of the container's init, if somebody asked for it
}

// startExecutor starts an executor for a task, which [execution.launch] then launches. socket is the engine's, or a proxy's; flags
// are more of the executor's.
func (b *bench) startExecutor(command, socket string, flags ...string) (*execution, error) {
	id, err := b.newIdentity()
	if err != nil {
		return nil, err
	}
	r := &execution{identity: id, done: make(chan struct{})}
	if r.task, err = b.taskFor(id, command); err != nil {
		return nil, err
	}
	if r.peer, err = b.endpoint.expect(id.executorID, hello(id)); err != nil {
		return nil, err
	}
	r.cmd = &exec.Cmd{
		Path:        b.binary,
		Args:        append(b.arguments(id, socket), flags...),
		Env:         b.environment(id),
		Dir:         id.sandbox,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	for name, stream := range map[string]*io.Writer{"stdout": &r.cmd.Stdout, "stderr": &r.cmd.Stderr} {
		file, err := os.Create(filepath.Join(id.sandbox, name))
		if err != nil {
			return nil, err
		}
		defer file.Close()
		*stream = file
	}
	r.began = time.Now()
	if err := r.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the executor: %w", err)
	}
	b.keep(r)
	go func() {
		_ = r.cmd.Wait() // its status is in ProcessState
		close(r.done)
	}()
	return r, nil
}

// launch sends LAUNCH and returns when it was sent.
func (r *execution) launch() (time.Time, error) {
	at := time.Now()
	return at, r.send(&executor.Event{Type: executor.Event_LAUNCH, Launch: &executor.Event_Launch{Task: r.task}})
}

// kill sends KILL without a grace and returns when it was sent.
func (r *execution) kill() (time.Time, error) { return r.killWith(0) }

// killWith sends KILL with a grace and returns when it was sent.
func (r *execution) killWith(grace time.Duration) (time.Time, error) {
	at := time.Now()
	return at, r.send(&executor.Event{Type: executor.Event_KILL, Kill: &executor.Event_Kill{
		TaskID:     r.task.TaskID,
		KillPolicy: &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: grace.Nanoseconds()}},
	}})
}

// running waits for TASK_RUNNING and returns its arrival and the pid of the container's init.
func (r *execution) running(ctx context.Context) (time.Time, int, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	u, err := r.awaitState(ctx, mesos.TASK_RUNNING)
	if err != nil {
		return time.Time{}, 0, err
	}
	var inspect []struct{ State struct{ Pid int } }
	if err := json.Unmarshal(u.status.Data, &inspect); err != nil || len(inspect) != 1 || inspect[0].State.Pid == 0 {
		return u.at, 0, fmt.Errorf("TASK_RUNNING does not say which process runs: %v", err)
	}
	return u.at, inspect[0].State.Pid, nil
}

// awaitExit waits for the end of the executor, after its terminal update.
func (r *execution) awaitExit(ctx context.Context) error {
	select {
	case <-r.done:
	case <-time.After(patience):
		return fmt.Errorf("the executor %d did not end within %s after its task", r.cmd.Process.Pid, patience)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if code := r.cmd.ProcessState.ExitCode(); code != 0 {
		return fmt.Errorf("the executor ended with status %d", code)
	}
	return nil
}

// end kills the task and waits for the executor.
func (r *execution) end(ctx context.Context) error {
	if _, err := r.kill(); err != nil {
		return err
	}
	return r.awaitExit(ctx)
}

// endAll ends runs side by side.
func endAll(ctx context.Context, runs []*execution) error {
	errs := make([]error, len(runs))
	var all sync.WaitGroup
	for i, r := range runs {
		all.Go(func() { errs[i] = r.end(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// stop ends the executor whatever it does: SIGTERM first, which makes it end its container.
func (r *execution) stop() {
	_ = r.cmd.Process.Signal(syscall.SIGTERM) // os.ErrProcessDone is fine
	select {
	case <-r.done:
	case <-time.After(10 * time.Second):
		_ = r.cmd.Process.Kill()
		<-r.done
	}
}

// pid of the executor.
func (r *execution) pid() int { return r.cmd.Process.Pid }

// cpu is what the whole life of the executor took, in seconds.
func (r *execution) cpu() float64 {
	return (r.cmd.ProcessState.UserTime() + r.cmd.ProcessState.SystemTime()).Seconds()
}
