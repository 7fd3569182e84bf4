package supervise

import (
	"errors"
	"fmt"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/engine"
)

// discard removes the container and what stands around it. A create that is still under way is waited for, since its
// container has to go as well; the lease is revoked first, so it can't start.
func (r *runner) discard() {
	r.revokeLease()
	r.spawn(func() delivery {
		select {
		case c := <-r.creating:
			return delivery{msg: Discarded{r.remove(c)}}
		case <-r.ctx.Done():
			return delivery{msg: Discarded{r.ctx.Err()}}
		}
	})
}

func (r *runner) remove(c *container) error {
	var errs []error
	if c.unknown {
		errs = append(errs, r.findLate(c))
	}
	if c.leaf != nil {
		errs = append(errs, c.leaf.Kill())
	}
	c.close() // a daemon that still has output to deliver would not remove the container
	if c.id != "" {
		errs = append(errs, r.Engine.Remove(r.ctx, c.id))
	}
	r.release(c)
	if c.placement != nil {
		errs = append(errs, cgroupnet.Remove(c.groups, *c.placement))
	}
	err := errors.Join(errs...)
	if err != nil {
		r.Log.Error("something of the task stays on the host", "container", c.name, "error", err)
	}
	return err
}

// findLate looks for the container of a create without an answer, by its name and our label.
func (r *runner) findLate(c *container) error {
	found, err := r.Engine.Inspect(r.ctx, c.name)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		r.Log.Warn("docker create was not answered; a container may still appear, and cannot be started", "container", c.name)
		return nil
	case err != nil:
		return fmt.Errorf("looking for a late container %s: %w", c.name, err)
	case found.Labels[labelContainer] == r.ContainerID:
		c.id = found.ID
	}
	return nil
}

// close ends what listens to the container.
func (c *container) close() {
	if c.output != nil {
		c.output.Close()
	}
	if c.exit != nil {
		c.exit.Close()
	}
}
