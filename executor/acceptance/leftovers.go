//go:build acceptance

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	leftoverLimit = 40 * time.Second // an executor removes its container in the background after the terminal update
	leftoverPause = 500 * time.Millisecond
)

// leftovers is the check "nothing left behind". What it finds after a fair wait it reports and removes.
func leftovers(ctx context.Context, m machine, tasks map[string]*transcript) result {
	began := time.Now()
	res := result{Check: "nothing left behind"}
	defer func() { res.Took = time.Since(began) }()
	wait, cancel := context.WithTimeout(ctx, leftoverLimit)
	defer cancel()
	stayed, err := untilGone(wait, m, tasks)
	if err != nil {
		res.Detail = err.Error()
		return res
	}
	if len(stayed) == 0 {
		res.Passed, res.Detail = true, fmt.Sprintf("no container of %d tasks", len(tasks))
		return res
	}
	res.Detail = fmt.Sprintf("%d container(s) still there after %s, removed now", len(stayed), leftoverLimit)
	for _, f := range stayed {
		line := fmt.Sprintf("%s (%.12s, %s) of task %s", f.name, f.id, f.state, f.task)
		if err := m.remove(ctx, f.id); err != nil {
			line += fmt.Sprintf(": NOT removed: %v", err)
		}
		res.Wrong = append(res.Wrong, line)
	}
	return res
}

// untilGone asks until no container of ours is listed or ctx ends, and returns the ones that stayed.
func untilGone(ctx context.Context, m machine, tasks map[string]*transcript) ([]found, error) {
	for {
		all, err := m.containers(ctx)
		if err != nil {
			return nil, err
		}
		ours := oursAmong(all, tasks)
		if len(ours) == 0 {
			return nil, nil
		}
		select {
		case <-time.After(leftoverPause):
		case <-ctx.Done():
			if errors.Is(ctx.Err(), context.Canceled) {
				return nil, ctx.Err()
			}
			return ours, nil
		}
	}
}

// oursAmong picks the containers of our tasks: by the label with the task id, and by the Mesos container's id in the name
// (mesos-<id> in drop-in mode, <prefix>-<id> in custom mode).
func oursAmong(all []found, tasks map[string]*transcript) []found {
	var ours []found
	for _, f := range all {
		for id, t := range tasks {
			cid := t.containerID()
			if f.task == id || cid != "" && strings.HasSuffix(f.name, "-"+cid) {
				f.task = id
				ours = append(ours, f)
				break
			}
		}
	}
	return ours
}
