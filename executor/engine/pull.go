package engine

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/distribution/reference"
	"github.com/docker/docker/api/types/image"
)

// PullOptions are what a pull can do without.
type PullOptions struct {
	// Auth is the value of the header X-Registry-Auth: a registry.AuthConfig of Docker's API as base64url-coded JSON.
	// "" pulls without credentials. What it holds never appears in an error.
	Auth string
	// Progress is called for each step that differs from the last one of its layer.
	Progress func(Progress)
	// Retry is called when a try has failed and another follows after the wait.
	Retry func(failed error, wait time.Duration)
}

// Pull fetches an image from its registry. It calls the functions of o on its own goroutine; they must not block.
//
// A try ends under three limits of progress: PullBegin until the first step, PullIdle between steps that differ, and
// PullExtract in PullIdle's place while nothing but layers to be extracted is outstanding. PullTotal covers all tries
// and the waits between them. A failed try is repeated (three in all, 5 s to 60 s apart) if the network or the registry failed, or the
// daemon in a way that may pass; never if the registry lacks or refuses the image, or the engine's disk is full. A daemon
// stops a pull whose client has gone, unless another client waits for the same layers, and keeps the layers that are
// complete.
//
// nil means that the daemon reported no error to the end of its stream; [Engine.Image] confirms the result. Any other
// failure than one of the caller's is a [*PullError] around the [*CallError] of the last try.
func (e *Engine) Pull(ctx context.Context, ref string, o PullOptions) error {
	began := time.Now()
	refuse := func(err error) error {
		return &CallError{Call: "pull", Outcome: Refused, Took: time.Since(began), Limit: e.limits.PullTotal, Err: err}
	}
	if _, err := e.docker(); err != nil {
		return refuse(err)
	}
	if _, err := reference.ParseNormalizedNamed(ref); err != nil {
		return refuse(fmt.Errorf("image %q: %w", ref, err))
	}
	for tries := 1; ; tries++ {
		err := e.pullOnce(ctx, ref, e.limits.PullTotal-time.Since(began), o)
		if err == nil || ctx.Err() != nil {
			return err
		}
		failed := pullError(err, ref, tries)
		wait, again := pullAgain(tries, failed, e.limits.PullTotal-time.Since(began), rand.Float64())
		if !again {
			return failed
		}
		if o.Retry != nil {
			o.Retry(failed, wait)
		}
		if err := e.wait(ctx, wait); err != nil {
			return refuse(err)
		}
	}
}

// Tries of a pull, and the waits between them.
const (
	pullTries     = 3
	shortestPause = 5 * time.Second
	longestPause  = time.Minute
)

// pullAgain decides whether a pull that has failed for the tries-th time is tried again, and after which wait. left is what
// remains of PullTotal; random in [0,1) spreads the executors that a registry's failure hit together. The waits are 5 s
// to 15 s and 20 s to 60 s.
func pullAgain(tries int, failed *PullError, left time.Duration, random float64) (wait time.Duration, again bool) {
	if failed.final || tries >= pullTries {
		return 0, false
	}
	base := min(shortestPause<<(2*(tries-1)), longestPause/3)
	wait = base + time.Duration(random*2*float64(base))
	return wait, wait < left
}

// pause waits in the way of [Engine.wait]: it returns early, with the context's error, when that ends.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pullOnce is one try. total is what PullTotal leaves for it.
func (e *Engine) pullOnce(ctx context.Context, ref string, total time.Duration, o PullOptions) error {
	kind := call{name: "pull", limit: total, accept: []int{http.StatusOK}, stream: true}
	err := e.do(ctx, kind, func(ctx context.Context) error {
		p, err := e.docker()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		watch := expect(cancel, beginLimit(e.limits))
		defer func() { watch.Stop() }()

		stream, err := p.docker.ImagePull(ctx, ref, image.PullOptions{RegistryAuth: o.Auth})
		if err != nil {
			return err
		}
		defer stream.Close()
		err = readPull(stream, func(step Progress, unpacking bool) {
			watch.Stop()
			if unpacking {
				watch = expect(cancel, extractLimit(e.limits))
			} else {
				watch = expect(cancel, idleLimit(e.limits))
			}
			if o.Progress != nil {
				o.Progress(step)
			}
		})
		if cause := context.Cause(ctx); err != nil && cause != nil && !errors.As(err, new(*DaemonError)) {
			return cause
		}
		return err
	})
	if no := (*DaemonError)(nil); errors.As(err, &no) {
		no.Message = withoutCredentials(no.Message, o.Auth)
	}
	if failed := (*CallError)(nil); errors.As(err, &failed) && failed.Err == context.DeadlineExceeded && ctx.Err() == nil {
		failed.Err, failed.Limit = totalLimit(e.limits), e.limits.PullTotal
	}
	return err
}

// expect ends the pull when the limit is over, unless the timer is stopped before.
func expect(cancel context.CancelCauseFunc, over *stallError) *time.Timer {
	return time.AfterFunc(over.limit, func() { cancel(over) })
}

// stallError ends a pull that took too long. It is a [context.DeadlineExceeded], as any exceeded limit.
type stallError struct {
	missing string // what did not happen
	limit   time.Duration
	key     string // of config.yaml
	remedy  string
	network bool // another try may help
}

func beginLimit(l Limits) *stallError {
	return &stallError{"no first step of the pull", l.PullBegin, "pull_begin", "check that the engine answers and reaches the registry", true}
}

func idleLimit(l Limits) *stallError {
	return &stallError{"no progress of the pull", l.PullIdle, "pull_idle", "check the registry and the engine's connection to it", true}
}

func extractLimit(l Limits) *stallError {
	return &stallError{"no progress of the extraction of the image's layers", l.PullExtract, "pull_extract", "check the load of the engine's disk, or raise the limit for very big layers", false}
}

func totalLimit(l Limits) *stallError {
	return &stallError{"the pull is not finished", l.PullTotal, "pull_total", "check the speed of the connection to the registry, or raise the limit for very big images", false}
}

func (e *stallError) Error() string {
	return fmt.Sprintf("%s within %s (engine.limits.%s): %s", e.missing, e.limit, e.key, e.remedy)
}

func (e *stallError) Is(target error) bool { return target == context.DeadlineExceeded }
