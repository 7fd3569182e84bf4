//go:build linux

package main

import (
	"context"
	"errors"
	"sync"
	"time"
)

// settle is how long subscribed executors are left alone before LAUNCH is released: their probe of the engine takes some
// 10 ms each.
const settle = 2 * time.Second

// untilKilled is a command that never ends by itself.
const untilKilled = "exec sleep 1000000"

// burst measures rounds of concurrent launches. The executors of the last one stay for [bench.idle].
func (b *bench) burst(ctx context.Context) error {
	var ours, plain [][]float64
	for round := range b.rounds {
		b.notes.say("burst: round %d of %d", round+1, b.rounds)
		last := round == b.rounds-1
		sides := []func() error{
			func() error {
				took, err := b.plainBurst(ctx)
				plain = append(plain, took)
				return err
			},
			func() error {
				runs, took, err := b.ourBurst(ctx)
				ours = append(ours, took)
				if last {
					b.idling = runs
					return err
				}
				return errors.Join(err, endAll(ctx, runs))
			},
		}
		if (b.rounds-1-round)%2 == 1 { // so that the last round ends with ours
			sides[0], sides[1] = sides[1], sides[0]
		}
		for _, side := range sides {
			if err := side(); err != nil {
				return err
			}
		}
	}
	b.report.add("burst", ratioOf(ours, plain), "%d at once: released to TASK_RUNNING %s ms, create+start %s ms",
		b.executors, number(medianOfGroups(ours)), number(medianOfGroups(plain)))
	return nil
}

func medianOfGroups(groups [][]float64) float64 {
	var all []float64
	for _, g := range groups {
		all = append(all, g...)
	}
	return median(all)
}

// subscribed starts executors side by side and waits until all have subscribed.
func (b *bench) subscribed(ctx context.Context, n int) ([]*execution, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var runs []*execution
	for range n {
		r, err := b.startExecutor(untilKilled, b.engine.Socket)
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	for _, r := range runs {
		if _, err := r.awaitSubscribe(ctx); err != nil {
			return nil, err
		}
	}
	return runs, pause(ctx, settle)
}

func (b *bench) ourBurst(ctx context.Context) ([]*execution, []float64, error) {
	runs, err := b.subscribed(ctx, b.executors)
	if err != nil {
		return nil, nil, err
	}
	released := time.Now()
	for _, r := range runs {
		if _, err := r.launch(); err != nil {
			return nil, nil, err
		}
	}
	took := make([]float64, len(runs))
	for i, r := range runs {
		at, _, err := r.running(ctx)
		if err != nil {
			return nil, nil, err
		}
		took[i] = ms(at.Sub(released))
	}
	return runs, took, nil
}

func (b *bench) plainBurst(ctx context.Context) ([]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	all := make([]*plain, b.executors)
	for i := range all {
		var err error
		if all[i], err = b.newPlain(untilKilled); err != nil {
			return nil, err
		}
	}
	took, err := atOnce(all, func(p *plain) (float64, error) {
		d, err := p.start(ctx)
		return ms(d), err
	})
	if err != nil {
		return nil, err
	}
	_, err = atOnce(all, func(p *plain) (float64, error) { return 0, p.remove(ctx) })
	return took, err
}

// atOnce does something with all containers side by side.
func atOnce(all []*plain, do func(*plain) (float64, error)) ([]float64, error) {
	values, errs := make([]float64, len(all)), make([]error, len(all))
	var work sync.WaitGroup
	for i, p := range all {
		work.Go(func() { values[i], errs[i] = do(p) })
	}
	work.Wait()
	return values, errors.Join(errs...)
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
