package session

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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
