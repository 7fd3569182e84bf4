package session

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Run converses with the agent until ctx ends (nil) or the agent's refusal is final (a
// [*RefusedError], or an error wrapping [ErrUnusableEvent]; in both cases [Lost] has been delivered as well, if
// the owner took its events before ctx ended). It may be called once.
func (s *Session) Run(ctx context.Context) error {
	if s.running.Swap(true) {
		return errors.New("a session runs only once")
	}
	var delivery sync.WaitGroup
	delivery.Go(func() { s.queue.deliver(ctx) })
	err := s.keepSubscribed(ctx)
	if err != nil {
		s.lose(err)
	}
	s.queue.close()
	delivery.Wait()
	return err
}

// keepSubscribed subscribes again and again.
func (s *Session) keepSubscribed(ctx context.Context) error {
	if err := s.opts.check(); err != nil {
		return err
	}
	out := outage{lose: s.lose}
	defer out.end()
	out.begin(s.firstLimit())

	link := link{
		stream: newConnection(s.opts.URL, s.opts.Token, s.dial, dialSecure(s.dial, s.opts.Secure)),
		calls:  newConnection(s.opts.URL, s.opts.Token, s.dial, dialSecure(s.dial, s.opts.Secure)),
		outage: &out,
	}
	defer link.close()

	var last news
	var end ending
	for pause := time.Duration(0); ; {
		if !s.rest(ctx, pause) {
			return nil
		}
		end = s.subscribe(ctx, link, end.abandoned)
		link.close()
		switch {
		case ctx.Err() != nil:
			return nil
		case end.final:
			return end.err
		case end.up:
			s.log.Warn("subscription ended", "error", end.err, "after", end.lived)
		case last.differs(end.err):
			s.log.Warn("not subscribed, trying again", "error", end.err)
		}
		if end.up {
			last = news{}
			if !s.opts.Checkpoint {
				s.lose(fmt.Errorf("%w: %w", ErrConnectionLost, end.err))
			}
		}
		out.note(end.err)
		out.begin(s.opts.RecoveryTimeout) // unless it runs
		pause = s.pace.pauseAfter(end, s.opts.BackoffMax)
	}
}

// firstLimit is the time for the first subscription. The agent itself waits
// --executor_registration_timeout for it, whatever the time for recoveries.
func (s *Session) firstLimit() time.Duration {
	if s.opts.Checkpoint {
		return max(s.opts.RecoveryTimeout, s.pace.firstSubscription)
	}
	return s.pace.firstSubscription
}

// rest waits until it is time for the next attempt; false when ctx has ended. A nudge shortens it,
// but not below a floor: anybody on this host can send nudges without end.
func (s *Session) rest(ctx context.Context, pause time.Duration) bool {
	if pause <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	floor := time.NewTimer(min(pause, s.pace.nudged))
	defer floor.Stop()
	var nudged <-chan struct{} // nil, and so never ready, up to the floor
	for {
		select {
		case <-floor.C:
			nudged = s.nudged
		case <-nudged:
			return true
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
}

// link is what one subscription after the other uses.
type link struct {
	stream, calls *connection
	outage        *outage
}

func (l link) close() {
	l.stream.close()
	l.calls.close()
}

// outage is the recovery timer: it runs from the loss of a subscription to the next one.
// begin and end are for the goroutine of Run.
type outage struct {
	lose func(error)

	limit   time.Duration // of the timer that runs
	timer   *time.Timer
	pending sync.WaitGroup // the timer's function, from begin to its end

	mu   sync.Mutex
	last error // guarded by mu: why the last attempt failed
}

// begin starts the timer unless it runs. A limit of 0 is over at once.
func (o *outage) begin(limit time.Duration) {
	if o.timer != nil {
		return
	}
	o.limit = limit
	o.pending.Add(1)
	o.timer = time.AfterFunc(o.limit, func() {
		defer o.pending.Done()
		o.lose(o.expired())
	})
}

// end stops the timer. After it returns, the timer's function neither runs nor will.
func (o *outage) end() {
	if o.timer == nil {
		return
	}
	if o.timer.Stop() {
		o.pending.Done()
	}
	o.pending.Wait()
	o.timer = nil
}

func (o *outage) note(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.last = err
}

func (o *outage) expired() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.last == nil {
		return fmt.Errorf("%w within %s: it does not answer; check the agent", ErrRecoveryTimeout, o.limit)
	}
	return fmt.Errorf("%w within %s (last attempt: %w): check the agent", ErrRecoveryTimeout, o.limit, o.last)
}

// news remembers the last error that was logged: three attempts a second for a quarter of an
// hour all fail alike.
type news struct{ text string }

func (n *news) differs(err error) bool {
	text := err.Error()
	if text == n.text {
		return false
	}
	n.text = text
	return true
}
