package admission

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func enter(t *testing.T, g *Gate, kind Kind) (leave func(), waited time.Duration) {
	t.Helper()
	leave, waited, err := g.Enter(t.Context(), kind)
	if err != nil {
		t.Fatal(err)
	}
	return leave, waited
}

func TestSlotsOfAHost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir() + "/engine"
		g := newGate(t, dir)
		first, _ := enter(t, g, Start)
		second, waited := enter(t, newGate(t, dir), Start)
		if waited != 0 {
			t.Errorf("the second of two slots came after %s", waited)
		}
		pull, waited := enter(t, g, Pull)
		if waited != 0 {
			t.Errorf("a pull waited for starts, %s", waited)
		}
		time.AfterFunc(3*time.Second, first)
		third, waited := enter(t, g, Start)
		if waited < 3*time.Second || waited > 3*time.Second+longPause {
			t.Errorf("a slot that was free after 3 s came after %s", waited)
		}
		first() // again: not the third's
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errors.New("killed"))
		defer cancel()
		if leave, waited, err := g.Enter(ctx, Start); leave != nil || waited != time.Second || err == nil || err.Error() != "killed" {
			t.Errorf("%v after %s", err, waited)
		}
		for _, leave := range []func(){second, third, pull} {
			leave()
			leave()
		}
		if _, waited := enter(t, g, Start); waited != 0 {
			t.Errorf("a free slot came after %s", waited)
		}
	})
}

func TestDifferentLimitsShareWhatBothKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir() + "/engine"
		var all sync.WaitGroup
		var within, most atomic.Int32
		for i := range 60 {
			g := New(Options{Dir: dir, MaxStarts: []int{1, 3, 5}[i%3]})
			all.Go(func() {
				leave, _ := enter(t, g, Start)
				defer leave()
				if n := within.Add(1); n > 5 {
					t.Errorf("%d at a time", n)
				} else {
					most.Store(max(n, most.Load()))
				}
				time.Sleep(50 * time.Millisecond)
				within.Add(-1)
			})
		}
		all.Wait()
		if most.Load() < 5 {
			t.Errorf("no more than %d at a time", most.Load())
		}
	})
}

func TestNobodyJumpsTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := New(Options{Dir: t.TempDir() + "/engine", MaxStarts: 1})
		held, _ := enter(t, g, Start)
		var all sync.WaitGroup
		all.Go(func() {
			leave, _ := enter(t, g, Start)
			leave()
		})
		time.Sleep(time.Second) // in the queue by now
		held()
		leave, waited := enter(t, g, Start)
		if waited < longPause/2 {
			t.Errorf("a slot while somebody waited came after %s", waited)
		}
		leave()
		all.Wait()
		if _, waited = enter(t, g, Start); waited != 0 {
			t.Errorf("a slot while nobody waited came after %s", waited)
		}
	})
}

func TestSlotsThatNobodyGivesBackHoldUpNobodyForEver(t *testing.T) {
	for kind, want := range map[Kind]time.Duration{Start: 5 * time.Minute, Pull: 30 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			var notes []string
			g := New(Options{Dir: t.TempDir() + "/engine", MaxStarts: 1, MaxPulls: 1, Note: func(line string) { notes = append(notes, line) }})
			held, _ := enter(t, g, kind)
			defer held()
			leave, waited := enter(t, g, kind)
			leave()
			if waited < want || waited > want+longPause || len(notes) != 1 || !strings.Contains(notes[0], kind.String()) {
				t.Errorf("%s after %s: %q", kind, waited, notes)
			}
		})
	}
}

func TestNoLimitNeedsNoFile(t *testing.T) {
	g := New(Options{Dir: "/proc/none", Note: func(line string) { t.Error(line) }})
	for range 3 {
		enter(t, g, Start)
		enter(t, g, Pull)
	}
}
