package localagent_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
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

// listener plays the executor's registered libprocess listener.
func listener(t *testing.T) (net.Listener, <-chan string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 8)
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			served.Go(func() {
				defer conn.Close()
				_ = conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
				raw, _ := io.ReadAll(conn)
				got <- string(raw)
			})
		}
	})
	t.Cleanup(func() { l.Close(); served.Wait() })
	return l, got
}

func registerPid(t *testing.T, agent *localagent.Agent, address string) {
	t.Helper()
	pids := filepath.Join(strings.Replace(agent.Sandbox(), "/slaves/", "/meta/slaves/", 1), "pids")
	if err := os.WriteFile(filepath.Join(pids, "libprocess.pid"), []byte("executor(1)@"+address), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestRestartWithRecovery(t *testing.T) {
	for _, mode := range []localagent.Mode{localagent.DropIn, localagent.Custom} {
		t.Run(string(mode), func(t *testing.T) {
			agent, c := start(t, localagent.Options{Mode: mode, ReregistrationTimeout: 500 * time.Millisecond})
			l, posted := listener(t)
			registerPid(t, agent, l.Addr().String())
			s := c.subscribe()
			s.expect(first...)
			agent.WithholdAcks(true)
			starting := c.status(mesos.TASK_STARTING)
			c.update(starting)

			done := make(chan error, 1)
			go func() {
				done <- agent.Restart(t.Context(), localagent.Restart{Down: 50 * time.Millisecond, Recovery: 100 * time.Millisecond})
			}()
			s.broken()
			agent.WithholdAcks(false)
			var again *subscription
			unavailable := false
			for again == nil {
				var code int
				again, code, _, _ = c.trySubscribe(nil, starting)
				unavailable = unavailable || code == 503
			}
			if !unavailable {
				t.Error("SUBSCRIBE was never answered 503 during recovery")
			}
			again.expect(executor.Event_SUBSCRIBED, executor.Event_ACKNOWLEDGED)
			running := c.call(executor.Call_UPDATE)
			running.Update = &executor.Call_Update{Status: c.status(mesos.TASK_RUNNING)}
			if code, _ := c.post(running); code != 503 {
				t.Errorf("UPDATE within the re-registration window was answered %d, want 503", code)
			}
			if err := <-done; err != nil {
				t.Fatal(err)
			}
			if code, text := c.post(running); code != 202 {
				t.Errorf("UPDATE after recovery was answered %d %s", code, text)
			}
			if mode == localagent.DropIn {
				checkReconnect(t, agent, posted)
			}
			noViolations(t, agent)
		})
	}
}

func checkReconnect(t *testing.T, agent *localagent.Agent, posted <-chan string) {
	t.Helper()
	messages := []string{<-posted, <-posted}
	if messages[0] != "" { // the two are read at the same time
		messages[0], messages[1] = messages[1], messages[0]
	}
	if messages[0] != "" {
		t.Errorf("no empty probe connection, but %q", messages[0])
	}
	for _, want := range []string{
		"POST /executor(1)/mesos.internal.ReconnectExecutorMessage HTTP/1.1\r\n", "Transfer-Encoding: chunked\r\n",
		"Libprocess-From: slave(1)@" + agent.Endpoint() + "\r\n", agent.IDs().AgentID,
	} {
		if !strings.Contains(messages[1], want) {
			t.Errorf("the message lacks %q:\n%s", want, messages[1])
		}
	}
}

func TestRestartThatForgets(t *testing.T) {
	for _, tt := range []struct {
		name    string
		options localagent.Options
		restart localagent.Restart
		text    string
	}{
		{"drop-in without libprocess.pid", localagent.Options{}, localagent.Restart{}, "Executor cannot be found"},
		{"custom without checkpoint", localagent.Options{Mode: localagent.Custom, NoCheckpoint: true}, localagent.Restart{}, "Executor cannot be found"},
		{"executor", localagent.Options{Mode: localagent.Custom}, localagent.Restart{Forget: localagent.ForgetExecutor}, "Executor cannot be found"},
		{"framework", localagent.Options{Mode: localagent.Custom}, localagent.Restart{Forget: localagent.ForgetFramework}, "Framework cannot be found"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			stopped := ""
			tt.options.StopContainer = func(_ context.Context, name string) error { stopped = name; return nil }
			agent, c := start(t, tt.options)
			c.subscribe().expect(first...)
			if err := agent.Restart(t.Context(), tt.restart); err != nil {
				t.Fatal(err)
			}
			if _, code, text, err := c.trySubscribe(nil); err != nil || code != 400 || text != tt.text {
				t.Errorf("SUBSCRIBE: %d %q %v, want 400 %q", code, text, err, tt.text)
			}
			status := agent.Statuses()
			if len(status) != 1 || status[0].GetState() != mesos.TASK_FAILED || status[0].GetReason() != mesos.REASON_EXECUTOR_TERMINATED {
				t.Errorf("statuses %v", status)
			}
			if tt.options.Mode == "" && stopped != agent.ContainerName() {
				t.Errorf("stopped container %q, want the orphan %q", stopped, agent.ContainerName())
			}
			noViolations(t, agent)
		})
	}
}

func TestTaskThatNeverArrivedIsDroppedAfterARestart(t *testing.T) {
	agent, c := start(t, localagent.Options{Mode: localagent.Custom, ReregistrationTimeout: 300 * time.Millisecond})
	c.subscribe().expect(executor.Event_SUBSCRIBED)
	done := make(chan error, 1)
	go func() { done <- agent.Restart(t.Context(), localagent.Restart{}) }()
	var s *subscription
	for s == nil {
		s, _, _, _ = c.trySubscribe(nil) // without the task: LAUNCH was not read
		if s != nil && agent.Count(localagent.Note, "restart") < 2 {
			s = nil // that was the agent before the restart
		}
	}
	s.expect(executor.Event_SHUTDOWN)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if status := agent.Statuses(); len(status) != 1 || status[0].GetState() != mesos.TASK_DROPPED {
		t.Errorf("statuses %v", status)
	}
}

func TestViolationsAreNoticed(t *testing.T) {
	send := func(c *client, states ...mesos.TaskState) {
		for _, state := range states {
			c.update(c.status(state))
		}
	}
	for _, tt := range []struct {
		name string
		acts func(*client, *localagent.Agent)
		want string
	}{
		{"running after killing", func(c *client, _ *localagent.Agent) {
			send(c, mesos.TASK_STARTING, mesos.TASK_KILLING, mesos.TASK_RUNNING)
		}, "TASK_RUNNING after TASK_KILLING"},
		{"second terminal", func(c *client, _ *localagent.Agent) { send(c, mesos.TASK_FINISHED, mesos.TASK_KILLED) }, "second terminal"},
		{"update after terminal", func(c *client, _ *localagent.Agent) { send(c, mesos.TASK_FINISHED, mesos.TASK_RUNNING) }, "after the terminal"},
		{"missing update", func(c *client, agent *localagent.Agent) {
			agent.WithholdAcks(true)
			send(c, mesos.TASK_STARTING)
			agent.CutStream()
			c.subscribe()
		}, "lacks the unacknowledged update TASK_STARTING"},
		{"forgotten after 503", func(c *client, agent *localagent.Agent) {
			agent.Unavailable(1)
			call := c.call(executor.Call_UPDATE)
			call.Update = &executor.Call_Update{Status: c.status(mesos.TASK_STARTING)}
			c.post(call)
			agent.CutStream()
			c.subscribe()
		}, "lacks the unacknowledged update TASK_STARTING"},
		{"replay out of order", func(c *client, agent *localagent.Agent) {
			agent.WithholdAcks(true)
			one, two := c.status(mesos.TASK_STARTING), c.status(mesos.TASK_RUNNING)
			c.update(one)
			c.update(two)
			agent.CutStream()
			c.subscribe(two, one)
		}, "out of order"},
		{"older update sent again", func(c *client, agent *localagent.Agent) {
			one, two := c.status(mesos.TASK_STARTING), c.status(mesos.TASK_RUNNING)
			c.update(one)
			c.update(two)
			c.update(one)
		}, "after a later one"},
		{"same uuid, other contents", func(c *client, agent *localagent.Agent) {
			status := c.status(mesos.TASK_STARTING)
			c.update(status)
			status.Message = ptr("changed")
			c.update(status)
		}, "other contents"},
		{"two in flight", func(c *client, agent *localagent.Agent) {
			agent.DelayAccepted(300 * time.Millisecond)
			var both sync.WaitGroup
			both.Go(func() { c.update(c.status(mesos.TASK_STARTING)) })
			if _, err := agent.WaitState(deadline(c.t, 5*time.Second), mesos.TASK_STARTING); err != nil {
				c.t.Error(err)
			}
			c2 := *c
			c2.clock = 5
			both.Go(func() { c2.update(c2.status(mesos.TASK_RUNNING)) })
			both.Wait()
		}, "in flight at once"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			agent, c := start(t, localagent.Options{})
			c.subscribe().expect(first...)
			tt.acts(c, agent)
			v := agent.Violations()
			if len(v) != 1 || !strings.Contains(v[0], tt.want) {
				t.Errorf("violations %q, want one with %q", v, tt.want)
			}
		})
	}
}

func TestWaitingEndsWithTheContextAndShowsTheTimeline(t *testing.T) {
	agent, c := start(t, localagent.Options{})
	c.subscribe().expect(first...)
	_, err := agent.WaitState(deadline(t, 50*time.Millisecond), mesos.TASK_RUNNING)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "event LAUNCH") {
		t.Errorf("error %v", err)
	}
}
