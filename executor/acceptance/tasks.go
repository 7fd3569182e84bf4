//go:build acceptance

package main

import (
	"fmt"
	"time"

	"github.com/gogo/protobuf/jsonpb"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// mode is the way the agent starts the executor.
type mode string

const (
	dropIn mode = "drop-in" // the agent's Docker containerizer runs it from --launcher_dir
	custom mode = "custom"  // the framework names it in TaskInfo.executor
)

func parseMode(s string) (mode, error) {
	switch m := mode(s); m {
	case dropIn, custom:
		return m, nil
	}
	return "", fmt.Errorf("unknown mode %q: --modes takes drop-in, custom or both with a comma", s)
}

// taskLabel is the container label by which our containers are known again. Marathon adds the same one to its Docker
// tasks, so every policy has to live with it.
const taskLabel = "MESOS_TASK_ID"

// shape is what differs between the tasks of the checks.
type shape struct {
	command    string            // for sh -c
	env        map[string]string // the check's own variables
	parameters []mesos.Parameter // Docker parameters beside the label
	ports      int               // host ports to take from the offer and map to 8080, 8081, ...
	foreign    uint32            // a host port to map that is in no resource; 0 = none
	grace      time.Duration     // of the kill policy; 0 = none
}

func (s shape) needs() needs {
	return needs{cpus: taskCPUs + executorCPUs, memMB: taskMemMB + executorMemMB, ports: s.ports}
}

// place is where a task goes: everything that an offer and the run decide.
type place struct {
	taskID    string
	framework string
	agent     string
	image     string
	binary    string // of the executor, for custom mode
	share     share
}

// build makes the TaskInfo. Both modes run the same task: in drop-in mode the command is TaskInfo.command, in custom mode it
// is TaskInfo.data, because the master wants exactly one of command and executor (validateExecutor in
// src/master/validation.cpp).
func (s shape) build(m mode, p place) (mesos.TaskInfo, error) {
	t := mesos.TaskInfo{
		Name:      "acceptance",
		TaskID:    mesos.TaskID{Value: p.taskID},
		AgentID:   mesos.AgentID{Value: p.agent},
		Resources: p.share.task,
		Container: s.container(p),
	}
	if s.grace > 0 {
		t.KillPolicy = killPolicy(s.grace)
	}
	command := s.commandInfo()
	if m == dropIn {
		t.Command = command
		return t, nil
	}
	data, err := (&jsonpb.Marshaler{OrigName: true}).MarshalToString(command)
	if err != nil {
		return t, fmt.Errorf("encode the command for TaskInfo.data: %w", err)
	}
	t.Data = []byte(data)
	t.Executor = customExecutor(p)
	return t, nil
}

// customExecutor runs the binary as root on the host. Its container stays unset: set, it would name the image to run the
// executor in.
func customExecutor(p place) *mesos.ExecutorInfo {
	return &mesos.ExecutorInfo{
		Type:        mesos.ExecutorInfo_CUSTOM,
		ExecutorID:  mesos.ExecutorID{Value: p.taskID},
		FrameworkID: &mesos.FrameworkID{Value: p.framework},
		Command: &mesos.CommandInfo{
			Shell: new(false), Value: &p.binary, Arguments: []string{"mesos-docker-executor"}, User: new("root"),
		},
		Resources: p.share.executor,
	}
}

func (s shape) commandInfo() *mesos.CommandInfo {
	c := &mesos.CommandInfo{Shell: new(true), Value: &s.command}
	if len(s.env) > 0 {
		c.Environment = &mesos.Environment{}
	}
	for name, value := range s.env {
		c.Environment.Variables = append(c.Environment.Variables, mesos.Environment_Variable{Name: name, Value: &value})
	}
	return c
}

func (s shape) container(p place) *mesos.ContainerInfo {
	docker := &mesos.ContainerInfo_DockerInfo{
		Image:      p.image,
		Network:    mesos.ContainerInfo_DockerInfo_BRIDGE.Enum(),
		Parameters: append([]mesos.Parameter{{Key: "label", Value: taskLabel + "=" + p.taskID}}, s.parameters...),
	}
	hosts := p.share.ports
	if s.foreign != 0 {
		hosts = append(hosts[:len(hosts):len(hosts)], s.foreign)
	}
	for i, host := range hosts {
		docker.PortMappings = append(docker.PortMappings, mesos.ContainerInfo_DockerInfo_PortMapping{
			HostPort: host, ContainerPort: containerPort + uint32(i), Protocol: new("tcp"),
		})
	}
	return &mesos.ContainerInfo{Type: mesos.ContainerInfo_DOCKER.Enum(), Docker: docker}
}

// containerPort is the first port inside the container that a mapping leads to.
const containerPort = 8080

func killPolicy(grace time.Duration) *mesos.KillPolicy {
	return &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: grace.Nanoseconds()}}
}
