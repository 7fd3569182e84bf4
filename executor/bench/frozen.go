//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/process"
)

// grace is the grace period of a KILL under a frozen dockerd. The task does not use it, so it passes in full.
const grace = time.Second

// Two commands that open the FIFO once their traps are set, and read nothing from it.
const (
	// obstinate is two processes that ignore SIGTERM: what is ignored stays so in a new program (execve(2)).
	obstinate = "trap '' TERM; sleep 1000000 & exec " + sleepsOver
	// obedient exits with 7 on SIGUSR1, at once: a signal ends `wait`.
	obedient = "trap 'exit 7' USR1; " + sleepsOver + " & wait"

	sleepsOver = "sleep 1000000 <" + mapped + "/" + fifo
)

// frozenTimes collects what the rounds measured, in milliseconds.
type frozenTimes struct {
	gone, killed []float64 // from the end of the grace
	exit         []float64 // from the end of the container's init
}

// frozen measures how tasks end while the engine is frozen (SIGSTOP), as it is when its disk hangs.
func (b *bench) frozen(ctx context.Context) error {
	var all frozenTimes
	for i := range b.rounds {
		b.notes.say("frozen: round %d of %d", i+1, b.rounds)
		if err := b.frozenRound(ctx, &all); err != nil {
			return err
		}
	}
	b.report.add("frozen_gone", medianOf(all.gone), "dockerd frozen: end of the grace to no process left; %s", spread(all.gone))
	b.report.add("frozen_killed", medianOf(all.killed), "dockerd frozen: end of the grace to TASK_KILLED; %s", spread(all.killed))
	b.report.add("frozen_exit", medianOf(all.exit), "dockerd and containerd frozen: container's end to its terminal update; %s", spread(all.exit))
	return nil
}

// frozenRound kills one task and lets another one end. The second one's executor has become idle by then.
func (b *bench) frozenRound(ctx context.Context, into *frozenTimes) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	toKill, toExit, err := b.launchTwo(ctx)
	if err != nil {
		return err
	}
	if err := b.whileFrozen(func() error { return b.killFrozen(ctx, toKill, into) }, b.dockerd()); err != nil {
		return err
	}
	if err := toKill.awaitExit(ctx); err != nil {
		return err
	}
	if err := b.whileFrozen(func() error { return exitFrozen(ctx, toExit, into) }, b.dockerd(), b.containerd()); err != nil {
		return err
	}
	return toExit.awaitExit(ctx)
}

// launchTwo returns two running tasks, obstinate and obedient, both of which have set their traps.
func (b *bench) launchTwo(ctx context.Context) (toKill, toExit *execution, err error) {
	var runs [2]*execution
	for i, command := range []string{obstinate, obedient} {
		if runs[i], err = b.startExecutor(command, b.engine.Socket); err != nil {
			return nil, nil, err
		}
		if _, err := runs[i].awaitSubscribe(ctx); err != nil {
			return nil, nil, err
		}
		if _, err := runs[i].launch(); err != nil {
			return nil, nil, err
		}
	}
	for _, r := range runs {
		if _, r.init, err = r.running(ctx); err != nil {
			return nil, nil, err
		}
		if err := r.untilReads(ctx); err != nil {
			return nil, nil, err
		}
	}
	return runs[0], runs[1], nil
}

// freezable is a process of the engine.
type freezable struct{ freeze, thaw func() error }

func (b *bench) dockerd() freezable { return freezable{b.engine.Freeze, b.engine.Thaw} }
func (b *bench) containerd() freezable {
	return freezable{b.engine.FreezeContainerd, b.engine.ThawContainerd}
}

// whileFrozen does something while parts of the engine are frozen, and thaws them whatever happens: else no executor could
// remove its container.
func (b *bench) whileFrozen(do func() error, parts ...freezable) (err error) {
	for _, p := range parts {
		if err := p.freeze(); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, p.thaw()) }()
	}
	return do()
}

// killFrozen kills a task and waits for the end of all its processes and for TASK_KILLED.
func (b *bench) killFrozen(ctx context.Context, r *execution, into *frozenTimes) error {
	empty, err := b.emptied(ctx, r)
	if err != nil {
		return err
	}
	killed, err := r.killWith(grace)
	if err != nil {
		return err
	}
	end := killed.Add(grace)
	gone, err := empty()
	if err != nil {
		return err
	}
	if gone.Before(end) {
		return fmt.Errorf("the task's processes ended %s before the end of its grace", end.Sub(gone))
	}
	last, err := r.awaitState(ctx, mesos.TASK_KILLED)
	if err != nil {
		return err
	}
	into.gone = append(into.gone, ms(gone.Sub(end)))
	into.killed = append(into.killed, ms(last.at.Sub(end)))
	return nil
}

// emptied watches the processes of a container that starts no more of them. The function that it returns waits for the last
// one's end, and makes sure that it was the last.
func (b *bench) emptied(ctx context.Context, r *execution) (empty func() (time.Time, error), err error) {
	at, err := cgroupnet.Place(cgroupnet.PlaceInput{Root: b.cgroupRoot, ContainerID: r.containerID, CgroupDriver: "cgroupfs"})
	if err != nil {
		return nil, err
	}
	leaf := process.OpenLeaf(b.groups, at.Path)
	all, err := leaf.Processes()
	if err != nil {
		return nil, err
	}
	if len(all) != 2 {
		return nil, fmt.Errorf("the task should be two processes, and is %v", all)
	}
	var ends []<-chan time.Time
	for _, p := range all {
		ended, err := gone(ctx, p.PID)
		if err != nil {
			return nil, err
		}
		ends = append(ends, ended)
	}
	return func() (last time.Time, err error) {
		for _, ended := range ends {
			at, err := await(ctx, ended)
			if err != nil {
				return last, err
			}
			if at.After(last) {
				last = at
			}
		}
		left, err := leaf.Processes()
		if err == nil && len(left) > 0 {
			err = fmt.Errorf("processes are left in the task's cgroup: %v", left)
		}
		return last, err
	}, nil
}

// exitFrozen makes the container's init exit, without Docker, and waits for the terminal update.
func exitFrozen(ctx context.Context, r *execution, into *frozenTimes) error {
	ended, err := gone(ctx, r.init)
	if err != nil {
		return err
	}
	if err := unix.Kill(r.init, unix.SIGUSR1); err != nil {
		return fmt.Errorf("signal the container's init: %w", err)
	}
	at, err := await(ctx, ended)
	if err != nil {
		return err
	}
	last, err := r.awaitState(ctx, mesos.TASK_FAILED)
	if err != nil {
		return err
	}
	if want := "Container exited with status 7"; !strings.HasPrefix(last.status.GetMessage(), want) {
		return fmt.Errorf("the terminal update says %q, want %q", last.status.GetMessage(), want)
	}
	into.exit = append(into.exit, ms(last.at.Sub(at)))
	return nil
}
