//go:build !linux

package main

import "mesos-docker-executor/executor/task"

// executeClean is for Linux: executors run where Mesos agents and Docker containers do.
func executeClean(task.Mode, func(environ []string) (start, error)) int {
	say("run works on Linux only; explain, check, policy, classes (but ps) and report work here")
	return exitUsage
}

// hostMemory is not asked for where no executor runs: a policy author's laptop is no agent's host.
func hostMemory() int64 { return 0 }
