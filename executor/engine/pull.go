package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/docker/docker/api/types/image"
)

// Progress is one step of a pull.
type Progress struct {
	Layer   string // short ID of a layer; the tag in the first line, "" in the last ones
	Status  string // "Pulling fs layer", "Downloading", "Extracting", "Pull complete", ...
	Current int64  // bytes, 0 if the step has no measure
	Total   int64  // bytes, 0 if unknown
}

// Pull fetches an image from its registry, without credentials, and calls progress (unless nil) for each step, on
// the caller's goroutine; progress must not block. It ends under three limits: PullBegin until the first step, PullIdle
// between steps that differ, PullTotal. A daemon stops a pull whose client has gone, and keeps the layers that
// are complete.
//
// nil means that the daemon reported no error to the end of its stream; [Engine.Image] confirms the result. An image that
// the registry doesn't have, or doesn't show to strangers, is [ErrNotFound].
func (e *Engine) Pull(ctx context.Context, ref string, progress func(Progress)) error {
	kind := call{name: "pull", limit: e.limits.PullTotal, accept: []int{http.StatusOK}, stream: true}
	err := e.do(ctx, kind, func(ctx context.Context) error {
		p, err := e.docker()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		watch := expect(cancel, "no first step of the pull", e.limits.PullBegin)
		defer func() { watch.Stop() }()

		stream, err := p.docker.ImagePull(ctx, ref, image.PullOptions{})
		if err != nil {
			return err
		}
		defer stream.Close()
		err = readPull(stream, func(step Progress) {
			watch.Stop()
			watch = expect(cancel, "no progress of the pull", e.limits.PullIdle)
			if progress != nil {
				progress(step)
			}
		})
		if cause := context.Cause(ctx); err != nil && cause != nil && !errors.As(err, new(*DaemonError)) {
			return cause
		}
		return err
	})
	if failed := (*CallError)(nil); errors.As(err, &failed) && registryLacks(err) && !errors.Is(err, ErrNotFound) {
		failed.Err = fmt.Errorf("%w: %w", ErrNotFound, failed.Err)
	}
	return err
}

// expect ends the pull when limit is over, unless the timer is stopped before.
func expect(cancel context.CancelCauseFunc, missing string, limit time.Duration) *time.Timer {
	return time.AfterFunc(limit, func() { cancel(&stallError{missing, limit}) })
}

// pullLine is a line of the daemon's stream (moby's pkg/jsonmessage). A failure comes as a line of its own,
// in an answer whose status said 200.
type pullLine struct {
	ID             string
	Status         string
	ProgressDetail struct{ Current, Total int64 }
	Error          string
	ErrorDetail    struct{ Message string }
}

// readPull reads the stream to its end and calls step for each line that differs from the last one of its layer.
func readPull(stream io.Reader, step func(Progress)) error {
	last := map[string]Progress{}
	lines := json.NewDecoder(stream)
	for {
		var line pullLine
		err := lines.Decode(&line)
		switch {
		case err == io.EOF && len(last) == 0:
			return errors.New("the daemon's progress stream has no progress in it")
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("the daemon's progress stream broke off: %w", err)
		case line.Status == "" && line.Error == "" && line.ErrorDetail.Message == "":
			continue // nothing that says how the pull goes
		case line.Error != "" || line.ErrorDetail.Message != "":
			return pullFailure(line)
		}
		now := Progress{Layer: line.ID, Status: line.Status, Current: line.ProgressDetail.Current, Total: line.ProgressDetail.Total}
		if before, seen := last[now.Layer]; !seen || before != now {
			last[now.Layer] = now
			step(now)
		}
	}
}

func pullFailure(line pullLine) *DaemonError {
	message := line.ErrorDetail.Message
	if message == "" {
		message = line.Error
	}
	return &DaemonError{Message: message}
}

// registryLacks recognizes the messages about an image that the registry doesn't have or doesn't show. The
// status is no help: a failure inside the stream has none, and a daemon that doesn't translate its
// registry's answer says 500 (Debian's 20.10.24).
func registryLacks(err error) bool {
	var no *DaemonError
	if !errors.As(err, &no) {
		return false
	}
	for _, sign := range []string{"not found", "manifest unknown", "does not exist", "access denied", "access to the resource is denied"} {
		if strings.Contains(no.Message, sign) {
			return true
		}
	}
	return false
}
