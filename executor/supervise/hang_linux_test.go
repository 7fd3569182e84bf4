package supervise

import (
	"context"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/enginefault"
	"mesos-docker-executor/executor/enginetest"
)

// impatient makes the engine's client give up early on the kinds of calls that change sets.
func impatient(host string, change func(*engine.Limits)) lifeOption {
	return func(l *life, o *Options) {
		limits := engine.DefaultLimits()
		change(&limits)
		e, err := engine.Open(host, limits)
		if err != nil {
			l.t.Fatal(err)
		}
		o.Engine = e
	}
}

// struck opens a proxy in front of an engine that strikes by these rules, in their text form.
func struck(t *testing.T, e *enginetest.Engine, rules ...string) *enginefault.Proxy {
	t.Helper()
	parsed, err := enginefault.ParseAll(rules...)
	if err != nil {
		t.Fatal(err)
	}
	p, err := enginefault.Open(filepath.Join(t.TempDir(), "p.sock"), e.Socket, parsed...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// awaitHeld waits until the proxy holds a call.
func awaitHeld(t *testing.T, p *enginefault.Proxy) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soonEnough)
	defer cancel()
	if _, err := p.AwaitHeld(ctx); err != nil {
		t.Fatalf("no call is held: %v", err)
	}
}

func TestKillIsAnsweredWhileTheEngineHangsInAnyCall(t *testing.T) {
	missing := taskJSON(`{"shell": true, "value": "true"}`, "localhost:1/none:1")
	for _, test := range []struct{ fault, task string }{
		{"pull=hang", missing},
		{"create=hang", busybox("sleep 600")},
		{"create=hang-answer", busybox("sleep 600")},
		{"attach=hang", busybox("sleep 600")},
		{"start=hang", busybox("sleep 600")},
		{"start=hang-answer", busybox("sleep 600")},
	} {
		t.Run(test.fault, func(t *testing.T) {
			p := struck(t, docker, test.fault)
			l := begin(t, withHost(p.Host))
			l.launch(test.task)
			l.await(mesos.TASK_STARTING)
			awaitHeld(t, p)
			kill(l, 100*time.Millisecond)
			l.await(mesos.TASK_KILLING)
			l.await(mesos.TASK_KILLED)
			p.Clear()
			if status := <-l.exit; status == 0 && !strings.HasPrefix(test.fault, "start") {
				t.Error("exit status 0 for a container that never ran")
			}
			l.nothingLeft()
		})
	}
}

func TestHungEngineFailsTheLaunchInBoundedTime(t *testing.T) {
	const limit = 300 * time.Millisecond
	for _, test := range []struct {
		fault string
		short func(*engine.Limits)
	}{
		{"ping=hang", func(l *engine.Limits) { l.Ping = limit }},
		{"info=hang", func(l *engine.Limits) { l.Info = limit }},
		{"image=hang", func(l *engine.Limits) { l.ImageInspect = limit }},
		{"create=hang", func(l *engine.Limits) { l.Create = limit }},
		{"attach=hang", func(l *engine.Limits) { l.Attach = limit }},
		{"wait=hang", func(l *engine.Limits) { l.Attach = limit }},
		{"start=hang", func(l *engine.Limits) { l.Start = limit }},
	} {
		t.Run(test.fault, func(t *testing.T) {
			p := struck(t, docker, test.fault)
			l := begin(t, impatient(p.Host, test.short))
			l.launch(busybox("sleep 600"))
			l.await(mesos.TASK_STARTING)
			failed := l.await(mesos.TASK_FAILED)
			if failed.GetReason() != mesos.REASON_CONTAINER_LAUNCH_FAILED || !strings.Contains(failed.GetMessage(), "not finished within") {
				t.Errorf("%v: %q", failed.GetReason(), failed.GetMessage())
			}
			p.Clear()
			<-l.exit
			await(t, "late effects to be undone", func() bool { return l.noContainerRuns() })
		})
	}
}

// noContainerRuns reports whether the task's container does not run. One that a late create made may exist.
func (l *life) noContainerRuns() bool {
	e := openEngine(l.t, docker.Host)
	if _, err := e.Probe(l.t.Context()); err != nil {
		return false
	}
	c, err := e.Inspect(l.t.Context(), "mesosx-"+l.containerID)
	return err != nil || !c.Running
}

func TestHungInspectAndRemoveDoNotHurtARunningTask(t *testing.T) {
	for _, fault := range []string{"inspect=hang", "remove=hang"} {
		t.Run(fault, func(t *testing.T) {
			p := struck(t, docker, fault)
			l := begin(t, impatient(p.Host, func(l *engine.Limits) { l.Inspect, l.Remove = time.Second, time.Second }))
			l.launch(busybox("sleep 3; exit 3"))
			l.await(mesos.TASK_STARTING)
			l.await(mesos.TASK_RUNNING)
			failed := l.await(mesos.TASK_FAILED)
			if !strings.HasPrefix(failed.GetMessage(), "Container exited with status 3;") {
				t.Errorf("%q", failed.GetMessage())
			}
			p.Clear()
			if status := <-l.exit; status != 0 {
				t.Errorf("exit status %d", status)
			}
			l.removeContainer()
		})
	}
}

func (l *life) removeContainer() {
	e := openEngine(l.t, docker.Host)
	if _, err := e.Probe(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	if err := e.Remove(l.t.Context(), "mesosx-"+l.containerID); err != nil {
		l.t.Error(err)
	}
}
