package supervise

import (
	"errors"
	"fmt"
	"os"
	"time"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/process"
)

// discard removes the container and what stands around it. A create that is still under way is waited for, since its
// container has to go as well; the lease is revoked first, so it can't start.
func (r *runner) discard() {
	r.revokeLease()
	r.discarding = true
	r.spawn(func() delivery {
		select {
		case c := <-r.creating:
			err := r.remove(c)
			return delivery{Discarded{err}, func() { r.clean = err == nil }}
		case <-r.ctx.Done():
			return delivery{msg: Discarded{r.ctx.Err()}}
		}
	})
}

func (r *runner) remove(c *container) error {
	c.leave() // one that is not started any more keeps nobody from starting
	var errs []error
	if c.unknown {
		errs = append(errs, r.findLate(c))
	}
	if c.leaf != nil {
		errs = append(errs, c.leaf.Kill())
	}
	c.close() // a daemon that still has output to deliver would not remove the container
	r.unwedge(c)
	if c.id != "" {
		r.ops.Go(func() { r.noteUse(r.ctx, c.image) }) // on a disk that may hang
		errs = append(errs, r.removeContainer(c))
	}
	r.release(c)
	if c.stuck {
		errs = append(errs, errors.New("staging its mounts has not come to an end: a later executor's sweep releases them"))
	}
	if c.placement != nil {
		errs = append(errs, cgroupnet.Remove(c.groups, *c.placement))
	}
	err := errors.Join(errs...)
	if err != nil {
		r.Log.Error("something of the task stays on the host", "container", c.name, "error", err)
	}
	return err
}

// removeContainer removes the container, and its shim if containerd forgot that.
func (r *runner) removeContainer(c *container) error {
	began := time.Now()
	if err := r.Engine.Remove(r.ctx, c.id); err != nil {
		return err
	}
	shim := c.shim.Load()
	if shim == nil && c.started.Load() && time.Since(began) < slowRemoval {
		return nil // it ended as quickly as the task, and the engine is well
	}
	for end := time.Now().Add(shimEnds); shim != nil; r.pause(r.ctx, reapPause) {
		if _, alive := shim.Process(); !alive {
			return nil
		}
		if r.ctx.Err() != nil || time.Now().After(end) {
			break
		}
	}
	ended, err := process.EndShims(c.id)
	if ended > 0 {
		r.Log.Warn("the container's shim was orphaned and is ended", "container", c.name)
	}
	return err
}

// slowRemoval is how long a removal takes that waited for something, such as containerd's return.
const slowRemoval = time.Second

// shimEnds is how long a shim may take to end when its container is removed. It has usually ended by then.
const shimEnds = 2 * time.Second

// findLate looks for the container of a create without an answer, by its name and our label.
func (r *runner) findLate(c *container) error {
	found, err := r.Engine.Inspect(r.ctx, c.name)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return fmt.Errorf("docker create was not answered: container %s may still appear, cannot be started, and is removed by a later executor of this host", c.name)
	case err != nil:
		return fmt.Errorf("looking for a late container %s: %w", c.name, err)
	case found.Labels[labelContainer] == r.ContainerID:
		c.id = found.ID
	}
	return nil
}

// unwedge ends a shim that does not reap the dead init: as long as it is there, the engine cannot remove the container.
func (r *runner) unwedge(c *container) {
	init, shim := c.init.Load(), c.shim.Load()
	if init == nil || shim == nil {
		return
	}
	for end := time.Now().Add(time.Second); ; r.pause(r.ctx, reapPause) {
		if _, waits := init.Zombie(); !waits {
			return
		}
		if r.ctx.Err() != nil || time.Now().After(end) {
			break
		}
	}
	if err := shim.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		r.Log.Error("the shim does not reap the container's dead init and cannot be killed", "error", err)
	}
}

// reapPause is between two looks whether a shim, which takes milliseconds, has reaped the init.
const reapPause = 20 * time.Millisecond

// close ends what listens to the container.
func (c *container) close() {
	if c.output != nil {
		c.output.Close()
	}
	if c.exit != nil {
		c.exit.Close()
	}
}

// letGo gives up what is held of the container's processes, and the place among the host's starts if it never came to one.
func (c *container) letGo() {
	c.leave()
	if shim := c.shim.Load(); shim != nil {
		shim.Close()
	}
	if init := c.init.Load(); init != nil {
		init.Close()
	}
}
