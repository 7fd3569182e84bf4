package supervise

import (
	"net/http"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/engine"
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

func TestKillIsAnsweredWhileTheEngineHangsInAnyCall(t *testing.T) {
	missing := taskJSON(`{"shell": true, "value": "true"}`, "localhost:1/none:1")
	for _, test := range []struct {
		name  string
		match func(*http.Request) bool
		task  string
		after bool // the daemon carries the call out, and only its answer is held
	}{
		{"pull", call(http.MethodPost, "/images/create"), missing, false},
		{"create", call(http.MethodPost, "/containers/create"), busybox("sleep 600"), false},
		{"create's answer", call(http.MethodPost, "/containers/create"), busybox("sleep 600"), true},
		{"attach", call(http.MethodPost, "/attach"), busybox("sleep 600"), false},
		{"start", call(http.MethodPost, "/start"), busybox("sleep 600"), false},
		{"start's answer", call(http.MethodPost, "/start"), busybox("sleep 600"), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := hold(t, docker, test.after, test.match)
			l := begin(t, withHost(p.host))
			l.launch(test.task)
			l.await(mesos.TASK_STARTING)
			<-p.held
			kill(l, 100*time.Millisecond)
			l.await(mesos.TASK_KILLING)
			l.await(mesos.TASK_KILLED)
			close(p.let)
			if status := <-l.exit; status == 0 && !strings.HasPrefix(test.name, "start") {
				t.Error("exit status 0 for a container that never ran")
			}
			l.nothingLeft()
		})
	}
}

func TestHungEngineFailsTheLaunchInBoundedTime(t *testing.T) {
	const limit = 300 * time.Millisecond
	for _, test := range []struct {
		name  string
		match func(*http.Request) bool
		short func(*engine.Limits)
	}{
		{"ping", call(http.MethodGet, "/_ping"), func(l *engine.Limits) { l.Ping = limit }},
		{"info", call(http.MethodGet, "/info"), func(l *engine.Limits) { l.Info = limit }},
		{"image", call(http.MethodGet, "/json"), func(l *engine.Limits) { l.ImageInspect = limit }},
		{"create", call(http.MethodPost, "/containers/create"), func(l *engine.Limits) { l.Create = limit }},
		{"attach", call(http.MethodPost, "/attach"), func(l *engine.Limits) { l.Attach = limit }},
		{"wait", call(http.MethodPost, "/wait"), func(l *engine.Limits) { l.Attach = limit }},
		{"start", call(http.MethodPost, "/start"), func(l *engine.Limits) { l.Start = limit }},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := hold(t, docker, false, test.match)
			l := begin(t, impatient(p.host, test.short))
			l.launch(busybox("sleep 600"))
			l.await(mesos.TASK_STARTING)
			failed := l.await(mesos.TASK_FAILED)
			if failed.GetReason() != mesos.REASON_CONTAINER_LAUNCH_FAILED || !strings.Contains(failed.GetMessage(), "not finished within") {
				t.Errorf("%v: %q", failed.GetReason(), failed.GetMessage())
			}
			close(p.let)
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
	inspect := func(r *http.Request) bool {
		return r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/containers/")
	}
	remove := func(r *http.Request) bool { return r.Method == http.MethodDelete }
	for name, match := range map[string]func(*http.Request) bool{"inspect": inspect, "remove": remove} {
		t.Run(name, func(t *testing.T) {
			p := hold(t, docker, false, match)
			l := begin(t, impatient(p.host, func(l *engine.Limits) { l.Inspect, l.Remove = time.Second, time.Second }))
			l.launch(busybox("sleep 3; exit 3"))
			l.await(mesos.TASK_STARTING)
			l.await(mesos.TASK_RUNNING)
			failed := l.await(mesos.TASK_FAILED)
			if !strings.HasPrefix(failed.GetMessage(), "Container exited with status 3;") {
				t.Errorf("%q", failed.GetMessage())
			}
			close(p.let)
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
