package task

import (
	"context"
	"os"
	"testing"

	"mesos-docker-executor/executor/enginetest"
)

// private is the Docker Engine of this package's tests. Only TestMain sets it.
var private *enginetest.Engine

func TestMain(m *testing.M) {
	os.Exit(enginetest.Run(context.Background(), m, func(e *enginetest.Engine) { private = e }))
}
