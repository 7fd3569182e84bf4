package hostcheck

import (
	"context"
	"os"
	"testing"

	"mesos-docker-executor/executor/enginetest"
)

// private is the engine that the tests of this package share.
var private *enginetest.Engine

func TestMain(m *testing.M) {
	os.Exit(enginetest.Run(context.Background(), m, func(e *enginetest.Engine) { private = e }))
}
