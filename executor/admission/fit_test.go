package admission

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var errFrozen = errors.New("frozen")

// newGate returns a gate whose notes fail the test.
func newGate(t *testing.T, dir string) *Gate {
	t.Helper()
	return New(Options{Dir: dir, Engine: "unix:///var/run/docker.sock", MaxStarts: 2, MaxPulls: 2, Note: func(line string) {
		t.Error("a note: " + line)
	}})
}

// bothWays runs a test with shared files and with a gate that is alone, on a fake clock.
func bothWays(t *testing.T, test func(t *testing.T, g *Gate)) {
	t.Run("shared", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, newGate(t, t.TempDir()+"/engine")) })
	})
	t.Run("alone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { test(t, New(Options{Engine: "unix:///var/run/docker.sock"})) })
	})
}

func frozen(context.Context) error { return errFrozen }

func well(context.Context) error { return nil }

func TestHealthyEngineCostsOneProbeAndNoFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, probes, began := t.TempDir()+"/engine", 0, time.Now()
		err := newGate(t, dir).Fit(t.Context(), 0, func(context.Context) error { probes++; return nil })
		if err != nil || probes != 1 || !time.Now().Equal(began) {
			t.Errorf("%v after %s and %d probes", err, time.Since(began), probes)
		}
		if _, err := os.Lstat(dir); err == nil {
			t.Error("something was kept")
		}
	})
}

func TestProbesOfAFrozenEngineBackOff(t *testing.T) {
	bothWays(t, func(t *testing.T, g *Gate) {
		const wait = 4 * time.Minute
		var asked []time.Time
		began := time.Now()
		err := g.Fit(t.Context(), wait, func(context.Context) error {
			asked = append(asked, time.Now())
			return errFrozen
		})
		unfit := (*UnfitError)(nil)
		if !errors.As(err, &unfit) || !errors.Is(err, errFrozen) {
			t.Fatalf("%v", err)
		}
		if unfit.Probes != len(asked) || !unfit.Since.Equal(began) || unfit.Waited != wait || time.Since(began) != wait {
			t.Errorf("%d probes, %+v", len(asked), unfit)
		}
		for i := 1; i < len(asked); i++ {
			least, gap := pause(i, 1), asked[i].Sub(asked[i-1])
			if most := pause(i, 0) + 2*longLook; gap < least || gap > most {
				t.Errorf("probe %d after %s, not %s to %s", i, gap, least, most)
			}
		}
		if len(asked) < 8 {
			t.Errorf("%d probes only", len(asked))
		}
	})
}

func TestOnlyOneOfManyAsksAFrozenEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const launches = 50
		dir := t.TempDir() + "/engine"
		newGate(t, dir).Failed(errFrozen)
		var healthy atomic.Bool
		var lock sync.Mutex
		outstanding, failed, passed := 0, 0, []time.Time{}
		probe := func(context.Context) error {
			lock.Lock()
			defer lock.Unlock()
			if healthy.Load() {
				passed = append(passed, time.Now())
				return nil
			}
			failed++
			if outstanding++; outstanding > 1 {
				t.Error("two ask at a time")
			}
			lock.Unlock()
			time.Sleep(5 * time.Second)
			lock.Lock()
			outstanding--
			return errFrozen
		}
		var all sync.WaitGroup
		for range launches {
			all.Go(func() {
				if err := newGate(t, dir).Fit(t.Context(), time.Hour, probe); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(59 * time.Second)
		healthy.Store(true)
		all.Wait()
		if failed > 6 { // at 1, 8, 17, 30, 51 s or a little later
			t.Errorf("%d probes failed", failed)
		}
		first, last := passed[0], passed[len(passed)-1]
		if len(passed) != launches || last.Sub(first) < 500*time.Millisecond || last.Sub(first) > 3*time.Second {
			t.Errorf("%d passed within %s", len(passed), last.Sub(first))
		}
	})
}

func TestCallersEndIsNotTheEnginesFailure(t *testing.T) {
	for _, begins := range []string{"closed", "open"} {
		t.Run(begins, func(t *testing.T) {
			bothWays(t, func(t *testing.T, g *Gate) {
				if begins == "open" {
					g.Failed(errFrozen)
					time.Sleep(firstPause)
				}
				_, before := g.Open()
				killed := errors.New("killed")
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(3*time.Second, func() { cancel(killed) })
				err := g.Fit(ctx, time.Minute, func(ctx context.Context) error {
					<-ctx.Done()
					return ctx.Err()
				})
				if err != killed {
					t.Errorf("%v", err)
				}
				if _, after := g.Open(); after != before {
					t.Errorf("%+v became %+v", before, after)
				}
				if err := g.Fit(t.Context(), 0, well); err != nil {
					t.Errorf("the next one does not get the turn: %v", err)
				}
			})
		})
	}
}

func TestEndedContextAsksNothing(t *testing.T) {
	bothWays(t, func(t *testing.T, g *Gate) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		err := g.Fit(ctx, time.Minute, func(context.Context) error { t.Error("asked"); return nil })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if leave, _, err := g.Enter(ctx, Start); leave != nil || !errors.Is(err, context.Canceled) {
			t.Errorf("a slot: %v", err)
		}
	})
}

func TestLaunchAsksOnceMoreBeforeItGivesUp(t *testing.T) {
	bothWays(t, func(t *testing.T, g *Gate) {
		g.change(func(s State) State { // 60 s of pause have just begun
			s = apply(s, event{kind: callFailed, began: time.Now(), cause: "frozen"}, time.Now(), 0)
			s.Failures, s.Next = 9, time.Now().Add(longestPause)
			return s
		})
		for _, c := range []struct {
			sleep, wait time.Duration
			fit         bool
		}{
			{0, 0, false},                        // there was a probe right now
			{2 * time.Second, 0, true},           // nobody has asked for 2 s
			{2 * time.Second, time.Second, true}, // nor since the launch came
		} {
			_, before := g.Open()
			time.Sleep(c.sleep)
			began := time.Now()
			err := g.Fit(t.Context(), c.wait, well)
			if (err == nil) != c.fit || time.Since(began) != c.wait {
				t.Errorf("%+v: %v after %s", c, err, time.Since(began))
			}
			g.change(func(State) State { return before })
		}
	})
}

// overtaken is a store whose turns come too late: somebody else has had them meanwhile.
type overtaken struct {
	sharedStore
	by func()
}

func (o overtaken) turn(number uint32) (release func(), err error) {
	o.by()
	return o.sharedStore.turn(number)
}

func TestTurnThatComesTooLateIsNotUsed(t *testing.T) {
	for name, result := range map[string]error{"after a failure": errFrozen, "after a recovery": nil} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dir := t.TempDir() + "/engine"
				g, other := newGate(t, dir), newGate(t, dir)
				g.Failed(errFrozen)
				time.Sleep(firstPause)
				g.shared = overtaken{g.shared, func() {
					other.Fit(t.Context(), 0, func(context.Context) error { return result })
				}}
				f := fitting{gate: g, came: time.Now(), knew: time.Now(), probe: func(context.Context) error {
					t.Error("asked")
					return nil
				}}
				if f.look(t.Context(), time.Time{}) {
					t.Error("fit")
				}
			})
		})
	}
}

func TestStuckProbersTurnIsPassedOn(t *testing.T) {
	for name, late := range map[string]error{"and fails late": errFrozen, "and succeeds late": nil} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, g *Gate) {
				g.Failed(errFrozen)
				resume, stuck, began := make(chan struct{}), make(chan struct{}), time.Now()
				var all sync.WaitGroup
				all.Go(func() {
					probes := 0
					g.Fit(t.Context(), time.Hour, func(context.Context) error {
						if probes++; probes > 1 {
							return nil
						}
						close(stuck)
						<-resume
						return late
					})
				})
				<-stuck
				if err := g.Fit(t.Context(), time.Hour, well); err != nil {
					t.Fatal(err)
				}
				if waited := time.Since(began); waited < turnLimit || waited > turnLimit+5*time.Second {
					t.Errorf("after %s", waited)
				}
				_, before := g.Open()
				close(resume)
				all.Wait()
				if open, after := g.Open(); open || after != before {
					t.Errorf("the late result counted: %+v", after)
				}
			})
		})
	}
}

func TestFailedCallOpensForAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir() + "/engine"
		g, other := newGate(t, dir), newGate(t, dir)
		elsewhere := New(Options{Dir: dir, Engine: "tcp://10.0.0.1:2375"})
		g.Failed(nil)
		g.Failed(fmt.Errorf("create: %w", context.Canceled))
		g.Answered()
		if open, s := other.Open(); open {
			t.Fatalf("nothing has failed: %+v", s)
		}
		g.Failed(errors.New("create:\nno answer in time"))
		g.Failed(errors.New("another"))
		open, s := other.Open()
		if !open || s.Cause != "create: no answer in time" || s.Failures != 1 {
			t.Errorf("%t %+v", open, s)
		}
		if open, s := elsewhere.Open(); open {
			t.Errorf("another engine: %+v", s)
		}
		err := other.Fit(t.Context(), 0, well)
		if err == nil || !strings.Contains(err.Error(), "create: no answer in time") || !strings.Contains(err.Error(), "unix:///var/run/docker.sock") {
			t.Errorf("%v", err)
		}
		time.Sleep(forgotten + firstPause)
		if open, _ := other.Open(); open {
			t.Error("it is believed for ever though nobody asks")
		}
	})
}

func TestAnswerHastensTheNextProbe(t *testing.T) {
	bothWays(t, func(t *testing.T, g *Gate) {
		g.Failed(errFrozen)
		g.change(func(s State) State {
			s.Failures, s.Next = 9, time.Now().Add(longestPause)
			return s
		})
		g.Answered()
		if open, s := g.Open(); !open || time.Until(s.Next) > firstPause {
			t.Errorf("open: %t, the next probe is due in %s", open, time.Until(s.Next))
		}
	})
}

func TestLaunchesWhoseTimeEndsTogetherShareTheLastProbe(t *testing.T) {
	for name, result := range map[string]error{"well": nil, "frozen": errFrozen} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				const launches, wait, takes = 20, 30 * time.Second, 3 * time.Second
				dir := t.TempDir() + "/engine"
				newGate(t, dir).change(func(s State) State { // 60 s of pause have just begun
					s = apply(s, event{kind: callFailed, began: time.Now(), cause: "frozen"}, time.Now(), 0)
					s.Failures, s.Next = 9, time.Now().Add(longestPause)
					return s
				})
				time.Sleep(2 * firstPause)
				began := time.Now()
				var fit, asked atomic.Int32
				var all sync.WaitGroup
				for range launches {
					all.Go(func() {
						err := newGate(t, dir).Fit(t.Context(), wait, func(context.Context) error {
							asked.Add(1)
							time.Sleep(takes)
							return result
						})
						if err == nil {
							fit.Add(1)
						}
					})
				}
				all.Wait()
				if result == nil && fit.Load() != launches {
					t.Errorf("%d of %d were refused while one of them was told that the engine is well", launches-fit.Load(), launches)
				}
				if result != nil && (fit.Load() != 0 || asked.Load() != 1) {
					t.Errorf("%d fit, asked %d times", fit.Load(), asked.Load())
				}
				if took := time.Since(began); took > wait+2*takes+restPause+2*time.Second {
					t.Errorf("it took %s", took)
				}
			})
		})
	}
}
