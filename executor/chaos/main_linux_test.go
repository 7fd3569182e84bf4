package chaos

import (
	"context"
	"os"
	"testing"

	"mesos-docker-executor/executor/enginetest"
)

// docker is the private engine that the tests of this package share, one after the other: each leaves it running and well.
var docker *enginetest.Engine

func TestMain(m *testing.M) {
	status := enginetest.Run(context.Background(), m, func(e *enginetest.Engine) { docker = e })
	removeCgroupRoot()
	os.Exit(status)
}
