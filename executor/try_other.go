//go:build !linux

package main

import "mesos-docker-executor/executor/task"

// There is nothing to remove: try does not get that far.

func removeSources(string, string) error { return nil }

func removeLeaf(task.Mode, string, string) error { return nil }
