//go:build linux

package main

import (
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/google/uuid"
)

// lifetime of the task whose calls are counted.
const lifetime = 5 * time.Second

// life counts the calls to the daemon in the life of one task: image present, 5 s, one KILL.
func (b *bench) life(ctx context.Context) error {
	b.notes.say("life: counting calls to the daemon")
	r, counter, err := b.countedRun(ctx)
	if err != nil {
		return err
	}
	defer counter.close()
	if err := pause(ctx, lifetime); err != nil {
		return err
	}
	if err := r.end(ctx); err != nil {
		return err
	}
	b.report.add("life_calls", estimate{value: float64(counter.total())}, "%s", counter)
	return nil
}

// countedRun is a run that has reached TASK_RUNNING with an engine whose calls are counted.
func (b *bench) countedRun(ctx context.Context) (*execution, *counter, error) {
	counter, err := openCounter(filepath.Join(b.dir, uuid.NewString()[:8]+".sock"), b.engine.Socket)
	if err != nil {
		return nil, nil, err
	}
	r, err := b.countedLaunch(ctx, counter)
	if err != nil {
		return nil, nil, errors.Join(err, counter.close())
	}
	return r, counter, nil
}

func (b *bench) countedLaunch(ctx context.Context, c *counter) (*execution, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := b.startExecutor(untilKilled, c.socket)
	if err != nil {
		return nil, err
	}
	if _, err := r.awaitSubscribe(ctx); err != nil {
		return nil, err
	}
	if _, err := r.launch(); err != nil {
		return nil, err
	}
	_, _, err = r.running(ctx)
	return r, err
}
