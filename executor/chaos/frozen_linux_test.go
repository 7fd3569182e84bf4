package chaos

import (
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// freeze stops dockerd until the test's end, or until thaw is called.
func freeze(t *testing.T) (thaw func()) {
	t.Helper()
	if err := docker.Freeze(); err != nil {
		t.Fatal(err)
	}
	thaw = func() { docker.Thaw() }
	t.Cleanup(thaw)
	return thaw
}

func TestExitUnderAFrozenEngineHasItsTrueStatus(t *testing.T) {
	before := takeBase(t)
	l := begin(t, docker.Host)
	l.running("trap 'exit 7' USR1; echo ready; while :; do sleep 0.05; done")
	thaw := freeze(t)
	if err := l.signal(); err != nil {
		t.Fatal(err)
	}
	failed := l.await(mesos.TASK_FAILED)
	if got, want := failed.GetMessage(), "Container exited with status 7; the Docker daemon was stopped"; len(got) < len(want) || got[:len(want)] != want {
		t.Errorf("%q, want %q...", got, want)
	}
	l.exits()
	l.noProcess()
	thaw()
	l.nothingLeft(docker.Host)
	before.returns(t)
}

func TestKillUnderAFrozenEngineKeepsItsGrace(t *testing.T) {
	before := takeBase(t)
	l := begin(t, docker.Host)
	l.running("trap '' TERM; echo ready; while :; do sleep 0.05; done")
	thaw := freeze(t)
	began := time.Now()
	l.kill(time.Second)
	l.await(mesos.TASK_KILLING)
	l.await(mesos.TASK_KILLED)
	if took := time.Since(began); took > time.Second+promptly {
		t.Errorf("it took %s", took)
	}
	l.exits()
	l.noProcess()
	thaw()
	l.nothingLeft(docker.Host)
	before.returns(t)
}
