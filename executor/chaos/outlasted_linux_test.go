package chaos

import (
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// TestExecutorDoesNotWaitForAFrozenEngine has dockerd stopped for longer than the executor lives: what it cannot remove it leaves to
// the sweep of a later one, with nothing alive in it.
func TestExecutorDoesNotWaitForAFrozenEngine(t *testing.T) {
	before, daemon := takeBase(t), takeEngineBase(t, docker)
	l := begin(t, docker.Host)
	l.running(disobedient)
	thaw := freeze(t)
	l.kill(time.Second)
	l.await(mesos.TASK_KILLING)
	l.await(mesos.TASK_KILLED)
	l.exits()
	l.noProcess()
	thaw()
	l.nothingLeft(docker.Host)
	daemon.returns(t)
	before.returns(t)
}
