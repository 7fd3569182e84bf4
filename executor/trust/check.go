package trust

import "context"

// Check is an inquiry under way.
type Check struct {
	done    chan struct{}
	verdict Verdict // set when done is closed
}

// Begin starts to find out about a target. When ctx ends first, nothing could be
// found out.
func Begin(ctx context.Context, t Target) *Check {
	c := &Check{done: make(chan struct{})}
	go func() {
		defer close(c.done)
		c.verdict = decide(gather(ctx, t))
	}()
	return c
}

// Verdict waits for the end of the inquiry.
func (c *Check) Verdict() Verdict {
	<-c.done
	return c.verdict
}
