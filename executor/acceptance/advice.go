//go:build acceptance

package main

import (
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// advice is what helps to find the cause of a failed check: what the last update said, and where to look.
func (r *runner) advice(passed bool, t *transcript) []string {
	if passed {
		return nil
	}
	var lines []string
	if s := t.last(); s != nil {
		lines = append(lines, "last update: "+s.GetState().String()+", "+reasonOf(s)+", "+s.GetSource().String()+": "+s.GetMessage())
		if hint := remedy(s); hint != "" {
			lines = append(lines, hint)
		}
	}
	if dir := r.agent.sandbox(r.framework.id(), t.taskID); dir != "" {
		lines = append(lines, "sandbox: "+dir)
	}
	return lines
}

// remedy knows the failures that a new installation meets first; empty for others.
func remedy(s *mesos.TaskStatus) string {
	message := s.GetMessage()
	switch {
	case strings.Contains(message, "ContainerConfig"):
		// Docker::Image::create in src/docker/docker.cpp wants a field that the API dropped in 1.45 (Docker 26).
		return "this agent cannot read a modern Docker's image description: start it with DOCKER_API_VERSION=1.44 in its environment"
	case s.Reason == nil:
		return ""
	case *s.Reason == mesos.REASON_EXECUTOR_REGISTRATION_TIMEOUT:
		return "the executor was started but did not subscribe: see stderr in its sandbox"
	case *s.Reason == mesos.REASON_EXECUTOR_TERMINATED:
		return "the executor ended without a terminal update: see stderr in its sandbox and the agent's log"
	case *s.Reason == mesos.REASON_CONTAINER_LAUNCH_FAILED:
		return "the agent could not start the executor, or the executor its container: see the agent's log, and that the image is on the agent's Docker Engine"
	case *s.Reason == mesos.REASON_TASK_INVALID && s.GetSource() == mesos.SOURCE_MASTER:
		return "the master itself refused the TaskInfo"
	}
	return ""
}
