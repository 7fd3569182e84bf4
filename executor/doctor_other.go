//go:build !linux

package main

import (
	"context"
	"errors"

	"mesos-docker-executor/executor/hostcheck"
)

func examineHost(context.Context, files) (hostcheck.Lines, error) {
	return nil, errors.New("doctor: works on Linux only, where executors run; check works here")
}
