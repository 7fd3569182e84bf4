package enginefault

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Deed is what the proxy did.
type Deed string

// The deeds.
const (
	Passed Deed = "passed on" // no rule strikes the call
	Struck Deed = "struck"    // a rule strikes the call, which is not held at once
	Held   Deed = "held"      // the call, or its answer, is there and waits
	Resume Deed = "goes on"   // what was held goes on
	Thawed Deed = "thawed"    // a freeze, half-open, backlog or down is over; of no call
)

// Event is something that the proxy did.
type Event struct {
	At   time.Time
	Verb Verb
	N    int    // the n-th call of this verb
	Call string // method and path
	Rule string // that struck the call, in its text form; "" for none
	Did  Deed
}

func (e Event) String() string {
	if e.Did == Thawed {
		return "the engine can be reached again"
	}
	text := fmt.Sprintf("%s #%d %s", e.Verb, e.N, e.Did)
	if e.Rule != "" {
		text += " by " + e.Rule
	}
	return text
}

// Events returns what the proxy has done so far.
func (p *Proxy) Events() []Event {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.events)
}

// Next returns what the proxy did after the first seen events, once there is something. The error is that of ctx, or
// [ErrClosed] when nothing more will come.
func (p *Proxy) Next(ctx context.Context, seen int) ([]Event, error) {
	for {
		p.mu.Lock()
		events, more := slices.Clone(p.events[min(seen, len(p.events)):]), p.more
		p.mu.Unlock()
		if len(events) > 0 {
			return events, nil
		}
		select {
		case <-more:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-p.done:
			return nil, ErrClosed
		}
	}
}

// AwaitHeld returns the next call that is held, once there is one; each one once. Errors as of [Proxy.Next].
func (p *Proxy) AwaitHeld(ctx context.Context) (Event, error) {
	for {
		p.mu.Lock()
		more := p.more
		for p.heldSeen < len(p.events) {
			e := p.events[p.heldSeen]
			p.heldSeen++
			if e.Did == Held {
				p.mu.Unlock()
				return e, nil
			}
		}
		p.mu.Unlock()
		select {
		case <-more:
		case <-ctx.Done():
			return Event{}, ctx.Err()
		case <-p.done:
			return Event{}, ErrClosed
		}
	}
}

// record notes an event. The caller holds p.mu.
func (p *Proxy) record(e Event) {
	e.At = time.Now()
	p.events = append(p.events, e)
	close(p.more)
	p.more = make(chan struct{})
}

func (p *Proxy) note(e Event, did Deed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e.Did = did
	p.record(e)
}
