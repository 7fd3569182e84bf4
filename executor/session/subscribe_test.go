package session

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

func TestSubscribedTellsWhatTheAgentSaid(t *testing.T) {
	agent := newAgent(t)
	opts := options(agent.url)
	opts.Token = "secret-token"
	opts.ContainerID = "from the path"
	r := start(t, opts)
	first := agent.subscribed()
	if e := event[Subscribed](r); e.Again || e.ContainerID != "container" || e.Framework.Name != "test" || e.Agent.Hostname != "host" || e.Executor.ExecutorID.Value != "executor" {
		t.Errorf("%+v", e)
	}
	if got := first.header.Get("Authorization"); got != "Bearer secret-token" {
		t.Errorf("authorization %q", got)
	}
	first.close()
	second := agent.stream()
	old := subscribedEvent()
	old.Subscribed.ContainerID = nil
	second.send(old)
	if e := event[Subscribed](r); !e.Again || e.ContainerID != "from the path" {
		t.Errorf("%+v", e)
	}
	if strings.Contains(r.log.String(), "secret-token") {
		t.Error("the token is in the log")
	}
}

func TestEventsReachTheOwnerInOrder(t *testing.T) {
	agent := newAgent(t)
	r := start(t, options(agent.url))
	s := agent.subscribed()
	s.send(
		&executor.Event{Type: executor.Event_HEARTBEAT},
		launchEvent("t1"),
		&executor.Event{Type: 99},
		&executor.Event{Type: executor.Event_MESSAGE, Message: &executor.Event_Message{Data: []byte("data")}},
		&executor.Event{Type: executor.Event_LAUNCH_GROUP, LaunchGroup: &executor.Event_LaunchGroup{
			TaskGroup: mesos.TaskGroupInfo{Tasks: []mesos.TaskInfo{taskInfo("p1"), taskInfo("p2")}}}},
		&executor.Event{Type: executor.Event_KILL, Kill: &executor.Event_Kill{TaskID: mesos.TaskID{Value: "t1"}}},
		&executor.Event{Type: executor.Event_KILL, Kill: &executor.Event_Kill{TaskID: mesos.TaskID{Value: "t1"},
			KillPolicy: &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: 3e9}}}},
		&executor.Event{Type: executor.Event_SHUTDOWN},
		&executor.Event{Type: executor.Event_SHUTDOWN},
	)
	event[Subscribed](r)
	if e := event[Launch](r); e.Task.TaskID.Value != "t1" || e.Err != nil || len(e.Raw) == 0 {
		t.Errorf("%+v", e)
	}
	if e := event[LaunchGroup](r); fmt.Sprint(e.TaskIDs) != "[p1 p2]" {
		t.Errorf("%+v", e)
	}
	if e := event[Kill](r); e.TaskID != "t1" || e.Grace != nil {
		t.Errorf("%+v", e)
	}
	if e := event[Kill](r); e.Grace == nil || *e.Grace != 3*time.Second {
		t.Errorf("%+v", e)
	}
	event[Shutdown](r)
	r.silent(20 * time.Millisecond) // SHUTDOWN comes once
}

func TestSlowOwnerDoesNotHoldUpTheSession(t *testing.T) {
	agent := newAgent(t)
	r := start(t, options(agent.url))
	s := agent.subscribed()
	for i := range 500 { // nobody reads
		s.send(launchEvent(fmt.Sprint("t", i)))
	}
	r.Update(status("t0", mesos.TASK_STARTING))
	agent.accepted()
	event[Subscribed](r)
	for i := range 500 {
		if e := event[Launch](r); e.Task.TaskID.Value != fmt.Sprint("t", i) {
			t.Fatalf("launch %d of %s", i, e.Task.TaskID.Value)
		}
	}
}

func TestSubscribeIsRepeatedWhileTheAgentIsNotReady(t *testing.T) {
	agent := newAgent(t)
	codes := []int{503, 404, 401, 500, 502, 429}
	agent.onSubscribe = func(n int) (int, string) {
		if n <= 3*len(codes) {
			return codes[n%len(codes)], "not yet"
		}
		return http.StatusOK, ""
	}
	r := start(t, options(agent.url))
	agent.subscribed()
	event[Subscribed](r)
}

func TestSubscribeIsRepeatedWhileNobodyListens(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	s, log := prepare(options("http://" + address + "/api/v1/executor"))
	agent := &fakeAgent{t: t}
	r := run(t, s, log)
	r.logged("connection refused")
	if l, err = net.Listen("tcp", address); err != nil {
		t.Fatal(err)
	}
	agent = serveAgent(t, l, "")
	agent.subscribed()
	event[Subscribed](r)
	r.stop() // before the agent's own goroutines are counted as ours
	agent.stop()
}

func TestFinalRefusalEndsTheSession(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		text   string
	}{
		"unknown executor":  {400, "Executor cannot be found"},
		"unknown framework": {400, "Framework cannot be found"},
		"bad call":          {400, "Failed to validate"},
		"token of another":  {403, "claims mismatch"},
		"wrong method":      {405, ""},
		"wrong accept":      {406, ""},
		"wrong type":        {415, ""},
		"unknown call":      {501, ""},
		"redirect":          {307, ""},
		"not an agent":      {204, ""},
	} {
		t.Run(name, func(t *testing.T) {
			agent := newAgent(t)
			agent.onSubscribe = func(int) (int, string) { return test.status, test.text }
			r := start(t, options(agent.url))
			lost := event[Lost](r)
			err := r.end()
			var refusal *RefusedError
			if !errors.As(err, &refusal) || refusal.Status != test.status || refusal.Text != test.text || lost.Err != err {
				t.Errorf("error %v, lost %v", err, lost.Err)
			}
			if _, open := <-r.Events(); open {
				t.Error("events after the end")
			}
			if n := agent.attempts(); n != 1 {
				t.Errorf("%d attempts", n)
			}
		})
	}
}

func TestUnusableURLEndsTheSession(t *testing.T) {
	for _, url := range []string{"", "127.0.0.1:5051", "ftp://127.0.0.1/", "http://%zz", "https://127.0.0.1/"} {
		r := start(t, options(url))
		if lost := event[Lost](r); r.end() != lost.Err {
			t.Errorf("%q: lost %v", url, lost.Err)
		}
	}
}

func TestSubscriptionIsReplacedWhenTheStreamIsBad(t *testing.T) {
	for name, spoil := range map[string]func(*stream){
		"closed":          func(s *stream) { s.close() },
		"cut in a length": func(s *stream) { s.write([]byte("10")); s.close() },
		"cut in a record": func(s *stream) { s.write([]byte("10\nabc")); s.close() },
		"framing":         func(s *stream) { s.write([]byte("<html>")) },
		"garbage":         func(s *stream) { s.record([]byte("garbage")) },
		"no content":      func(s *stream) { s.record([]byte{8, 2}) },
		"ERROR": func(s *stream) {
			s.send(&executor.Event{Type: executor.Event_ERROR, Error: &executor.Event_Error{Message: "go away"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			agent := newAgent(t)
			r := start(t, options(agent.url))
			for range 3 {
				s := agent.subscribed()
				event[Subscribed](r)
				spoil(s)
				s.dropped()
			}
			agent.subscribed()
			event[Subscribed](r)
		})
	}
}

func TestStreamOfAnotherKindIsDropped(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	other := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "3\nabc")
	})}
	go other.Serve(l)
	defer other.Close()
	r := start(t, options("http://"+l.Addr().String()+"/"))
	r.logged("text/html")
	r.silent(0)
}

func TestWithoutCheckpointingALostConnectionIsFinalForTheTask(t *testing.T) {
	agent := newAgent(t)
	agent.onSubscribe = func(n int) (int, string) { // the first subscription may take its time
		if n < 5 {
			return 503, ""
		}
		return 200, ""
	}
	opts := options(agent.url)
	opts.Checkpoint = false
	r := start(t, opts)
	s := agent.subscribed()
	event[Subscribed](r)
	s.close()
	if lost := event[Lost](r); !errors.Is(lost.Err, ErrConnectionLost) {
		t.Errorf("lost: %v", lost.Err)
	}
	agent.subscribed().close()
	if e := event[Subscribed](r); !e.Again {
		t.Errorf("%+v", e)
	}
	agent.subscribed()
	event[Subscribed](r) // and no second Lost
}

func TestWithoutCheckpointingTheFirstSubscriptionIsAwaitedForALimitedTime(t *testing.T) {
	agent := newAgent(t)
	agent.onSubscribe = func(int) (int, string) { return 503, "" }
	opts := options(agent.url)
	opts.Checkpoint = false
	s, log := prepare(opts)
	s.pace.firstSubscription = 50 * time.Millisecond
	r := run(t, s, log)
	if lost := event[Lost](r); !errors.Is(lost.Err, ErrRecoveryTimeout) {
		t.Errorf("lost: %v", lost.Err)
	}
}

func TestNudgeSubscribesAtOnce(t *testing.T) {
	agent := newAgent(t)
	agent.onSubscribe = func(n int) (int, string) {
		if n == 1 {
			return 503, ""
		}
		return 200, ""
	}
	opts := options(agent.url)
	opts.BackoffMax = time.Hour
	s, log := prepare(opts)
	s.pace.retryMin, s.pace.retryMax = time.Hour, time.Hour
	r := run(t, s, log)
	r.logged("503")
	r.Nudge() // ends the pause
	agent.subscribed()
	event[Subscribed](r)
}

func TestNudgeReplacesAnAttemptThatHangs(t *testing.T) {
	agent := newAgent(t)
	r := start(t, options(agent.url))
	hanging := agent.stream()
	eventually(t, "nudge to be followed", func() bool { r.Nudge(); return agent.attempts() == 2 })
	hanging.dropped()
	agent.subscribed()
	event[Subscribed](r)
}

func TestAgentIdThatDiffersIsReportedAndUpdatesStillCount(t *testing.T) {
	agent := newAgent(t)
	opts := options(agent.url)
	opts.AgentID = "another"
	r := start(t, opts)
	agent.subscribed()
	event[Subscribed](r)
	r.logged("another id")
	r.Update(status("t1", mesos.TASK_RUNNING))
	// An agent drops an update with another id than its own, after it has answered 202.
	if c := agent.accepted(); c.Update.Status.AgentID != nil {
		t.Errorf("agent id %v", c.Update.Status.AgentID)
	}
}

func TestUnusablePausesEndTheSession(t *testing.T) {
	for name, change := range map[string]func(*Options){
		"recovery timeout": func(o *Options) { o.RecoveryTimeout = -1 },
		"longest pause":    func(o *Options) { o.BackoffMax = 0 },
	} {
		opts := options("http://127.0.0.1:1/")
		change(&opts)
		r := start(t, opts)
		if lost := event[Lost](r); r.end() != lost.Err || !strings.Contains(lost.Err.Error(), name) {
			t.Errorf("%s: lost %v", name, lost.Err)
		}
	}
}

func TestRunRunsOnce(t *testing.T) {
	agent := newAgent(t)
	r := start(t, options(agent.url))
	agent.subscribed()
	event[Subscribed](r)
	if err := r.Run(t.Context()); err == nil {
		t.Error("no error")
	}
	r.stop()
	if err := r.end(); err != nil {
		t.Errorf("a session that was stopped: %v", err)
	}
}

func TestRunEndsWithUndeliveredEvents(t *testing.T) {
	agent := newAgent(t)
	r := start(t, options(agent.url))
	agent.subscribed().send(launchEvent("t1"))
	r.Update(status("t1", mesos.TASK_STARTING))
	agent.accepted()
	r.stop() // nobody ever read
	r.end()
}

func TestPauses(t *testing.T) {
	p := normalPace()
	for range 1000 {
		if d := p.retry(2 * time.Second); d < 100*time.Millisecond || d > 500*time.Millisecond {
			t.Fatalf("pause %s", d)
		}
		if d := p.retry(50 * time.Millisecond); d < 25*time.Millisecond || d > 50*time.Millisecond {
			t.Fatalf("pause %s above the limit", d)
		}
		if d := p.pauseAfter(ending{up: true, lived: time.Hour, rejected: true}, 2*time.Second); d < time.Second || d > 2*time.Second {
			t.Fatalf("pause %s after a bad stream", d)
		}
		if d := p.pauseAfter(ending{up: true, lived: time.Millisecond}, 2*time.Second); d < 100*time.Millisecond {
			t.Fatalf("pause %s after a stream that was closed at once", d)
		}
	}
	if d := p.pauseAfter(ending{up: true, lived: time.Hour}, 2*time.Second); d != 0 {
		t.Errorf("pause %s after a stream that lived", d)
	}
	if d := p.pauseAfter(ending{nudged: true}, 2*time.Second); d != 20*time.Millisecond {
		t.Errorf("pause %s after a nudge", d)
	}
}
