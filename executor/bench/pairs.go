//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

func (b *bench) size() error {
	info, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	b.report.add("size", estimate{value: float64(info.Size()) / 1e6}, "")
	return nil
}

// pairs collects what the launch pairs measured, in milliseconds.
type pairs struct {
	ours, plain         []float64 // launch to running
	oursKill, plainKill []float64 // kill to process gone
	start, cpu, exit    []float64
}

// warmUp is how many pairs are run and not counted: the first launches of an engine read everything from disk.
const warmUp = 2

// launch measures pairs of one launch each. Every second pair ends by a kill, the others by the task's own end.
func (b *bench) launch(ctx context.Context) error {
	var all pairs
	for i := range warmUp + b.pairs {
		b.notes.say("launch: pair %d of %d", max(0, i+1-warmUp), b.pairs)
		into := &all
		if i < warmUp {
			into = &pairs{}
		}
		if err := b.pair(ctx, into, i%2 == 0, i/2%2 == 0); err != nil {
			return err
		}
	}
	b.report.add("launch", ratioOf(singly(all.ours), singly(all.plain)),
		"LAUNCH to TASK_RUNNING %s ms, create+start %s ms", number(median(all.ours)), number(median(all.plain)))
	b.report.add("launch_cpu", medianOf(all.cpu), "user and system, the executor's whole life")
	b.report.add("start", medianOf(all.start), "fork to SUBSCRIBE; undisturbed (least) %s ms", number(slices.Min(all.start)))
	b.report.add("exit", medianOf(all.exit), "container's end to its terminal update; undisturbed (least) %s ms", number(slices.Min(all.exit)))
	b.report.add("kill", ratioOf(singly(all.oursKill), singly(all.plainKill)),
		"KILL to process gone %s ms, API kill %s ms", number(median(all.oursKill)), number(median(all.plainKill)))
	return nil
}

func (b *bench) pair(ctx context.Context, into *pairs, oursFirst, byKill bool) error {
	sides := []func(context.Context, *pairs, bool) error{b.oneOfOurs, b.onePlain}
	if !oursFirst {
		sides[0], sides[1] = sides[1], sides[0]
	}
	for _, side := range sides {
		if err := side(ctx, into, byKill); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) oneOfOurs(ctx context.Context, into *pairs, byKill bool) error {
	r, err := b.startExecutor(untilEnd, b.engine.Socket)
	if err != nil {
		return err
	}
	patient, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	subscribed, err := r.awaitSubscribe(patient)
	if err != nil {
		return err
	}
	launched, err := r.launch() // at once, as an agent does
	if err != nil {
		return err
	}
	running, pid, err := r.running(ctx)
	if err != nil {
		return err
	}
	into.start = append(into.start, ms(subscribed.Sub(r.began)))
	into.ours = append(into.ours, ms(running.Sub(launched)))
	if err := r.ends(patient, into, pid, byKill); err != nil {
		return err
	}
	if err := r.awaitExit(ctx); err != nil {
		return err
	}
	into.cpu = append(into.cpu, r.cpu()*1000)
	return nil
}

// ends ends the task and measures that.
func (r *execution) ends(ctx context.Context, into *pairs, pid int, byKill bool) error {
	ended, err := gone(ctx, pid)
	if err != nil {
		return err
	}
	want, killed := mesos.TASK_FINISHED, time.Time{}
	if byKill {
		want = mesos.TASK_KILLED
		killed, err = r.kill()
	} else {
		err = r.untilReads(ctx)
	}
	if err != nil {
		return err
	}
	at, err := await(ctx, ended)
	if err != nil {
		return err
	}
	last, err := r.awaitState(ctx, want)
	if err != nil {
		return err
	}
	if byKill {
		into.oursKill = append(into.oursKill, ms(at.Sub(killed)))
	} else {
		into.exit = append(into.exit, ms(last.at.Sub(at)))
	}
	return nil
}

func (b *bench) onePlain(ctx context.Context, into *pairs, byKill bool) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p, err := b.newPlain(untilEnd)
	if err != nil {
		return err
	}
	took, err := p.start(ctx)
	if err != nil {
		return err
	}
	into.plain = append(into.plain, ms(took))
	if !byKill {
		return p.remove(ctx)
	}
	pid, err := p.pid(ctx)
	if err != nil {
		return err
	}
	ended, err := gone(ctx, pid)
	if err != nil {
		return err
	}
	killed := time.Now()
	if err := b.docker.ContainerKill(ctx, p.id, "KILL"); err != nil {
		return err
	}
	at, err := await(ctx, ended)
	if err != nil {
		return err
	}
	into.plainKill = append(into.plainKill, ms(at.Sub(killed)))
	return p.remove(ctx)
}

func await(ctx context.Context, ended <-chan time.Time) (time.Time, error) {
	select {
	case at := <-ended:
		return at, nil
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("waited for the end of a task: %w", context.Cause(ctx))
	}
}

func ms(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
