package localagent_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"

	"mesos-docker-executor/executor/localagent"
)

var first = []executor.Event_Type{executor.Event_SUBSCRIBED, executor.Event_LAUNCH}

func TestWholeLifeIsAcknowledgedInOrder(t *testing.T) {
	agent, c := start(t, localagent.Options{})
	s := c.subscribe()
	s.expect(first...)
	for _, state := range []mesos.TaskState{mesos.TASK_STARTING, mesos.TASK_RUNNING, mesos.TASK_FINISHED} {
		status := c.status(state)
		c.update(status)
		if ack := s.expect(executor.Event_ACKNOWLEDGED)[0]; !bytes.Equal(ack.Acknowledged.UUID, status.UUID) {
			t.Errorf("%s: another uuid was acknowledged", state)
		}
	}
	final, err := agent.WaitTerminal(deadline(t, 5*time.Second))
	if err != nil || final.GetState() != mesos.TASK_FINISHED {
		t.Errorf("terminal status %v, %v", final, err)
	}
	if n := len(agent.Statuses()); n != 3 {
		t.Errorf("%d statuses, want 3", n)
	}
	noViolations(t, agent)
}

func TestAcksWithheldAndDuplicated(t *testing.T) {
	agent, c := start(t, localagent.Options{Acks: func(s mesos.TaskStatus) int {
		if s.GetState() == mesos.TASK_STARTING {
			return 0
		}
		return 2
	}})
	s := c.subscribe()
	s.expect(first...)
	c.update(c.status(mesos.TASK_STARTING))
	running := c.status(mesos.TASK_RUNNING)
	c.update(running)
	for _, ack := range s.expect(executor.Event_ACKNOWLEDGED, executor.Event_ACKNOWLEDGED) {
		if !bytes.Equal(ack.Acknowledged.UUID, running.UUID) {
			t.Error("the withheld update was acknowledged")
		}
	}
	noViolations(t, agent)
}

func TestDuplicateUpdateIsAcknowledgedAgainAndToldOnce(t *testing.T) {
	agent, c := start(t, localagent.Options{})
	s := c.subscribe()
	s.expect(first...)
	status := c.status(mesos.TASK_STARTING)
	c.update(status)
	c.update(status)
	s.expect(executor.Event_ACKNOWLEDGED, executor.Event_ACKNOWLEDGED)
	if n := len(agent.Statuses()); n != 1 {
		t.Errorf("the framework was told %d times", n)
	}
	noViolations(t, agent)
}

func TestLateAcceptedComesAfterTheAcknowledgement(t *testing.T) {
	agent, c := start(t, localagent.Options{})
	s := c.subscribe()
	s.expect(first...)
	agent.DelayAccepted(300 * time.Millisecond)
	begin := time.Now()
	var accepted time.Duration
	var posted sync.WaitGroup
	posted.Go(func() {
		c.update(c.status(mesos.TASK_STARTING))
		accepted = time.Since(begin)
	})
	s.expect(executor.Event_ACKNOWLEDGED)
	acknowledged := time.Since(begin)
	posted.Wait()
	if acknowledged >= accepted {
		t.Errorf("acknowledged after %v, accepted after %v", acknowledged, accepted)
	}
}

func TestStreamBreaksOnDemand(t *testing.T) {
	t.Run("at once", func(t *testing.T) {
		agent, c := start(t, localagent.Options{})
		s := c.subscribe()
		s.expect(first...)
		agent.CutStream()
		s.broken()
		agent.Kill(nil)
		entries := agent.Timeline()
		if last := entries[len(entries)-1]; last.Name != "KILL" || !strings.Contains(last.Text, "lost") {
			t.Errorf("a KILL without a subscription is %v, want it lost", last)
		}
	})
	t.Run("in the middle of a frame", func(t *testing.T) {
		agent, c := start(t, localagent.Options{Script: []localagent.Rule{
			{When: localagent.OnUpdate(1), Do: localagent.CutMidFrame},
		}})
		s := c.subscribe()
		s.expect(first...)
		status := c.status(mesos.TASK_STARTING)
		c.update(status)
		if _, err := s.frame(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("read of the frame: %v, want unexpected EOF", err)
		}
		again := c.subscribe(status)
		again.expect(executor.Event_SUBSCRIBED, executor.Event_ACKNOWLEDGED)
		noViolations(t, agent)
	})
}

func TestUnavailableAnswersAreCountedDown(t *testing.T) {
	agent, c := start(t, localagent.Options{})
	agent.NotFound(1)
	agent.Unavailable(2)
	for _, want := range []int{404, 503, 503} {
		if s, code, _, err := c.trySubscribe(nil); s != nil || code != want || err != nil {
			t.Errorf("got %d %v, want %d", code, err, want)
		}
	}
	c.subscribe().expect(first...)
	agent.UnavailableFor(time.Hour)
	if code, _ := c.post(c.call(executor.Call_HEARTBEAT)); code != 503 {
		t.Errorf("got %d, want 503", code)
	}
	agent.UnavailableFor(0)
	if code, _ := c.post(c.call(executor.Call_HEARTBEAT)); code != 202 {
		t.Errorf("got %d, want 202", code)
	}
	noViolations(t, agent)
}

func TestDownRefusesConnectionsOnAPortThatStays(t *testing.T) {
	agent, c := start(t, localagent.Options{})
	s := c.subscribe()
	s.expect(first...)
	for range 20 {
		agent.Down()
		if _, _, _, err := c.trySubscribe(nil); !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
			t.Fatalf("while down: %v", err)
		}
		if err := agent.Up(); err != nil {
			t.Fatal(err)
		}
		c.subscribeWith([]mesos.TaskInfo{agent.Task()}).expect(executor.Event_SUBSCRIBED)
	}
	s.broken()
}

func TestKillAtChosenMoments(t *testing.T) {
	for _, tt := range []struct {
		name   string
		when   localagent.Moment
		events []executor.Event_Type // after SUBSCRIBED
	}{
		{"before launch", localagent.BeforeLaunch(), []executor.Event_Type{executor.Event_SHUTDOWN}},
		{"after launch", localagent.AfterLaunch(), []executor.Event_Type{executor.Event_LAUNCH, executor.Event_KILL}},
		{"on the first update", localagent.OnUpdate(1), []executor.Event_Type{executor.Event_LAUNCH, executor.Event_KILL, executor.Event_ACKNOWLEDGED}},
		{"on a state", localagent.OnState(mesos.TASK_STARTING), []executor.Event_Type{executor.Event_LAUNCH, executor.Event_KILL, executor.Event_ACKNOWLEDGED}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			agent, c := start(t, localagent.Options{Script: []localagent.Rule{{When: tt.when, Do: localagent.Kill(time.Second)}}})
			s := c.subscribe()
			s.expect(executor.Event_SUBSCRIBED)
			if len(tt.events) == 3 {
				c.update(c.status(mesos.TASK_STARTING))
			}
			for _, event := range s.expect(tt.events...) {
				if event.Type == executor.Event_KILL && event.Kill.KillPolicy.GracePeriod.Nanoseconds != time.Second.Nanoseconds() {
					t.Errorf("KILL %v, want a grace of 1 s", event.Kill)
				}
			}
			noViolations(t, agent)
		})
	}
}

func TestKillOfAQueuedTaskShutsTheExecutorDown(t *testing.T) {
	agent, c := start(t, localagent.Options{})
	agent.Kill(nil)
	if status := agent.Statuses(); len(status) != 1 || status[0].GetReason() != mesos.REASON_TASK_KILLED_DURING_LAUNCH {
		t.Errorf("statuses %v", status)
	}
	c.subscribe().expect(executor.Event_SHUTDOWN)
}

func TestShutdownIsRepeatedAndTheStreamEnds(t *testing.T) {
	agent, c := start(t, localagent.Options{Script: []localagent.Rule{
		{When: localagent.OnSubscribe(1), Do: (*localagent.Agent).Shutdown},
	}})
	c.subscribe().expect(executor.Event_SHUTDOWN)
	s := c.subscribe()
	s.expect(executor.Event_SHUTDOWN)
	if _, err := s.frame(); !errors.Is(err, io.EOF) {
		t.Errorf("after SHUTDOWN: %v, want the end of the stream", err)
	}
	noViolations(t, agent)
}

func TestWaitingEndsWithTheContextAndShowsTheTimeline(t *testing.T) {
	agent, c := start(t, localagent.Options{})
	c.subscribe().expect(first...)
	_, err := agent.WaitState(deadline(t, 50*time.Millisecond), mesos.TASK_RUNNING)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "event LAUNCH") {
		t.Errorf("error %v", err)
	}
}
