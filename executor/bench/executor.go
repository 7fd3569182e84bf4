//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/google/uuid"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/localagent"
	"mesos-docker-executor/executor/task"
)

// One agent and one framework for all runs.
const (
	agentID     = "bench-S0"
	frameworkID = "bench-0000"
	patience    = time.Minute // for every step: a hang is a failure
	mapped      = "/mnt/mesos/sandbox"
)

// identity is a run's place in the agent's work directory.
type identity struct {
	executorID, containerID string
	sandbox                 string // exists
}

// newIdentity makes the folders that an agent makes before it launches.
func (b *bench) newIdentity() (identity, error) {
	container := uuid.NewString()
	id := identity{executorID: "task-" + container[:8], containerID: container}
	path := filepath.Join("slaves", agentID, "frameworks", frameworkID, "executors", id.executorID, "runs", container)
	id.sandbox = filepath.Join(b.work, path)
	return id, errors.Join(
		os.MkdirAll(id.sandbox, 0o755),
		os.MkdirAll(filepath.Join(b.work, "meta", path, "pids"), 0o755),
		unix.Mkfifo(filepath.Join(id.sandbox, fifo), 0o666),
	)
}

func (id identity) containerName() string { return "mesos-" + id.containerID }

// inputs are what the executor decides by, see its start.inputs.
func (id identity) inputs() task.Inputs {
	return task.Inputs{
		Mode:            task.DropIn,
		ContainerID:     id.containerID,
		ContainerName:   id.containerName(),
		Sandbox:         id.sandbox,
		SandboxSource:   id.sandbox,
		MappedDirectory: mapped,
	}
}

// fifo in the sandbox ends a task that reads it.
const fifo = "end"

// untilEnd is a command that runs until somebody opens and closes the FIFO.
const untilEnd = "exec cat " + mapped + "/" + fifo

// taskFor is the TaskInfo of one run, as an executor would get it.
func (b *bench) taskFor(id identity, command string) (mesos.TaskInfo, error) {
	network := mesos.ContainerInfo_DockerInfo_Network(mesos.ContainerInfo_DockerInfo_Network_value[b.network])
	shell := true
	kind, scalar := mesos.ContainerInfo_DOCKER, mesos.SCALAR
	return localagent.Complete(localagent.Options{
		Mode: localagent.DropIn,
		IDs:  localagent.IDs{AgentID: agentID, FrameworkID: frameworkID, ExecutorID: id.executorID, ContainerID: id.containerID},
		Task: mesos.TaskInfo{
			Name:   id.executorID,
			TaskID: mesos.TaskID{Value: id.executorID},
			Resources: []mesos.Resource{
				{Name: "cpus", Type: &scalar, Scalar: &mesos.Value_Scalar{Value: 0.1}},
				{Name: "mem", Type: &scalar, Scalar: &mesos.Value_Scalar{Value: 32}},
			},
			Command: &mesos.CommandInfo{Shell: &shell, Value: &command},
			Container: &mesos.ContainerInfo{
				Type:   &kind,
				Docker: &mesos.ContainerInfo_DockerInfo{Image: b.image, Network: &network},
			},
		},
	})
}

// execution is one executor process with its task.
type execution struct {
	identity
	*peer
	task  mesos.TaskInfo
	cmd   *exec.Cmd
	began time.Time     // just before the fork
	done  chan struct{} // closed when the process was reaped
}

// startExecutor starts an executor for a task, which [execution.launch] then launches. socket is the engine's, or a proxy's.
func (b *bench) startExecutor(command, socket string) (*execution, error) {
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
	out, err := os.Create(filepath.Join(id.sandbox, "stdout"))
	if err != nil {
		return nil, err
	}
	defer out.Close()
	errOut, err := os.Create(filepath.Join(id.sandbox, "stderr"))
	if err != nil {
		return nil, err
	}
	defer errOut.Close()
	r.cmd = &exec.Cmd{
		Path:        b.binary,
		Args:        b.arguments(id, socket),
		Env:         b.environment(id),
		Dir:         id.sandbox,
		Stdout:      out,
		Stderr:      errOut,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
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

// hello is the SUBSCRIBED event for a run.
func hello(id identity) *executor.Event {
	yes := true
	command := executor.Event_Subscribed{
		ExecutorInfo: mesos.ExecutorInfo{
			ExecutorID:  mesos.ExecutorID{Value: id.executorID},
			FrameworkID: &mesos.FrameworkID{Value: frameworkID},
		},
		FrameworkInfo: mesos.FrameworkInfo{User: "root", Name: "bench", ID: &mesos.FrameworkID{Value: frameworkID}, Checkpoint: &yes},
		AgentInfo:     mesos.AgentInfo{Hostname: "127.0.0.1", ID: &mesos.AgentID{Value: agentID}},
		ContainerID:   &mesos.ContainerID{Value: id.containerID},
	}
	return &executor.Event{Type: executor.Event_SUBSCRIBED, Subscribed: &command}
}

// arguments and environment are those of testdata/recordings/drop-in.
func (b *bench) arguments(id identity, socket string) []string {
	return []string{
		"mesos-docker-executor",
		"--cgroups_enable_cfs=false",
		"--container=" + id.containerName(),
		"--docker=docker",
		"--docker_socket=" + socket,
		"--help=false",
		"--initialize_driver_logging=true",
		"--launcher_dir=/usr/libexec/mesos",
		"--logbufsecs=0",
		"--logging_level=INFO",
		"--mapped_directory=" + mapped,
		"--quiet=false",
		"--sandbox_directory=" + id.sandbox,
		"--stop_timeout=0ns",
		"--config=" + b.config,
	}
}

func (b *bench) environment(id identity) []string {
	return []string{
		"HOST=agent1",
		"LIBPROCESS_IP=127.0.0.1",
		"LIBPROCESS_PORT=0",
		"MARATHON_APP_ID=/web/front",
		"MESOS_AGENT_ENDPOINT=" + b.endpoint.address,
		"MESOS_CHECKPOINT=1",
		"MESOS_DIRECTORY=" + id.sandbox,
		"MESOS_EXECUTOR_ID=" + id.executorID,
		"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD=5secs",
		"MESOS_FRAMEWORK_ID=" + frameworkID,
		"MESOS_HTTP_COMMAND_EXECUTOR=0",
		"MESOS_RECOVERY_TIMEOUT=1mins",
		"MESOS_SLAVE_ID=" + agentID,
		"MESOS_SLAVE_PID=slave(1)@" + b.endpoint.address,
		"MESOS_SUBSCRIPTION_BACKOFF_MAX=2secs",
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"PORT0=31010",
	}
}

// launch sends LAUNCH and returns when it was sent.
func (r *execution) launch() (time.Time, error) {
	at := time.Now()
	return at, r.send(&executor.Event{Type: executor.Event_LAUNCH, Launch: &executor.Event_Launch{Task: r.task}})
}

// kill sends KILL without a grace and returns when it was sent.
func (r *execution) kill() (time.Time, error) {
	at := time.Now()
	return at, r.send(&executor.Event{Type: executor.Event_KILL, Kill: &executor.Event_Kill{
		TaskID:     r.task.TaskID,
		KillPolicy: &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: 0}},
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

// untilReads opens and closes the FIFO that the task reads, as soon as it does.
func (id identity) untilReads(ctx context.Context) error {
	path := filepath.Join(id.sandbox, fifo)
	return poll(ctx, "the task to read its FIFO", func() (bool, error) {
		f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0)
		if errors.Is(err, unix.ENXIO) { // no reader yet, fifo(7)
			return false, nil
		}
		if err != nil {
			return false, err
		}
		return true, f.Close()
	})
}

// poll asks every two milliseconds.
func poll(ctx context.Context, what string, done func() (bool, error)) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waited for %s: %w", what, context.Cause(ctx))
		}
	}
}

// gone reports when a process ends: by a pidfd, so that no other process is taken for it once it has one.
func gone(ctx context.Context, pid int) (<-chan time.Time, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("pidfd of process %s: %w", strconv.Itoa(pid), err)
	}
	ended := make(chan time.Time, 1)
	go func() {
		defer unix.Close(fd)
		for ctx.Err() == nil {
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, err := unix.Poll(fds, 1000) // a look at ctx each second
			if n == 1 {
				ended <- time.Now()
				return
			}
			if err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	return ended, nil
}
