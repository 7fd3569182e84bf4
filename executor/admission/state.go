package admission

import (
	"fmt"
	"time"
)

const (
	firstPause   = time.Second      // from the failure that opened the breaker to the next probe
	longestPause = 60 * time.Second // between two probes
	turnLimit    = 20 * time.Second // for a probe, which has 15 s of its own (ping 5 s, info 10 s); then its turn is passed on
	turns        = 1 << 20          // turns are counted modulo this
)

// Phase is what the breaker lets through.
type Phase uint8

// The phases of a breaker.
const (
	Closed   Phase = iota // everybody may ask the engine
	Open                  // nobody may, until the next probe is due
	HalfOpen              // one executor is asking
)

func (p Phase) String() string {
	switch p {
	case Closed:
		return "closed"
	case Open:
		return "open"
	case HalfOpen:
		return "half-open"
	}
	return fmt.Sprintf("phase %d", uint8(p))
}

// State is what the executors of a host know of an engine together. Only Turn and Changed
// mean something while it is closed.
type State struct {
	Phase    Phase
	Changed  time.Time // when it was last opened or closed; zero: never
	Cause    string    // of the last failure, one line of at most 512 bytes
	Failures int       // the one that opened the breaker and each failed probe since, 1 or more
	Next     time.Time // when the next probe is due
	Asked    time.Time // when the last failure came
	Probing  time.Time // half-open: when the probe began
	Turn     uint32    // the number of the lock that a prober holds, 0 to 1048575; changes when a turn is passed on
}

type eventKind uint8

const (
	callFailed  eventKind = iota // a probe of an executor's own or another call
	callDone                     // the engine answered a call other than a probe
	probeBegun                   // by the holder of the turn
	probeFailed                  // as above
	probeDone                    // it succeeded
	probeLeft                    // it was given up for a reason that is not the engine's
	turnOverdue                  // its holder has not come back in time
)

type event struct {
	kind  eventKind
	began time.Time // of the call or probe
	turn  uint32    // of the probe
	cause string    // of the failure
	last  time.Time // probeBegun, not zero: a probe is due as well if there was none since then
}

// apply is the whole decision of the breaker. Random is in [0,1). An event that tells
// nothing new returns the state as it was.
func apply(s State, e event, now time.Time, random float64) State {
	switch e.kind {
	case callFailed:
		if s.Phase == Closed && !s.outdates(e.began, now) {
			return State{
				Phase: Open, Changed: now, Cause: e.cause, Failures: 1,
				Next: now.Add(pause(1, random)), Asked: now, Turn: s.Turn,
			}
		}
	case callDone:
		// Many calls work while the engine is unfit (create does with a frozen containerd),
		// so this closes nothing. But it is worth a look.
		if s.Phase == Open && s.Next.Sub(now) > firstPause {
			s.Next = now.Add(pause(1, random))
		}
	case probeBegun:
		if s.Phase != Closed && s.Turn == e.turn && s.due(now, e.last) {
			s.Phase, s.Probing = HalfOpen, now
		}
	case probeFailed:
		if s.Phase == HalfOpen && s.Turn == e.turn {
			s = s.waiting()
			s.Failures++
			s.Cause, s.Asked, s.Next = e.cause, now, now.Add(pause(s.Failures, random))
		}
	case probeDone:
		if s.Phase != Closed && !s.outdates(e.began, now) {
			return State{Changed: now, Turn: s.Turn}
		}
	case probeLeft:
		if s.Phase == HalfOpen && s.Turn == e.turn {
			return s.waiting()
		}
	case turnOverdue:
		if s.Turn == e.turn && s.overdue(now) {
			s = s.waiting()
			s.Turn = (s.Turn + 1) % turns
			s.Next = now
		}
	}
	return s
}

func (s State) waiting() State {
	s.Phase, s.Probing = Open, time.Time{}
	return s
}

// outdates reports whether a call or probe is from before the last change: it says nothing about the
// time since. A change that is yet to come was made before the clock was set back.
func (s State) outdates(began, now time.Time) bool {
	return began.Before(s.Changed) && !s.Changed.After(now)
}

// due reports whether whoever holds the turn shall probe. A state that is half-open while its turn
// is free was left by a prober that died. A time further away than any pause comes
// from a clock that was set.
func (s State) due(now, last time.Time) bool {
	if s.Phase == HalfOpen || s.Next.Sub(now) <= 0 || s.Next.Sub(now) > longestPause {
		return true
	}
	return !last.IsZero() && s.Asked.Before(last) && now.Sub(s.Asked) >= firstPause
}

// overdue reports whether the holder of the turn should have come back by now: from its
// probe, or with the news that it has begun.
func (s State) overdue(now time.Time) bool {
	switch s.Phase {
	case HalfOpen:
		return now.Sub(s.Probing).Abs() > turnLimit
	case Open:
		return now.Sub(s.Next) > turnLimit
	}
	return false
}

// pause is the time to the next probe after so many failures: 1 s doubling to 60 s, less up to a quarter.
func pause(failures int, random float64) time.Duration {
	d := firstPause
	for i := 1; i < failures && d < longestPause; i++ {
		d *= 2
	}
	d = min(d, longestPause)
	return d - time.Duration(random*float64(d)/4)
}
