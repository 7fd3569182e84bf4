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

// Verdict waits for the end of the inquiry, and no longer than its context; the
// error is then the context's, and the verdict that the target is not trusted.
func (c *Check) Verdict(ctx context.Context) (Verdict, error) {
	select {
	case <-c.done:
		return c.verdict, nil
	default:
	}
	select {
	case <-c.done:
		return c.verdict, nil
	case <-ctx.Done():
		return no("cannot be checked: there was no time for it"), ctx.Err()
	}
}
