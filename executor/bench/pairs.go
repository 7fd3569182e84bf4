//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
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

// grownIdle is how old the tasks of a pair get whose end is measured. One second after TASK_RUNNING the executor collects
// its garbage and gives memory back (calmAfter of package supervise): that belongs to what a life costs, and an executor that has
// done so, as nearly all have whose task ends, ends a task with a cold heap.
const grownIdle = 2 * time.Second

// way is how one pair goes.
type way struct {
	oursFirst bool
	growsIdle bool // its end is measured, as is the executor's CPU time
	byKill    bool // ended by a kill, else by the task's own end
}

// wayOf alternates orders and ends. The ends of three pairs in five are measured, for which the tasks have to get old: five has no factor
// in common with the rest, so that all combinations come equally often.
func wayOf(pair int) way {
	return way{oursFirst: pair%2 == 0, growsIdle: pair%5 < 3, byKill: pair/2%2 == 0}
}

// leastPairs is how many pairs it takes for each figure to have a value.
const leastPairs = 4

// launch measures pairs of one launch each.
func (b *bench) launch(ctx context.Context) error {
	for range warmUp {
		b.notes.say("launch: warming up")
		if err := b.pair(ctx, &pairs{}, way{}); err != nil {
			return err
		}
	}
	var all pairs
	for i := range b.pairs {
		b.notes.say("launch: pair %d of %d", i+1, b.pairs)
		if err := b.pair(ctx, &all, wayOf(i)); err != nil {
			return err
		}
	}
	b.report.add("launch", ratioOf(singly(all.ours), singly(all.plain)),
		"LAUNCH to TASK_RUNNING %s ms, create+start %s ms", number(median(all.ours)), number(median(all.plain)))
	b.report.add("launch_cpu", medianOf(all.cpu), "user and system, the executor's whole life with a task of %s", grownIdle)
	b.report.add("start", medianOf(all.start), "fork to SUBSCRIBE; %s", spread(all.start))
	b.report.add("exit", medianOf(all.exit), "container's end to its terminal update, idle executor; %s", spread(all.exit))
	b.report.add("kill", ratioOf(singly(all.oursKill), singly(all.plainKill)),
		"KILL to process gone %s ms, idle executor; API kill %s ms", number(median(all.oursKill)), number(median(all.plainKill)))
	return nil
}

// pair launches on both sides, lets the tasks grow idle if that is its way, and ends both. While one side is measured,
// nothing happens on the other: its task is blocked in a system call.
func (b *bench) pair(ctx context.Context, into *pairs, w way) error {
	var ours *execution
	var theirs *plain
	launches := inOrder(w.oursFirst,
		func() (err error) { ours, err = b.launchOurs(ctx, into); return err },
		func() (err error) { theirs, err = b.launchPlain(ctx, into); return err })
	if launches != nil {
		return launches
	}
	if w.growsIdle {
		if err := pause(ctx, grownIdle); err != nil {
			return err
		}
	}
	return inOrder(w.oursFirst,
		func() error { return ours.ends(ctx, into, w) },
		func() error { return theirs.ends(ctx, into, w) })
}

// inOrder calls one after the other, the second only after success of the first.
func inOrder(oursFirst bool, ours, theirs func() error) error {
	first, second := ours, theirs
	if !oursFirst {
		first, second = theirs, ours
	}
	if err := first(); err != nil {
		return err
	}
	return second()
}

func (b *bench) launchOurs(ctx context.Context, into *pairs) (*execution, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := b.startExecutor(untilEnd, b.engine.Socket)
	if err != nil {
		return nil, err
	}
	subscribed, err := r.awaitSubscribe(ctx)
	if err != nil {
		return nil, err
	}
	launched, err := r.launch() // at once, as an agent does
	if err != nil {
		return nil, err
	}
	running, pid, err := r.running(ctx)
	if err != nil {
		return nil, err
	}
	r.init = pid
	into.start = append(into.start, ms(subscribed.Sub(r.began)))
	into.ours = append(into.ours, ms(running.Sub(launched)))
	return r, nil
}

// ends ends the task, and measures that if it has grown idle.
func (r *execution) ends(ctx context.Context, into *pairs, w way) error {
	if !w.growsIdle {
		return r.end(ctx)
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ended, err := gone(ctx, r.init)
	if err != nil {
		return err
	}
	want, killed := mesos.TASK_FINISHED, time.Time{}
	if w.byKill {
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
	if w.byKill {
		into.oursKill = append(into.oursKill, ms(at.Sub(killed)))
	} else {
		into.exit = append(into.exit, ms(last.at.Sub(at)))
	}
	if err := r.awaitExit(ctx); err != nil {
		return err
	}
	into.cpu = append(into.cpu, r.cpu()*1000)
	return nil
}

func (b *bench) launchPlain(ctx context.Context, into *pairs) (*plain, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	p, err := b.newPlain(untilEnd)
	if err != nil {
		return nil, err
	}
	took, err := p.start(ctx)
	if err != nil {
		return nil, err
	}
	into.plain = append(into.plain, ms(took))
	return p, nil
}

// ends removes the container, and measures a kill before.
func (p *plain) ends(ctx context.Context, into *pairs, w way) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if !w.growsIdle || !w.byKill {
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
	if err := p.bench.docker.ContainerKill(ctx, p.id, "KILL"); err != nil {
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
