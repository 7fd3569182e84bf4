package supervise

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"mesos-docker-executor/executor/admission"
	"mesos-docker-executor/executor/engine"
)

// forever is a wait that only its context ends.
const forever = time.Duration(math.MaxInt64)

// brokenOutput is how long the output may go on by itself after the wait's connection has broken: a daemon that dies breaks both at
// once.
const brokenOutput = time.Second

// Between two attempts to listen again: an engine may fall ill anew as soon as it is back, or answer everything but keep no stream.
const (
	listenPause     = 500 * time.Millisecond // doubles up to listenPauseMost
	listenPauseMost = 10 * time.Second
	listenLasted    = time.Minute // what was listened to for so long was well
)

// reattach waits for the engine to come back, as long as the executor lives. Then the container is either still there, and
// what is to be heard of it is listened to again, or it is not, and there is nothing to listen to.
func (r *runner) reattach() {
	c := r.container
	if time.Since(r.listened) > listenLasted {
		r.listenAfter = 0
	}
	pause := r.listenAfter
	r.listenAfter = nextListen(pause)
	r.Say("the connection to the Docker engine broke; the task goes on, and so does its output once the engine answers again")
	r.ops.Go(func() {
		output, exit, err := r.listenUntilHeard(c, pause)
		taken := r.post(delivery{Reattached{err}, func() {
			r.listened = time.Now()
			if r.discarding {
				closeBoth(output, exit)
				return
			}
			if exit != nil {
				c.exit.Close()
				c.exit = exit
				r.awaitExit(exit, true)
			}
			if output != nil {
				c.output = output
				r.copyOutput(c, true)
			}
		}})
		if !taken {
			closeBoth(output, exit)
		}
	})
}

func nextListen(pause time.Duration) time.Duration {
	return min(max(2*pause, listenPause), listenPauseMost)
}

// listenUntilHeard listens again after the pause, and then until it succeeds, the container is gone or Run is over.
func (r *runner) listenUntilHeard(c *container, pause time.Duration) (*engine.Output, *engine.Exit, error) {
	for {
		r.pause(r.ctx, pause)
		output, exit, err := r.listenAgain(c)
		if err == nil || errors.Is(err, engine.ErrNotFound) || r.ctx.Err() != nil {
			return output, exit, err
		}
		r.Log.Warn("listening to the container again", "error", err)
		pause = nextListen(pause)
	}
}

// listenAgain returns what is new: the exit, and the output if the old one has ended.
func (r *runner) listenAgain(c *container) (*engine.Output, *engine.Exit, error) {
	if err := r.Gate.Fit(r.ctx, forever, r.askEngine); err != nil {
		return nil, nil, err
	}
	found, err := r.Engine.Inspect(r.ctx, c.id)
	if err != nil {
		return nil, nil, err
	}
	var exit *engine.Exit
	if found.Running { // of another one there will be no next exit
		if exit, err = r.Engine.NextExit(r.ctx, c.id); err != nil {
			return nil, nil, err
		}
	}
	ended, stop := context.WithTimeout(r.ctx, brokenOutput)
	defer stop()
	select {
	case <-c.copied:
	case <-ended.Done():
		return nil, exit, nil // it is the old one still
	}
	output, gap, err := r.Engine.Resume(r.ctx, c.id, c.output)
	if err != nil {
		closeBoth(nil, exit)
		return nil, nil, err
	}
	r.remark("the engine is back; " + gap.String())
	return output, exit, nil
}

func closeBoth(output *engine.Output, exit *engine.Exit) {
	if output != nil {
		output.Close()
	}
	if exit != nil {
		exit.Close()
	}
}

// askEngine is the probe of an engine in trouble: its version and its description, since a ping alone proves nothing.
func (r *runner) askEngine(ctx context.Context) error {
	info, err := r.Engine.Probe(ctx)
	if err == nil {
		r.info.Store(&info)
		r.learn(info)
	}
	return err
}

// awaitFit waits until the engine is fit, at most for the time that a launch has for it. What ends the wait early is launch.
func (r *runner) awaitFit(ctx context.Context) error {
	told := false
	err := r.Gate.Fit(ctx, r.LaunchWait, func(ctx context.Context) error {
		err := r.askEngine(ctx)
		if err != nil && !told && ctx.Err() == nil {
			told = true
			r.remark(fmt.Sprintf("waiting up to %s for the Docker engine: %v", r.LaunchWait, err))
		}
		return err
	})
	if err == nil {
		return nil
	}
	var unfit *admission.UnfitError
	if !errors.As(err, &unfit) {
		return err
	}
	means := r.Engine.Explain(ctx, unfit.Cause)
	if means.Health == engine.Healthy || means.Health == engine.Down { // the failed connect says so itself
		return err
	}
	return fmt.Errorf("%w; %s", err, means)
}
