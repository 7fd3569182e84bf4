package supervise

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/engine"
)

// The first start is so late that the second one has started the container, and its program has ended. It is still waited for what
// inspect says.
func TestProgramThatHasEndedIsNotStartedAgainByALateStart(t *testing.T) {
	p := struck(t, docker, "start#1=delay:6s", "inspect#2=delay:6s")
	l := begin(t, impatient(p.Host, func(l *engine.Limits) { l.Start = 2 * time.Second }))
	l.launch(busybox("echo ran >> $MESOS_SANDBOX/ran"))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	l.await(mesos.TASK_FINISHED)
	l.exits(0)
	if ran, err := os.ReadFile(filepath.Join(l.sandbox, "ran")); err != nil || string(ran) != "ran\n" {
		t.Errorf("the program wrote %q (%v)", ran, err)
	}
}
