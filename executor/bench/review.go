//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib/executor"

	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security"
)

// reviews is how often the recorded task is reviewed.
const reviews = 1000

// review measures what the policy's decision over the recorded task takes, by itself; and beside that the whole decision, of
// which it is a part, and the first one of a process, which an executor makes.
func (b *bench) review(ctx context.Context) error {
	raw, err := recordedTask(b.recording)
	if err != nil {
		return err
	}
	in := task.Inputs{
		Mode: task.DropIn, ContainerID: "4de9fde7-441d-4541-a155-771feae6296b", ContainerName: "mesos-4de9fde7-441d-4541-a155-771feae6296b",
		Sandbox: "/sandbox", SandboxSource: "/run/leases/4de9fde7.1", MappedDirectory: mapped,
	}
	policy := security.BuiltIn()
	decide := func() task.Decision { return task.Decide(raw, in, policy) }
	began := time.Now()
	if refusal := decide().Refusal; refusal != nil {
		return fmt.Errorf("the recorded task is refused: %s", refusal.Message)
	}
	first := ms(time.Since(began))
	spec, granted, err := task.Translated(raw, in)
	if err != nil {
		return err
	}
	var times, whole []float64
	for range reviews {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		began := time.Now()
		policy.Review(spec, granted)
		reviewed := time.Now()
		decide()
		times, whole = append(times, ms(reviewed.Sub(began))), append(whole, ms(time.Since(reviewed)))
	}
	b.report.add("review", medianOf(times), "with decoding and translation %s ms, the first time %s ms", number(median(whole)), number(first))
	allocations := func(f func()) float64 { return testing.AllocsPerRun(reviews, f) }
	b.report.add("review_allocs", estimate{value: allocations(func() { policy.Review(spec, granted) })},
		"with decoding and translation %s", number(allocations(func() { decide() })))
	return nil
}

// recordedTask returns the TaskInfo of the LAUNCH in a recorded stream of an agent: records with their length before them, each
// an event.
func recordedTask(path string) ([]byte, error) {
	stream, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("the recording is missing: %w; run the bench in the root of the repository, or name it with -recording", err)
	}
	for len(stream) > 0 {
		length, rest, _ := bytes.Cut(stream, []byte("\n"))
		size, err := strconv.Atoi(string(length))
		if err != nil || size < 0 || size > len(rest) {
			return nil, fmt.Errorf("%s is no stream of records: length %q", path, length)
		}
		var event executor.Event
		if err := event.Unmarshal(rest[:size]); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if event.Launch != nil {
			return event.Launch.Task.Marshal()
		}
		stream = rest[size:]
	}
	return nil, errors.New(path + " has no LAUNCH")
}
