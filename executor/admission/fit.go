package admission

import (
	"context"
	"errors"
	"time"
)

const (
	lookPause = 200 * time.Millisecond // between two looks at the state, give or take a half
	longLook  = time.Second            // the same after minutes: hundreds of executors may wait for hours
	restPause = time.Second            // after a recovery, at most

	// othersLimit is how long after its time a launch waits for probes of others: one that is stuck, and the one that gets its turn.
	othersLimit = 2 * turnLimit
)

// Fit returns nil once a probe of the caller's own succeeded. While all is well that is the first thing it does. Else it
// waits: from the moment when it knows of the trouble (its own probe failed, or the breaker is open) for the
// given time, 0 or more, and then returns an [*UnfitError].
//
// A probe that has begun is not cut short, which would tell nobody anything; so Fit may return later by one probe's
// own limit and a second, and with 0 it still probes when it is its turn. It also waits for the end of a probe that somebody else is
// making when the time is up, if there was no other since it came: of many launches that came together, one asks for all of them. When
// ctx ends, the error is ctx's cause, and what became of the probe does not count.
func (g *Gate) Fit(ctx context.Context, wait time.Duration, probe func(context.Context) error) error {
	f := fitting{gate: g, probe: probe, came: time.Now()}
	for {
		timeUp, last := !f.knew.IsZero() && time.Since(f.knew) >= wait, time.Time{}
		if timeUp {
			last = f.came
		}
		switch fit := f.look(ctx, last); {
		case fit:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case timeUp && !(f.busy && f.state.Asked.Before(f.came) && time.Since(f.knew) < wait+othersLimit):
			return f.unfit()
		case f.knew.IsZero():
			f.knew = time.Now()
		}
		waited := time.Since(f.knew)
		pause := min(max(lookPause, waited/100), longLook)
		pause = time.Duration((0.5 + g.options.Random()) * float64(pause))
		if !timeUp {
			pause = min(pause, wait-waited)
		}
		sleep(ctx, pause)
	}
}

// fitting is one call of [Gate.Fit].
type fitting struct {
	gate  *Gate
	probe func(context.Context) error
	came  time.Time
	knew  time.Time // of the trouble; zero: there is none

	state  State     // as last seen
	busy   bool      // it was due to be asked, and somebody else had the turn
	err    error     // of the last failed probe of this call
	failed time.Time // when that was
}

// look makes a probe if this executor may, and reports whether it succeeded. A last that is not zero makes a
// probe due if there was none since then.
func (f *fitting) look(ctx context.Context, last time.Time) (fit bool) {
	f.busy = false
	if f.state = f.gate.read(); f.state.Phase != Closed {
		return f.askInTurn(ctx, last)
	}
	if !f.knew.IsZero() { // it has just been closed
		sleep(ctx, time.Duration(f.gate.options.Random()*float64(restPause)))
		if f.state = f.gate.read(); f.state.Phase != Closed {
			return false
		}
	}
	if ctx.Err() != nil {
		return false
	}
	began := time.Now()
	err := f.probe(ctx)
	if err != nil && ctx.Err() == nil {
		f.fail(err, event{kind: callFailed, began: began})
	}
	return err == nil
}

// askInTurn makes a probe if one is due and nobody else has the turn, or passes on the turn of one that is stuck.
func (f *fitting) askInTurn(ctx context.Context, last time.Time) (fit bool) {
	now, turn := time.Now(), f.state.Turn
	due, overdue := f.state.due(now, last), f.state.overdue(now)
	if !due && !overdue || ctx.Err() != nil {
		return false
	}
	release := f.gate.turn(turn)
	if release == nil {
		f.busy = true
		if overdue {
			f.state = f.gate.tell(event{kind: turnOverdue, turn: turn})
		}
		return false
	}
	defer release()
	began := false
	f.state = f.gate.change(func(s State) State {
		now = time.Now()
		s = apply(s, event{kind: probeBegun, turn: turn, last: last}, now, 0)
		began = s.Phase == HalfOpen && s.Turn == turn && s.Probing.Equal(now)
		return s
	})
	if !began {
		return false // it was closed, or passed on, or somebody else has just asked
	}
	err := f.probe(ctx)
	e := event{began: now, turn: turn}
	switch {
	case err == nil:
		e.kind = probeDone
		f.state = f.gate.tell(e)
		return true
	case ctx.Err() != nil:
		e.kind = probeLeft
		f.state = f.gate.tell(e)
	default:
		e.kind = probeFailed
		f.fail(err, e)
	}
	return false
}

func (f *fitting) fail(err error, e event) {
	e.cause = oneLine(err.Error())
	f.state = f.gate.tell(e)
	f.err, f.failed = err, time.Now()
}

func (f *fitting) unfit() error {
	e := &UnfitError{
		Engine: f.gate.options.Engine, Cause: f.err, Since: f.state.Changed,
		Probes: max(1, f.state.Failures), Waited: time.Since(f.knew),
	}
	if f.state.Phase == Closed { // since this call's own failure
		e.Since = f.knew
	} else if f.err == nil || f.state.Asked.After(f.failed) {
		e.Cause = errors.New(f.state.Cause)
	}
	return e
}

// sleep returns early when ctx ends.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
