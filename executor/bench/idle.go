//go:build linux

package main

import (
	"context"
	"time"
)

// calm is how long executors are left alone after TASK_RUNNING before they count as idle.
const calm = 10 * time.Second

// idle measures what executors cost while their tasks run.
func (b *bench) idle(ctx context.Context) error {
	runs := b.idling
	if runs == nil {
		b.notes.say("idle: launching %d executors", b.executors)
		var err error
		if runs, _, err = b.ourBurst(ctx); err != nil {
			return err
		}
	}
	// One more, whose calls are counted.
	counted, counter, err := b.countedRun(ctx)
	if err != nil {
		return err
	}
	defer counter.close()
	b.notes.say("idle: settling for %s", calm)
	if err := pause(ctx, calm); err != nil {
		return err
	}
	counter.reset()
	if err := b.watch(ctx, runs); err != nil {
		return err
	}
	b.report.add("idle_calls", estimate{value: float64(counter.total()) / b.options.idle.Minutes()}, "%s", counter)
	b.idling = nil
	return endAll(ctx, append(runs, counted))
}

// watch measures what executors do and have while nothing happens.
func (b *bench) watch(ctx context.Context, runs []*execution) error {
	before, err := activities(runs)
	if err != nil {
		return err
	}
	began := time.Now()
	b.notes.say("idle: watching %d executors for %s", len(runs), b.options.idle)
	if err := pause(ctx, b.options.idle); err != nil {
		return err
	}
	after, err := activities(runs)
	if err != nil {
		return err
	}
	watched := time.Since(began)
	if err := b.reportMemory(runs); err != nil {
		return err
	}
	var cpu float64
	switches := make([]float64, len(runs))
	for i := range runs {
		cpu += after[i].cpu - before[i].cpu
		switches[i] = (after[i].voluntary - before[i].voluntary) / watched.Minutes()
	}
	b.report.add("idle_cpu", estimate{value: cpu / watched.Seconds() * 100}, "%d executors together, %s", len(runs), watched.Round(time.Second))
	b.report.add("idle_switches", medianOf(switches), "voluntary, all threads of one executor")
	return nil
}

// reportMemory reports the median of the executors' memory.
func (b *bench) reportMemory(runs []*execution) error {
	rss, anon, pss := make([]float64, len(runs)), make([]float64, len(runs)), make([]float64, len(runs))
	for i, r := range runs {
		m, err := memoryOf(r.pid())
		if err != nil {
			return err
		}
		rss[i], anon[i], pss[i] = m.rss, m.anon, m.pss
	}
	b.report.add("idle_rss", medianOf(rss), "")
	b.report.add("idle_anon", medianOf(anon), "")
	b.report.add("idle_pss", medianOf(pss), "%d executors on the host", len(runs)+1)
	return nil
}

func activities(runs []*execution) ([]activity, error) {
	all := make([]activity, len(runs))
	for i, r := range runs {
		var err error
		if all[i], err = activityOf(r.pid()); err != nil {
			return nil, err
		}
	}
	return all, nil
}
