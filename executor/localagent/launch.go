package localagent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// process is the executor's process.
type process struct {
	*os.Process                  // knows when it was reaped: a late Signal is os.ErrProcessDone
	stdin       io.Closer        // the write end of a pipe in drop-in mode
	done        chan struct{}    // closed at its end
	state       *os.ProcessState // set when done is closed
}

func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// makeDirectories creates the sandbox and its twin below meta.
func (a *Agent) makeDirectories() error {
	for _, dir := range []string{a.Sandbox(), filepath.Dir(a.forkedPid())} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("make the run's directories: %w", err)
		}
	}
	return nil
}

// StartExecutor forks the executor as the containerizer of the mode does: in a
// session of its own, in the sandbox, with its output appended to the files
// stdout and stderr there, and with no environment but the agent's. In custom
// mode, where a cgroup v1 freezer is mounted, the process is born in the
// freezer cgroup /mesos/<container id> of the linux launcher.
//
// The executor is destroyed if it has not subscribed after
// RegistrationTimeout.
func (a *Agent) StartExecutor() error {
	a.mu.Lock()
	started := a.process != nil
	a.mu.Unlock()
	if started {
		return errors.New("the run's executor was started before: start another Agent for another run")
	}
	argv, err := a.arguments()
	if err != nil {
		return err
	}
	cmd := &exec.Cmd{
		Path:        a.opts.Executable,
		Args:        argv,
		Env:         a.environment(),
		Dir:         a.Sandbox(),
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
	p := &process{done: make(chan struct{})}
	files, err := a.redirect(cmd, p)
	defer func() {
		for _, f := range files {
			f.Close() // our copies of the executor's descriptors
		}
	}()
	if err == nil {
		err = a.fork(cmd)
	}
	if err == nil {
		p.Process = cmd.Process
		err = os.WriteFile(a.forkedPid(), []byte(strconv.Itoa(p.Pid)), 0o644)
		if err != nil {
			_ = cmd.Process.Kill() // it must not run unknown to us
			_ = cmd.Wait()
		}
	}
	if err != nil {
		if p.stdin != nil {
			p.stdin.Close()
		}
		return fmt.Errorf("start the executor %s: %w", a.opts.Executable, err)
	}
	a.mu.Lock()
	a.process = p
	a.record(Entry{Kind: Process, Name: "started", Text: fmt.Sprintf("pid %d", p.Pid)})
	a.destroyAfter(a.opts.RegistrationTimeout, mesos.REASON_EXECUTOR_REGISTRATION_TIMEOUT,
		fmt.Sprintf("Executor did not register within %v", a.opts.RegistrationTimeout))
	a.spawnLocked(func() { a.wait(cmd, p) })
	a.mu.Unlock()
	return nil
}

// redirect gives the executor its descriptors 0 to 2 and returns our copies.
func (a *Agent) redirect(cmd *exec.Cmd, p *process) ([]io.Closer, error) {
	var files []io.Closer
	for name, target := range map[string]*io.Writer{"stdout": &cmd.Stdout, "stderr": &cmd.Stderr} {
		f, err := os.OpenFile(filepath.Join(a.Sandbox(), name), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
		if err != nil {
			return files, err
		}
		files = append(files, f)
		*target = f
	}
	if a.opts.Mode == DropIn {
		r, w, err := os.Pipe()
		if err != nil {
			return files, err
		}
		files = append(files, r)
		cmd.Stdin, p.stdin = r, w
	}
	return files, nil
}

// wait reaps the executor and ends the run as the agent does: a task without a
// terminal update failed, and the containerizer cleans its container up.
func (a *Agent) wait(cmd *exec.Cmd, p *process) {
	_ = cmd.Wait() // its status is in ProcessState
	if p.stdin != nil {
		p.stdin.Close()
	}
	a.mu.Lock()
	p.state = cmd.ProcessState
	close(p.done)
	a.disarm()
	a.state = terminated
	a.queued = false
	a.dropStream()
	a.record(Entry{Kind: Process, Name: "exited", Text: p.state.String()})
	a.agentStatus(mesos.TASK_FAILED, mesos.REASON_EXECUTOR_TERMINATED, "Executor terminated")
	a.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.life), closeLimit)
	defer cancel()
	if err := a.killCgroup(ctx); err != nil {
		a.note("destroy", err.Error())
	}
}
