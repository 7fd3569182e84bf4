package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

var (
	errNudged   = errors.New("the agent announced its return")
	errNoAnswer = errors.New("the agent took the connection but did not answer SUBSCRIBE")
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
	err      error
	up       bool          // SUBSCRIBED had come
	lived    time.Duration // since then
	final    bool          // no further attempt makes sense
	rejected bool          // we dropped the stream over what it carried
	nudged   bool          // a nudge came that is still to be followed
}

// subscription is one SUBSCRIBE and all that depends on its stream.
type subscription struct {
	link link
	end  context.CancelCauseFunc
	sent uint64 // updates up to this number were part of SUBSCRIBE
	work sync.WaitGroup
	run  func() // sends updates, until the end

	mu     sync.Mutex
	since  time.Time // guarded by mu: the attempt began, or SUBSCRIBED came
	up     bool      // guarded by mu: SUBSCRIBED came
	nudged bool      // guarded by mu: a nudge came too early to give this up
}

// subscribe makes one attempt and stays for as long as its stream lasts.
func (s *Session) subscribe(parent context.Context, l link) ending {
	ctx, end := context.WithCancelCause(parent)
	sub := &subscription{link: l, end: end, since: time.Now()}
	sub.run = func() { s.sendUpdates(ctx, sub) }
	sub.work.Go(func() { sub.watch(ctx, s.nudged, s.pace) })

	err := s.converse(ctx, sub)
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
		return cause(err)
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

// established notes that SUBSCRIBED came. From now on updates go out one by one.
func (sub *subscription) established() {
	sub.mu.Lock()
	again := sub.up
	sub.up, sub.since = true, time.Now()
	sub.mu.Unlock()
	sub.link.outage.end()
	if !again {
		sub.work.Go(sub.run)
	}
}

// watch ends the attempt when no SUBSCRIBED comes, and attempt or subscription for a nudge.
func (sub *subscription) watch(ctx context.Context, nudged <-chan struct{}, p pace) {
	patience := time.NewTimer(p.answer)
	defer patience.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-patience.C:
			if !sub.subscribed() {
				sub.end(errNoAnswer)
			}
		case <-nudged:
			if sub.outlived(p) {
				sub.end(errNudged)
			}
		}
	}
}

func (sub *subscription) subscribed() bool {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	return sub.up
}

// outlived reports whether a nudge ends this: a restarted agent has broken an old stream anyway,
// while a new one may well be the answer to the very restart that the nudge is about.
func (sub *subscription) outlived(p pace) bool {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	age := time.Since(sub.since)
	if sub.up {
		return age >= p.freshStream
	}
	sub.nudged = true
	return age >= p.freshAttempt
}

func (sub *subscription) ending(err error) ending {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	e := ending{err: err, up: sub.up, nudged: sub.nudged && !sub.up || errors.Is(err, errNudged)}
	if sub.up {
		e.lived = time.Since(sub.since)
	}
	var answered *RefusedError
	var dropped *streamError
	e.final = errors.As(err, &answered) || errors.Is(err, ErrUnusableEvent)
	e.rejected = errors.As(err, &dropped)
	return e
}
