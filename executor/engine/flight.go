package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// flights are the inspects under way, by the name that was asked for. golang.org/x/sync/singleflight would not do: it neither ends
// a call that nobody waits for any more, nor lets one go on whose first caller has given up.
type flights struct {
	mu   sync.Mutex
	open map[string]*flight
}

// flight is one request and those who wait for its answer.
type flight struct {
	waiting int                     // guarded by flights.mu
	cancel  context.CancelCauseFunc // called when that is zero again

	done   chan struct{} // closed once the answer is final
	answer Container
	err    error
}

// limitOver ends a request that has outlived the limits of all who waited for it.
type limitOver struct{ limit time.Duration }

func (l *limitOver) Error() string        { return fmt.Sprintf("not finished within %s", l.limit) }
func (l *limitOver) Is(target error) bool { return target == context.DeadlineExceeded }

// inspectShared waits at most limit for the answer of the request under way, or of a new one.
func (e *Engine) inspectShared(parent context.Context, idOrName string, limit time.Duration) (Container, error) {
	began := time.Now()
	ctx, cancel := context.WithTimeoutCause(parent, limit, &limitOver{limit})
	defer cancel()
	if err := parent.Err(); err != nil { // whoever has given up already gets no request sent
		return Container{}, &CallError{Call: "inspect", Outcome: Refused, Limit: limit, Err: err}
	}
	f := e.inspects.join(parent, idOrName, e.inspectOnce)
	select {
	case <-f.done:
	case <-ctx.Done():
	}
	cause := context.Cause(ctx)
	outcome := Unknown
	if e.inspects.leave(idOrName, f, cause) { // the request ends now, and knows best what became of it
		<-f.done
		outcome = OutcomeOf(f.err)
	}
	select {
	case <-f.done:
		if cause == nil || !errors.Is(f.err, cause) {
			return f.answer, f.err
		}
	default:
	}
	return Container{}, &CallError{Call: "inspect", Outcome: outcome, Took: time.Since(began), Limit: limit, Err: gaveUp(parent, cause)}
}

// gaveUp is the error of a caller whose context or limit ended.
func gaveUp(parent context.Context, cause error) error {
	gone := parent.Err()
	switch {
	case gone == nil:
		return context.DeadlineExceeded
	case errors.Is(cause, gone):
		return gone
	}
	return fmt.Errorf("%w: %w", gone, cause)
}

// join adds a caller to the request under way for key, which begins if there is none. It has the values of parent, not its end.
func (s *flights) join(parent context.Context, key string, ask func(context.Context, string) (Container, error)) *flight {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.open[key]
	if f == nil {
		ctx, cancel := context.WithCancelCause(context.WithoutCancel(parent))
		f = &flight{cancel: cancel, done: make(chan struct{})}
		if s.open == nil {
			s.open = map[string]*flight{}
		}
		s.open[key] = f
		go func() {
			defer close(f.done)
			f.answer, f.err = ask(ctx, key)
			s.forget(key, f)
		}()
	}
	f.waiting++
	return f
}

// leave takes a caller away and ends the request if it was the last; cause is why it goes.
func (s *flights) leave(key string, f *flight, cause error) (last bool) {
	s.mu.Lock()
	f.waiting--
	last = f.waiting == 0
	s.mu.Unlock()
	if last {
		s.forget(key, f) // nobody may join what is about to end
		f.cancel(cause)
	}
	return last
}

func (s *flights) forget(key string, f *flight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open[key] == f {
		delete(s.open, key)
	}
}
