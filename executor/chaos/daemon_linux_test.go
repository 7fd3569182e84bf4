package chaos

import (
	"context"
	"testing"
	"time"

	"mesos-docker-executor/executor/engine"
)

// andAttached allows for what dockerd 20.10 never lets go of: the client's connection to the output of a container that was removed
// without ever having been started, and the five goroutines that wait for that output. Only a start ends their wait.
func (b engineBase) andAttached(containers int) engineBase {
	b.goroutines += 5 * containers
	b.files += containers
	return b
}

// anyTask is the label that every container of an executor carries.
const anyTask = "mesos-docker-executor.container_id"

// noneRuns waits until no container of any task runs.
func noneRuns(t testing.TB) {
	t.Helper()
	e, err := engine.Open(docker.Host, engine.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, err := e.Probe(context.Background()); err != nil {
		t.Fatal(err)
	}
	until(t, "all containers to stop", func() bool {
		listed, err := e.List(context.Background(), anyTask)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range listed {
			if one.State == "running" {
				return false
			}
		}
		return true
	})
}

// endedWithin checks how long after a moment the terminal update came.
func (l *life) endedWithin(limit time.Duration, after time.Time) {
	l.t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if took := l.ended.Sub(after); took > limit {
		l.t.Errorf("the terminal update came after %s", took)
	}
}
