//go:build linux

package main

import (
	"errors"
	"os"
	"path/filepath"
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

// What a task gets.
const (
	taskCPUs   = 0.1
	taskShares = 102 // CPU shares, which the executor makes of that
	taskMiB    = 32
)

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
				{Name: "cpus", Type: &scalar, Scalar: &mesos.Value_Scalar{Value: taskCPUs}},
				{Name: "mem", Type: &scalar, Scalar: &mesos.Value_Scalar{Value: taskMiB}},
			},
			Command: &mesos.CommandInfo{Shell: &shell, Value: &command},
			Container: &mesos.ContainerInfo{
				Type:   &kind,
				Docker: &mesos.ContainerInfo_DockerInfo{Image: b.image, Network: &network},
			},
		},
	})
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
