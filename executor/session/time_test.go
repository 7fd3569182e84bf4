package session

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

// pipeListener connects without the kernel, so that synctest can see that nobody has
// anything to do, and advance the clock.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error   { l.once.Do(func() { close(l.closed) }); return nil }
func (l *pipeListener) Addr() net.Addr { return &net.TCPAddr{} }

func (l *pipeListener) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case l.conns <- theirs:
		return ours, nil
	case <-l.closed:
		return nil, errors.New("connection refused")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// bubble runs a session with its real intervals against an agent, in virtual time.
func bubble(t *testing.T, opts Options, test func(t *testing.T, agent *fakeAgent, s *Session)) {
	synctest.Test(t, func(t *testing.T) {
		l := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
		agent := serveAgent(t, l, "")
		s := New(opts)
		s.dial = l.dial
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Run(ctx) }()
		test(t, agent, s)
		stop()
		<-done
	})
}

// next waits for the next event of a session in a bubble, which must be of type E.
func next[E Event](t *testing.T, s *Session) E {
	t.Helper()
	var got E
	select {
	case e := <-s.Events():
		var ok bool
		if got, ok = e.(E); !ok {
			t.Fatalf("event %#v, want a %T", e, got)
		}
	case <-time.After(time.Hour):
		t.Fatalf("no event %T", got)
	}
	return got
}

func unavailable(int) (int, string) { return http.StatusServiceUnavailable, "recovering" }

func TestHeartbeatEvery30Minutes(t *testing.T) {
	bubble(t, options("http://agent/"), func(t *testing.T, agent *fakeAgent, s *Session) {
		began := time.Now()
		agent.subscribed()
		<-s.Events()
		for i := range 3 {
			// The harness's own patience is virtual too.
			c := <-agent.calls
			if want := time.Duration(i+1) * 30 * time.Minute; c.Type != executor.Call_HEARTBEAT || time.Since(began) != want {
				t.Errorf("%s after %s, want it after %s", c.Type, time.Since(began), want)
			}
		}
	})
}

func TestRecoveryTimerIsOnePerDisconnection(t *testing.T) {
	opts := options("http://agent/")
	opts.RecoveryTimeout = time.Minute
	opts.BackoffMax = 2 * time.Second
	bubble(t, opts, func(t *testing.T, agent *fakeAgent, s *Session) {
		first := agent.subscribed()
		<-s.Events()
		time.Sleep(time.Hour)
		agent.set(func() { agent.onSubscribe = func(int) (int, string) { return http.StatusServiceUnavailable, "" } })
		first.close()
		time.Sleep(55 * time.Second)
		agent.set(func() { agent.onSubscribe = nil })
		second := agent.subscribed()
		if e, ok := (<-s.Events()).(Subscribed); !ok || !e.Again {
			t.Fatalf("%#v", e)
		}
		agent.set(func() { agent.onSubscribe = func(int) (int, string) { return http.StatusServiceUnavailable, "" } })
		time.Sleep(10 * time.Second) // past the first timer
		second.close()
		began := time.Now()
		e, ok := (<-s.Events()).(Lost)
		if !ok || !errors.Is(e.Err, ErrRecoveryTimeout) || time.Since(began) != opts.RecoveryTimeout {
			t.Errorf("%#v after %s", e, time.Since(began))
		}
	})
}

// An agent that is back waits 2 s for its executors, and starts to count after up to any time.
func TestAttemptsAreFrequentHoweverLongTheAgentIsAway(t *testing.T) {
	opts := options("http://agent/")
	opts.RecoveryTimeout = time.Hour
	opts.BackoffMax = 2 * time.Second
	bubble(t, opts, func(t *testing.T, agent *fakeAgent, s *Session) {
		var last time.Time
		longest, attempts := time.Duration(0), 0
		agent.set(func() {
			agent.onSubscribe = func(int) (int, string) {
				if attempts++; attempts > 1 {
					longest = max(longest, time.Since(last))
				}
				last = time.Now()
				return http.StatusServiceUnavailable, ""
			}
		})
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if longest > 500*time.Millisecond || attempts < 5*60*2 || attempts > 5*60*10 {
			t.Errorf("%d attempts, at most %s apart", attempts, longest)
		}
	})
}

func TestRecoveryTimeoutLosesTheTaskButTheSessionGoesOn(t *testing.T) {
	opts := options("http://agent/")
	opts.BackoffMax = 2 * time.Second
	bubble(t, opts, func(t *testing.T, agent *fakeAgent, s *Session) {
		first := agent.subscribed()
		next[Subscribed](t, s)
		time.Sleep(2 * opts.RecoveryTimeout) // the timer ended with SUBSCRIBED
		agent.set(func() { agent.onSubscribe = unavailable })
		first.close()
		if lost := next[Lost](t, s); !errors.Is(lost.Err, ErrRecoveryTimeout) || !strings.Contains(lost.Err.Error(), "503") {
			t.Errorf("lost: %v", lost.Err)
		}
		// The task is ended now, and its last update still gets out when the agent is back after all.
		s.Update(status("t1", mesos.TASK_KILLED))
		time.Sleep(2 * opts.RecoveryTimeout)
		agent.set(func() { agent.onSubscribe = nil })
		last := agent.stream()
		updates := last.call.Subscribe.UnacknowledgedUpdates
		if len(updates) != 1 || updates[0].Status.GetState() != mesos.TASK_KILLED {
			t.Fatalf("updates %v", updates)
		}
		last.send(subscribedEvent(), ackEvent(updates[0].Status))
		next[Subscribed](t, s)
		next[Acknowledged](t, s)
	})
}

func TestRecoveryTimerDoesNotStartAgainWithEachAttempt(t *testing.T) {
	opts := options("http://agent/")
	opts.BackoffMax = 2 * time.Second
	bubble(t, opts, func(t *testing.T, agent *fakeAgent, s *Session) {
		began := time.Now()
		agent.set(func() { agent.onSubscribe = unavailable })
		next[Lost](t, s)
		if n := agent.attempts(); n < 3 || time.Since(began) != opts.RecoveryTimeout {
			t.Errorf("%d attempts, lost after %s", n, time.Since(began))
		}
	})
}

func TestRecoveryTimeoutOfZeroIsOverAtOnce(t *testing.T) {
	opts := options("http://agent/")
	opts.RecoveryTimeout, opts.BackoffMax = 0, 2*time.Second
	bubble(t, opts, func(t *testing.T, agent *fakeAgent, s *Session) {
		agent.set(func() { agent.onSubscribe = unavailable })
		time.Sleep(10 * time.Second) // the first subscription has its own time
		agent.set(func() { agent.onSubscribe = nil })
		first := agent.subscribed()
		next[Subscribed](t, s)
		time.Sleep(time.Hour)
		began := time.Now()
		first.close()
		if lost := next[Lost](t, s); !errors.Is(lost.Err, ErrRecoveryTimeout) || time.Since(began) != 0 {
			t.Errorf("lost after %s: %v", time.Since(began), lost.Err)
		}
	})
}

func TestAgentThatDoesNotAnswerIsGivenUp(t *testing.T) {
	bubble(t, options("http://agent/"), func(t *testing.T, agent *fakeAgent, s *Session) {
		began := time.Now()
		agent.stream().dropped() // 200, and then nothing
		if waited := time.Since(began); waited != 15*time.Second {
			t.Errorf("given up after %s", waited)
		}
		second := agent.subscribed()
		next[Subscribed](t, s)
		time.Sleep(time.Hour) // a subscription may be as silent as it likes
		second.send(launchEvent("t1"))
		next[Launch](t, s)
	})
}

// An agent that ends the executor says nothing but SHUTDOWN to SUBSCRIBE and closes the stream.
func TestUpdatesGetOutAfterShutdownInPlaceOfSubscribed(t *testing.T) {
	opts := options("http://agent/")
	bubble(t, opts, func(t *testing.T, agent *fakeAgent, s *Session) {
		s.Update(status("t1", mesos.TASK_RUNNING)) // with SUBSCRIBE, which the agent does not look at
		refuse := func() {
			again := agent.stream()
			again.send(&executor.Event{Type: executor.Event_SHUTDOWN})
			again.close()
		}
		refuse()
		next[Shutdown](t, s)
		if c := agent.accepted(); c.Update.Status.GetState() != mesos.TASK_RUNNING {
			t.Errorf("update %v", c.Update.Status)
		}
		time.Sleep(time.Second)
		s.Update(status("t1", mesos.TASK_KILLING))
		if c := agent.accepted(); c.Update.Status.GetState() != mesos.TASK_KILLING || agent.attempts() != 1 {
			t.Errorf("update %v, %d attempts", c.Update.Status, agent.attempts())
		}
		refuse() // and again, while the task takes its time to end
		time.Sleep(100 * time.Millisecond)
		s.Update(status("t1", mesos.TASK_KILLED))
		for range 3 { // nothing is acknowledged, so what was before comes again
			c := agent.accepted()
			if c.Update.Status.GetState() == mesos.TASK_KILLED {
				return
			}
		}
		t.Error("TASK_KILLED did not get out")
	})
}

func TestNudgesDoNotSpeedUpAttemptsWithoutLimit(t *testing.T) {
	opts := options("http://agent/")
	opts.BackoffMax = 2 * time.Second
	bubble(t, opts, func(t *testing.T, agent *fakeAgent, s *Session) {
		agent.set(func() { agent.onSubscribe = unavailable })
		const seconds = 10
		for range seconds * 1000 {
			s.Nudge()
			time.Sleep(time.Millisecond)
		}
		if n := agent.attempts(); n < seconds*10 || n > seconds*1000/20+1 {
			t.Errorf("%d attempts in %d s", n, seconds)
		}
	})
}

func TestNudgesDoNotKeepASlowAgentFromAnswering(t *testing.T) {
	bubble(t, options("http://agent/"), func(t *testing.T, agent *fakeAgent, s *Session) {
		ctx, stop := context.WithCancel(t.Context())
		var nudges sync.WaitGroup
		defer nudges.Wait()
		defer stop()
		nudges.Go(func() {
			for ctx.Err() == nil {
				s.Nudge()
				time.Sleep(time.Millisecond)
			}
		})
		agent.stream().dropped() // given up for the first nudge: it may hang
		second := agent.stream()
		time.Sleep(10 * time.Second)
		second.send(subscribedEvent())
		next[Subscribed](t, s)
	})
}

func TestNudgesDoNotEndASubscription(t *testing.T) {
	bubble(t, options("http://agent/"), func(t *testing.T, agent *fakeAgent, s *Session) {
		first := agent.subscribed()
		next[Subscribed](t, s)
		for range 100 {
			time.Sleep(time.Second)
			s.Nudge()
		}
		first.send(launchEvent("t1"))
		next[Launch](t, s)
		if n := agent.attempts(); n != 1 {
			t.Errorf("%d attempts", n)
		}
	})
}
