package main

import (
	"strings"
	"testing"

	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/supervise"
	"mesos-docker-executor/executor/task"
)

// Two packages that know nothing of each other state the same default.
func TestDefaultsOfConfigAndEngineAgree(t *testing.T) {
	if got, want := engine.Limits(config.Default().Engine.Limits), engine.DefaultLimits(); got != want {
		t.Errorf("config has %+v, engine %+v", got, want)
	}
	if got, want := config.Default().Container.MappedDirectory, task.DefaultMappedDirectory; got != want {
		t.Errorf("config has %s, task %s", got, want)
	}
}

// What is reviewed as the sandbox's source must be the lease that is made.
func TestReviewedSandboxSourceIsTheLease(t *testing.T) {
	s := start{containerID: explainContainerID, file: config.Default()}
	if got, want := s.inputs().SandboxSource, supervise.LeasePath(s.file.RunDirectory, s.containerID); got != want {
		t.Errorf("the review sees %s, the lease is %s", got, want)
	}
}

func TestWordsBehindTheDashesAreTheTasks(t *testing.T) {
	ours, words := splitWords(strings.Fields("mesos-docker-executor run --config=/x -- sh -c -- echo"))
	if len(ours) != 3 || strings.Join(words, " ") != "sh -c -- echo" {
		t.Errorf("ours %q, words %q", ours, words)
	}
}
