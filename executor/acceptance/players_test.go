//go:build acceptance

package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

const (
	fakeContainerID = "b6a156c0-1b40-4b20-b71b-a9bdade6ae17"
	fakeDockerID    = "4f66ad9a0b2e0c5d6f7a8b9c0d1e2f3a4b5c6d7e8f9a0b1c2d3e4f5a6b7c8d9e"
	fakeAddress     = "172.17.0.5"
)

func status(state mesos.TaskState, message string) mesos.TaskStatus {
	s := mesos.TaskStatus{State: &state}
	if message != "" {
		s.Message = &message
	}
	return s
}

func withReason(s mesos.TaskStatus, reason mesos.TaskStatus_Reason) mesos.TaskStatus {
	s.Reason = &reason
	return s
}

// command is what the task runs, by mode.
func command(task mesos.TaskInfo) mesos.CommandInfo {
	if task.Command != nil {
		return *task.Command
	}
	var c struct {
		Value string `json:"value"`
	}
	if err := json.Unmarshal(task.Data, &c); err != nil {
		return mesos.CommandInfo{}
	}
	return mesos.CommandInfo{Value: &c.Value}
}

// runningStatus is TASK_RUNNING as the executor makes it.
func runningStatus(task mesos.TaskInfo) mesos.TaskStatus {
	ports := map[string]any{}
	for _, p := range task.Container.Docker.PortMappings {
		ports[fmt.Sprintf("%d/%s", p.ContainerPort, p.GetProtocol())] = []any{map[string]any{"HostIp": "0.0.0.0", "HostPort": fmt.Sprint(p.HostPort)}}
	}
	data, _ := json.Marshal([]any{map[string]any{
		"Id":         fakeDockerID,
		"Config":     map[string]any{"Labels": map[string]any{taskLabel: task.TaskID.Value}},
		"HostConfig": map[string]any{"CapAdd": []string{"CAP_CHOWN", "CAP_KILL"}},
		"NetworkSettings": map[string]any{
			"Ports": ports, "Networks": map[string]any{"bridge": map[string]any{"IPAddress": fakeAddress}},
		},
	}})
	s := status(mesos.TASK_RUNNING, "")
	s.Data = data
	address := fakeAddress
	s.ContainerStatus = &mesos.ContainerStatus{
		ContainerID:  &mesos.ContainerID{Value: fakeContainerID},
		NetworkInfos: []mesos.NetworkInfo{{IPAddresses: []mesos.NetworkInfo_IPAddress{{IPAddress: &address}}}},
	}
	return s
}

// refusalOf is the terminal update for a task that must not run, nil for others.
func refusalOf(task mesos.TaskInfo) *mesos.TaskStatus {
	docker := task.Container.Docker
	for _, p := range docker.Parameters {
		if p.Key == "privileged" {
			s := withReason(status(mesos.TASK_ERROR, "parameters[1] `privileged`: privileged containers are not allowed"), mesos.REASON_TASK_UNAUTHORIZED)
			return &s
		}
	}
	for _, m := range docker.PortMappings {
		covered := slices.ContainsFunc(task.Resources, func(r mesos.Resource) bool {
			return slices.ContainsFunc(r.GetRanges().GetRange(), func(v mesos.Value_Range) bool {
				return v.Begin <= uint64(m.HostPort) && uint64(m.HostPort) <= v.End
			})
		})
		if !covered {
			s := withReason(status(mesos.TASK_ERROR, fmt.Sprintf("host_port %d is not among the task's ports", m.HostPort)), mesos.REASON_TASK_INVALID)
			return &s
		}
	}
	return nil
}

// honest plays an executor that keeps every promise.
func honest(task mesos.TaskInfo, kill <-chan *mesos.KillPolicy, send func(mesos.TaskStatus)) {
	if s := refusalOf(task); s != nil {
		send(*s)
		return
	}
	starting := status(mesos.TASK_STARTING, "")
	for _, p := range task.Container.Docker.Parameters {
		if p.Key == "cap-add" {
			starting = status(mesos.TASK_STARTING, "trimmed CAP_"+p.Value)
		}
	}
	send(starting)
	send(runningStatus(task))
	value := command(task)
	switch {
	case strings.Contains(value.GetValue(), "exit 7"):
		send(status(mesos.TASK_FAILED, "Container exited with status 7"))
	case strings.Contains(value.GetValue(), "600"), strings.Contains(value.GetValue(), "trap"):
		<-kill
		send(status(mesos.TASK_KILLING, ""))
		send(status(mesos.TASK_KILLED, "Container exited with status 0"))
	default:
		send(status(mesos.TASK_FINISHED, "Container exited with status 0"))
	}
}

// dishonest changes what the honest one says.
func dishonest(change func(s *mesos.TaskStatus)) player {
	return func(task mesos.TaskInfo, kill <-chan *mesos.KillPolicy, send func(mesos.TaskStatus)) {
		honest(task, kill, func(s mesos.TaskStatus) {
			change(&s)
			send(s)
		})
	}
}
