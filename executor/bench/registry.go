//go:build linux

package main

import (
	"context"
	"fmt"
)

// registryStarts measures the time to SUBSCRIBE of executors that have a class file to read, and interleaved of those that have
// none. They get no task.
func (b *bench) registryStarts(ctx context.Context, path string) error {
	var with, without []float64
	for i := range b.pairs {
		b.notes.say("registry: start %d of %d", i+1, b.pairs)
		err := inOrder(i%2 == 0,
			func() error { return b.startOnly(ctx, &with, "--classes="+path) },
			func() error { return b.startOnly(ctx, &without) })
		if err != nil {
			return err
		}
	}
	b.report.add("registry_start", ratioOf(singly(with), singly(without)),
		"fork to SUBSCRIBE %s ms, without a class file %s ms", number(median(with)), number(median(without)))
	return nil
}

// startOnly starts an executor, and ends it when it has subscribed.
func (b *bench) startOnly(ctx context.Context, into *[]float64, flags ...string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := b.startExecutor(untilKilled, b.engine.Socket, flags...)
	if err != nil {
		return err
	}
	defer r.stop()
	subscribed, err := r.awaitSubscribe(ctx)
	if err != nil {
		return err
	}
	*into = append(*into, ms(subscribed.Sub(r.began)))
	return nil
}

// registryMemory measures what idle executors have in memory that have read a class file, and interleaved those that had none,
// and their launches.
func (b *bench) registryMemory(ctx context.Context, path string) error {
	var runs [2][]*execution // with, without
	var took [2][]float64
	for i := range b.executors + b.executors%2 {
		b.notes.say("registry: launching executor %d", i+1)
		side, flags := i%2, []string{"--classes=" + path}
		if side == 1 {
			flags = nil
		}
		r, launched, err := b.launchClassed(ctx, side == 0, flags)
		if err != nil {
			return err
		}
		runs[side], took[side] = append(runs[side], r), append(took[side], launched)
	}
	b.notes.say("registry: settling for %s", grownIdle)
	if err := pause(ctx, grownIdle); err != nil {
		return err
	}
	var rss, anon [2][]float64
	for side := range runs {
		for _, r := range runs[side] {
			m, err := memoryOf(r.pid())
			if err != nil {
				return err
			}
			rss[side], anon[side] = append(rss[side], m.rss), append(anon[side], m.anon)
		}
	}
	b.report.add("registry_launch", ratioOf(singly(took[0]), singly(took[1])),
		"LAUNCH to TASK_RUNNING %s ms, without a class file %s ms", number(median(took[0])), number(median(took[1])))
	b.report.add("registry_rss", differenceOf(rss[0], rss[1]), "idle VmRSS %s MB, without a class file %s MB; RssAnon %s and %s MB",
		number(median(rss[0])), number(median(rss[1])), number(median(anon[0])), number(median(anon[1])))
	return endAll(ctx, append(runs[0], runs[1]...))
}

// launchClassed launches a task, and makes sure that it has its class, or none.
func (b *bench) launchClassed(ctx context.Context, classed bool, flags []string) (*execution, float64, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := b.startExecutor(untilKilled, b.engine.Socket, flags...)
	if err != nil {
		return nil, 0, err
	}
	if _, err := r.awaitSubscribe(ctx); err != nil {
		return nil, 0, err
	}
	launched, err := r.launch()
	if err != nil {
		return nil, 0, err
	}
	at, _, err := r.running(ctx)
	if err != nil {
		return nil, 0, err
	}
	want := uint32(0)
	if classed {
		want = uint32(benchClass)
	}
	if got := r.classID(); got != want {
		return nil, 0, fmt.Errorf("TASK_RUNNING has class 0x%08x instead of 0x%08x", got, want)
	}
	return r, ms(at.Sub(launched)), nil
}
