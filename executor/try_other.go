//go:build !linux

package main

import (
	"context"

	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/executor/engine"
)

// There is nothing to remove: try does not get that far.
func (*trial) sweepRehearsals(context.Context, string) {}

func rehearsal(runDir, _ string) string { return runDir }

func sweepAfter(context.Context, config.File, *engine.Engine, string) error { return nil }
