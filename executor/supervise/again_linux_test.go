package supervise

import (
	"fmt"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/enginefault"
)

// counting writes a line ten times a second, for five seconds.
const counting = "i=0; while [ $i -lt 50 ]; do echo $i; i=$((i+1)); sleep 0.1; done; exit 3"

func TestOutputGoesOnAlthoughTheFirstLookAfterARestartFails(t *testing.T) {
	for _, fault := range []string{"inspect#2=502", "wait#2=cut", "logs#1=500:the storage driver is busy"} {
		t.Run(fault, func(t *testing.T) {
			p := struck(t, docker, fault)
			l := begin(t, withHost(p.Host))
			l.launch(busybox(counting))
			l.await(mesos.TASK_STARTING)
			l.await(mesos.TASK_RUNNING)
			p.Outage(enginefault.Down, 300*time.Millisecond)
			failed := l.await(mesos.TASK_FAILED)
			if !strings.HasPrefix(failed.GetMessage(), "Container exited with status 3;") || strings.Contains(failed.GetMessage(), "Docker daemon") {
				t.Errorf("%q", failed.GetMessage())
			}
			l.exits(0)
			var want strings.Builder
			for i := range 50 {
				fmt.Fprintln(&want, i)
			}
			wantFile(t, l.stdout, want.String())
		})
	}
}

func TestEngineWhoseStreamsNeverLastIsNotAskedWithoutAPause(t *testing.T) {
	p := struck(t, docker, "wait#2+=empty", "logs=empty")
	l := begin(t, withHost(p.Host))
	l.launch(busybox(counting))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	p.Outage(enginefault.Down, 300*time.Millisecond)
	l.await(mesos.TASK_FAILED)
	waits := 0
	for _, e := range p.Events() {
		if e.Verb == enginefault.Wait {
			waits++
		}
	}
	if waits > 10 {
		t.Errorf("the engine was asked %d times in five seconds", waits)
	}
	<-l.exit
}
