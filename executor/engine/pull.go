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
// PullExtract in PullIdle's place while nothing but layers to be extracted is outstanding. None of the three applies while the daemon
// has all missing layers queued behind other pulls. PullTotal covers all tries and the waits between them.
//
// A failed try is repeated (three in all, 5 s to 60 s apart) if the network or the registry failed or the registry limits pulls, or the
// daemon in a way that may pass, and PullTotal leaves time for it; never if the registry lacks or refuses the image, a
// certificate is not trusted, the image is damaged or the engine's disk is full. An engine that refuses the connection is tried
// once more. One that does not begin is asked for a sign of life: if there is none, the engine hangs, and else it is its registry. A daemon
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
	var before *PullError
	for tries := 1; ; tries++ {
		err := e.pullOnce(ctx, ref, e.limits.PullTotal-time.Since(began), o)
		if err == nil || ctx.Err() != nil {
			return err
		}
		failed := pullError(err, ref, tries)
		failed.follows(before)
		before = failed
		wait, again := pullAgain(tries, failed, e.limits.PullTotal-time.Since(began), min(e.limits.PullBegin, shortestTry), rand.Float64())
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
	engineTries   = 2                // of an engine that refuses connections
	shortestTry   = 30 * time.Second // a try with less time left would only hide why the one before failed
	shortestPause = 5 * time.Second
	longestPause  = time.Minute
)

// pullAgain decides whether a pull that has failed for the tries-th time is tried again, and after which wait. left is what
// remains of PullTotal, of which the try needs least; random in [0,1) spreads the executors that a registry's failure hit together. The waits are 5 s
// to 15 s and 20 s to 60 s; of a registry that limits pulls, which 5 s do not change, both are the long one.
func pullAgain(tries int, failed *PullError, left, least time.Duration, random float64) (wait time.Duration, again bool) {
	if failed.final || tries >= pullTries || failed.Class == ErrEngine && tries >= engineTries {
		return 0, false
	}
	base := min(shortestPause<<(2*(tries-1)), longestPause/3)
	if failed.Class == errLimited {
		base = longestPause / 3
	}
	wait = base + time.Duration(random*2*float64(base))
	return wait, wait+least < left
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
	kind := call{
		name: "pull", limit: total, accept: []int{http.StatusOK}, stream: true,
		conceal: func(no *DaemonError) { no.Message = withoutCredentials(no.Message, o.Auth) },
	}
	phase := fetching
	err := e.do(ctx, kind, func(ctx context.Context) error {
		p, err := e.docker()
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		watch := &pullWatch{cancel: cancel}
		defer watch.stop()

		began := time.Now()
		watch.expect(answerLimit(e.limits), e.limits.PullBegin)
		stream, err := p.docker.ImagePull(ctx, ref, image.PullOptions{RegistryAuth: o.Auth})
		if err != nil {
			return err
		}
		defer stream.Close()
		watch.expect(beginLimit(e.limits), e.limits.PullBegin-time.Since(began))
		err = readPull(stream, func(step Progress, now pullPhase) {
			phase = now
			switch phase {
			case queued:
				watch.stop()
			case unpacking:
				watch.expect(extractLimit(e.limits), e.limits.PullExtract)
			default:
				watch.expect(idleLimit(e.limits), e.limits.PullIdle)
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
	failed := (*CallError)(nil)
	if !errors.As(err, &failed) || ctx.Err() != nil {
		return err
	}
	if failed.Err == context.DeadlineExceeded {
		failed.Err, failed.Limit = totalLimit(e.limits, phase), e.limits.PullTotal
	}
	if stalled := (*stallError)(nil); errors.As(err, &stalled) && stalled.class == ErrNetwork {
		e.askEngine(ctx, failed, stalled)
	}
	return err
}

// askEngine finds out who stalls: dockerd 20.10 doesn't even answer a pull before it has the manifest, so that a hung registry
// looks like a hung engine.
func (e *Engine) askEngine(ctx context.Context, failed *CallError, stalled *stallError) {
	if _, err := e.ping(ctx); err != nil && ctx.Err() == nil {
		hung := *stalled
		hung.class, hung.remedy = ErrEngine, "the engine hangs, check the Docker daemon ("+err.Error()+")"
		failed.Err = &hung
	}
}
