package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"
)

// Outcome says what is known about the effect of a call.
type Outcome int

// The outcomes. For calls that only read, Unknown means no more than that there is no valid answer.
const (
	Done    Outcome = iota // carried out, and the answer is complete and plausible
	Refused                // surely not carried out: the daemon said no, or nothing reached it
	Unknown                // may have happened, may happen later, may never happen
)

func (o Outcome) String() string {
	switch o {
	case Done:
		return "done"
	case Refused:
		return "refused"
	default:
		return "unknown"
	}
}

// CallError is the error of every failed call. Its causes are found by [errors.Is] and [errors.As]:
// [ErrNotFound], [ErrConflict], a [*DaemonError], [context.DeadlineExceeded] when a limit was
// over, [context.Canceled] when the caller gave up.
type CallError struct {
	Call    string        // "create", "start", ...
	Outcome Outcome       // Refused or Unknown
	Took    time.Duration // until the failure
	Limit   time.Duration // that applied
	Err     error

	mutates bool // the call changes something, so that Unknown matters
}

func (e *CallError) Error() string {
	text := fmt.Sprintf("docker %s: ", e.Call)
	switch e.Err {
	case context.DeadlineExceeded:
		text += fmt.Sprintf("not finished within %s", e.Took.Round(time.Millisecond))
	case context.Canceled:
		text += fmt.Sprintf("given up after %s", e.Took.Round(time.Millisecond))
	default:
		text += e.Err.Error()
	}
	if e.Outcome == Unknown && e.mutates {
		text += " (it may still take effect)"
	}
	return text
}

func (e *CallError) Unwrap() error { return e.Err }

// OutcomeOf returns the outcome of the call that returned err: Done for nil, and Unknown, the careful answer,
// for an error that is not a [*CallError].
func OutcomeOf(err error) Outcome {
	if err == nil {
		return Done
	}
	var call *CallError
	if errors.As(err, &call) {
		return call.Outcome
	}
	return Unknown
}

// Unsent reports whether the daemon could not be connected to, so that a call, of whatever kind, can be made again.
func Unsent(err error) bool {
	var call *CallError
	var dial *net.OpError
	return errors.As(err, &call) && call.Outcome == Refused && errors.As(call.Err, &dial) && dial.Op == "dial"
}

// call describes a kind of call.
type call struct {
	name    string
	limit   time.Duration
	mutates bool
	accept  []int                   // the HTTP statuses that the daemon answers with on success
	stream  bool                    // the body of an accepted answer is the caller's to read and close
	doubt   func(*DaemonError) bool // for an answer that says no and doesn't prove it; may be nil
	missing string                  // what the daemon says with 404; with another text, such as that of a proxy, it proves nothing
	conceal func(*DaemonError)      // takes out of a message what nobody may see; may be nil
}

// do runs one call and notes it in the history: all traffic with the daemon passes here, in send, exactly one HTTP exchange per call.
func (e *Engine) do(parent context.Context, c call, send func(context.Context) error) error {
	record := e.history.begin(c.name, time.Now())
	err := run(parent, c, record.Began, send)
	if no := (*DaemonError)(nil); c.conceal != nil && errors.As(err, &no) {
		c.conceal(no)
	}
	e.history.end(record, time.Now(), err)
	return err
}

// run bounds a call by its limit and judges how it ended.
func run(parent context.Context, c call, began time.Time, send func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(parent, c.limit)
	defer cancel()
	x := &exchange{call: c}
	err := ctx.Err() // whoever has given up already gets no request sent
	if err == nil {
		err = send(context.WithValue(ctx, exchangeKey{}, x))
	}
	if err == nil {
		return nil
	}
	if x.err != nil {
		// The exchange's own account; the Docker client replaces some causes by advice.
		err = x.err
	}
	failed := &CallError{Call: c.name, Outcome: x.outcome(err), Took: time.Since(began), Limit: c.limit, Err: err, mutates: c.mutates}
	var stalled *stallError
	var over *limitOver
	switch {
	case errors.As(err, &stalled):
		failed.Limit = stalled.limit
	case errors.As(err, &over):
		failed.Limit, failed.Err = over.limit, context.DeadlineExceeded
		return failed
	}
	if gone := parent.Err(); gone != nil && failed.Outcome != Refused && !errors.Is(err, gone) {
		// A cause of the caller's own (context.WithCancelCause) must not hide that it was the caller.
		failed.Err = fmt.Errorf("%w: %w", gone, err)
	}
	return failed
}

// outcome judges a failed exchange.
func (x *exchange) outcome(err error) Outcome {
	var no *DaemonError
	switch {
	case errors.As(err, &no) && (x.call.doubt == nil || !x.call.doubt(no)):
		return Refused
	case !x.connected:
		return Refused // not a byte has left
	default:
		return Unknown
	}
}
