package supervise

import (
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/admission"
	"mesos-docker-executor/executor/session"
)

// The agent may take up to a minute for an acknowledgement, and a single slot keeps the host's other tasks from starting.
func TestTaskKilledBetweenCreateAndStartGivesItsPlaceBack(t *testing.T) {
	p := struck(t, docker, "attach=delay:2s")
	var gate *admission.Gate
	l := begin(t, withHost(p.Host), withoutAcks(), func(l *life, o *Options) {
		gate = admission.New(admission.Options{Dir: l.runDir + "/engine", Engine: docker.Host, MaxStarts: 1, MaxPulls: 1})
		o.Gate = gate
	})
	l.launch(busybox("sleep 600"))
	l.await(mesos.TASK_STARTING)
	awaitHeld(t, p)
	kill(l, 0)
	l.await(mesos.TASK_KILLING)
	l.await(mesos.TASK_KILLED)
	began := time.Now()
	leave, _, err := gate.Enter(t.Context(), admission.Start)
	if err != nil {
		t.Fatal(err)
	}
	leave()
	if waited := time.Since(began); waited > 20*time.Second {
		t.Errorf("the place was free after %s", waited)
	}
	l.say(session.Acknowledged{TaskID: "task-1", State: mesos.TASK_KILLED})
	l.exits(1)
}
