package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"time"
)

var (
	errNudged   = errors.New("the agent announced its return")
	errNoAnswer = errors.New("the agent took the connection but did not answer SUBSCRIBE")
	errShutdown = errors.New("the agent answered SUBSCRIBE with SHUTDOWN")
	errCalls    = errors.New("the agent takes no calls any more")
)

// streamError is a stream that was dropped over what the agent sent on it.
type streamError struct{ err error }

func (e *streamError) Error() string { return e.err.Error() }
func (e *streamError) Unwrap() error { return e.err }

// answerError is an answer other than the accepting one that may change with time.
type answerError struct {
	status int
	text   string
}

func (e *answerError) Error() string {
	text := fmt.Sprintf("the agent answered %d %s", e.status, http.StatusText(e.status))
	if e.text != "" {
		text += ": " + e.text
	}
	if e.status == http.StatusUnauthorized {
		text += " (it wants an executor token other than the one it gave us, or one at all)"
	}
	return text
}

// ending says how one attempt to subscribe, or the subscription that came of it, ended.
type ending struct {
	err       error
	up        bool          // SUBSCRIBED had come
	lived     time.Duration // since then
	final     bool          // no further attempt makes sense
	rejected  bool          // we dropped the stream over what it carried
	nudged    bool          // a nudge came that is still to be followed
	abandoned bool          // the attempt was given up for it
}

// subscription is one SUBSCRIBE and all that depends on its stream.
type subscription struct {
	link link
	end  context.CancelCauseFunc
	work sync.WaitGroup
	run  func() // sends updates, until the end
	// patient attempts are not abandoned for a nudge: the one before was.
	patient bool

	// Used by the goroutine of Run only, until run starts.
	sent    uint64 // updates up to this number are with the agent: they were part of SUBSCRIBE
	sending bool   // run has been started

	mu       sync.Mutex
	since    time.Time // guarded by mu: the attempt began, or SUBSCRIBED came
	up       bool      // guarded by mu: SUBSCRIBED came
	shutdown bool      // guarded by mu: SHUTDOWN came
	nudged   bool      // guarded by mu: a nudge came before an answer
}

// subscribe makes one attempt and stays for as long as its stream lasts.
func (s *Session) subscribe(parent context.Context, l link, patient bool) ending {
	ctx, end := context.WithCancelCause(parent)
	sub := &subscription{link: l, end: end, patient: patient, since: time.Now()}
	sub.run = func() { s.sendUpdates(ctx, sub) }
	sub.work.Go(func() { sub.watch(ctx, s.nudged, s.pace) })

	err := s.converse(ctx, sub)
	if sub.turnedAway() {
		err = errShutdown
		s.linger(ctx)
	}
	if why := context.Cause(ctx); why != nil {
		err = why // the failed read is only what followed from it
	}
	end(nil)
	sub.work.Wait()
	return sub.ending(err)
}

// converse sends SUBSCRIBE and handles what comes of it. It always returns an error.
func (s *Session) converse(ctx context.Context, sub *subscription) error {
	s.mu.Lock()
	call := s.caller.subscribe(&s.ledger)
	sub.sent = s.ledger.last
	s.mu.Unlock()

	answer, err := sub.link.stream.post(ctx, call)
	if err != nil {
		return s.hint(cause(err))
	}
	defer answer.Body.Close()
	switch judgeSubscribe(answer.StatusCode) {
	case callTryAgain:
		return &answerError{answer.StatusCode, answerText(answer.Body)}
	case callRefused:
		return &RefusedError{"SUBSCRIBE", answer.StatusCode, answerText(answer.Body)}
	}
	if got := answer.Header.Get("Content-Type"); got != mediaType {
		return &streamError{fmt.Errorf("the stream is %q instead of %s: is the endpoint a Mesos agent?", printable(got), mediaType)}
	}
	frames := newFrameReader(answer.Body, s.pace.maxFrame)
	for {
		f, err := frames.next()
		switch {
		case err == io.EOF:
			return errors.New("the agent closed the stream")
		case errors.Is(err, errFraming):
			return &streamError{err}
		case err != nil:
			return fmt.Errorf("the stream broke: %w", cause(err))
		}
		if f.tooLarge() {
			s.log.Error("event above the size limit", "bytes", f.size, "limit", f.limit)
		}
		in, err := decode(f)
		if err == nil {
			err = s.handle(in, sub)
		}
		if err != nil {
			return &streamError{err}
		}
	}
}

// hint adds to an error what may be behind it: an agent that speaks TLS only drops a connection
// that begins otherwise without a word.
func (s *Session) hint(err error) error {
	if !strings.HasPrefix(s.opts.URL, "http://") || s.opts.DomainSocket != "" || s.subscriptions > 0 || !errors.Is(err, io.EOF) && !errors.Is(err, syscall.ECONNRESET) {
		return err
	}
	return fmt.Errorf("%w (does the agent want TLS? see agent.tls in config.yaml and LIBPROCESS_SSL_ENABLED)", err)
}

// established notes that SUBSCRIBED came. From now on updates go out one by one.
func (sub *subscription) established() {
	sub.mu.Lock()
	sub.up, sub.since = true, time.Now()
	sub.mu.Unlock()
	sub.link.outage.end()
	sub.send()
}

// dismissed notes that SHUTDOWN came. While the agent ends an executor, or itself, it answers
// SUBSCRIBE with SHUTDOWN alone and closes the stream, before it has looked at what SUBSCRIBE
// carries; but it still takes UPDATE (Slave::subscribe and statusUpdate, src/slave/slave.cpp).
func (sub *subscription) dismissed() {
	sub.mu.Lock()
	sub.shutdown = true
	up := sub.up
	sub.mu.Unlock()
	if !up && !sub.sending {
		sub.sent = 0
	}
	sub.send()
}

func (sub *subscription) send() {
	if !sub.sending {
		sub.sending = true
		sub.work.Go(sub.run)
	}
}

// turnedAway reports whether SHUTDOWN came in place of SUBSCRIBED.
func (sub *subscription) turnedAway() bool {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	return sub.shutdown && !sub.up
}

// linger gives the last updates time to be made and sent after the stream of an attempt that was
// turned away has ended. The next attempt is turned away as well, so there is no hurry to make it.
func (s *Session) linger(ctx context.Context) {
	timer := time.NewTimer(s.pace.linger)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// watch ends the attempt when no answer comes, or for a nudge.
func (sub *subscription) watch(ctx context.Context, nudged <-chan struct{}, p pace) {
	patience := time.NewTimer(p.answer)
	defer patience.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-patience.C:
			if !sub.answered() {
				sub.end(errNoAnswer)
			}
		case <-nudged:
			if sub.hangs(p) {
				sub.end(errNudged)
			}
		}
	}
}

func (sub *subscription) answered() bool {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	return sub.up || sub.shutdown
}

// hangs reports whether a nudge ends this attempt: a young one may well be the answer to the
// very restart that the nudge is about.
func (sub *subscription) hangs(p pace) bool {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if sub.up || sub.shutdown {
		return false
	}
	sub.nudged = true
	return !sub.patient && time.Since(sub.since) >= p.freshAttempt
}

func (sub *subscription) ending(err error) ending {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	e := ending{err: err, up: sub.up, nudged: sub.nudged && !sub.up, abandoned: errors.Is(err, errNudged)}
	if sub.up {
		e.lived = time.Since(sub.since)
	}
	var answered *RefusedError
	var dropped *streamError
	e.final = errors.As(err, &answered) || errors.Is(err, ErrUnusableEvent)
	e.rejected = errors.As(err, &dropped)
	return e
}
