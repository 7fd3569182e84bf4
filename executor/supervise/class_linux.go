package supervise

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/process"
	"mesos-docker-executor/executor/report"
	"mesos-docker-executor/executor/task"
)

// placeLeaf makes the task's leaf, with its class ID in it before there is a container to be born with that. Where the class cannot be
// given and the operator prefers an untagged task to none, the leaf is made anew without one. Never is a task run in a class that
// was somebody else's.
func (r *runner) placeLeaf(c *container, plan *task.Plan) error {
	class := uint32(plan.Class.ID)
	if err := r.makeLeaf(c, class); err != nil || class == 0 {
		return err
	}
	err := r.classify(c, class)
	switch {
	case err == nil:
		r.Log.Info("class ID", "class", plan.Class.ID.String(), "team", plan.Class.Team, "app", plan.Class.App, "cgroup", c.placement.Path)
		return nil
	case !plan.ClassPreferred || errors.As(err, new(*cgroupnet.ForeignClassError)):
		c.untagged = err.Error()
		return fmt.Errorf("class ID %s: %w", plan.Class.ID, err)
	}
	c.untagged = fmt.Sprintf("the container runs untagged, without its class ID %s: %v", plan.Class.ID, err)
	r.Log.Warn(c.untagged)
	if err := cgroupnet.Remove(c.groups, *c.placement); err != nil {
		return err
	}
	return r.makeLeaf(c, 0)
}

func (r *runner) makeLeaf(c *container, class uint32) error {
	groups, err := cgroupnet.Hierarchies()
	if err != nil {
		return err
	}
	freezer, err := cgroupnet.SelfFreezer()
	if err != nil {
		return err
	}
	placement, err := cgroupnet.Place(cgroupnet.PlaceInput{
		Root:         r.CgroupRoot,
		ContainerID:  r.ContainerID,
		SelfFreezer:  freezer,
		CgroupDriver: r.info.Load().CgroupDriver,
		Custom:       r.Mode == task.Custom,
		Class:        class,
	})
	if err != nil {
		return err
	}
	if err := r.claimMore(func(record *process.ClaimRecord) { record.Leaf = placement }); err != nil {
		return err
	}
	c.groups, c.placement, c.leaf = groups, &placement, process.OpenLeaf(groups, placement.Path)
	return cgroupnet.Prepare(groups, placement)
}

// classify gives the leaf its class.
func (r *runner) classify(c *container, class uint32) error {
	support, err := cgroupnet.Probe()
	if err != nil {
		return err
	}
	driver, err := support.Driver()
	if err != nil {
		return err
	}
	if err := driver.Assign(*c.placement, class); err != nil {
		return err
	}
	c.driver, c.class = driver, class
	return nil
}

// misplaced says in what way the container's processes are not in their class; "" when they are, have ended, or have none.
func (r *runner) misplaced(c *container) string {
	if c.driver == nil {
		return ""
	}
	pids, err := c.leaf.PIDs()
	if err == nil {
		err = c.driver.Verify(*c.placement, c.class, cgroupnet.Settle, pids...)
	}
	return errorOr(err, "")
}

// initSettle is how long a container's init that has just been seen may need to get into all its cgroups. With runc it is in them then, and
// becomes the program 200 ms later or more; other runtimes may put it into one after the other.
const initSettle = 50 * time.Millisecond

// initMisplaced says the same of the container's init, as soon as that is there. So what is not in its class is found before it has sent
// anything, however short it lives.
func (r *runner) initMisplaced(c *container, init *process.Init) string {
	if c.driver == nil {
		return ""
	}
	return errorOr(c.driver.Verify(*c.placement, c.class, initSettle, init.PID), "")
}

// elsewhereWait is how long a container that runs by the engine's word may have no process in its leaf: the engine learns of an end
// within milliseconds.
const elsewhereWait = time.Second

// elsewhere says that the container runs, and not in its leaf; "" unless that is certain.
func (r *runner) elsewhere(c *container, found engine.Container) string {
	if c.driver == nil || c.init.Load() != nil || !found.Running || found.Pid <= 0 {
		return ""
	}
	for end := time.Now().Add(elsewhereWait); time.Now().Before(end) && r.ctx.Err() == nil; r.pause(r.ctx, executePause) {
		if pids, err := c.leaf.PIDs(); err != nil || len(pids) > 0 {
			return r.misplaced(c)
		}
		if !process.Runs(found.Pid) {
			return ""
		}
	}
	return fmt.Sprintf("the engine runs it as process %d, but its leaf %s has no process: the engine does not keep to the cgroup parent that it was given; "+
		"see /proc/%[1]d/cgroup, and the engine's cgroup driver and runtime", found.Pid, c.placement.Path)
}

// keepClass sees to it that the leaf keeps its class for as long as ctx lives.
func (r *runner) keepClass(ctx context.Context, c *container) {
	if c.driver == nil {
		return
	}
	r.ops.Go(func() {
		err := c.driver.Watch(ctx, *c.placement, c.class, func(loss cgroupnet.Loss) { r.lostClass(c, loss) })
		if err != nil && ctx.Err() == nil {
			r.Log.Warn("the container's class ID is not watched any more", "error", err)
		}
	})
}

// lostClass is called by the watcher, in its goroutine.
func (r *runner) lostClass(c *container, loss cgroupnet.Loss) {
	lost := c.lost.Add(1)
	r.Log.Warn("the class ID was lost", "cgroup", loss.Cgroup, "found", fmt.Sprintf("0x%08x", loss.Found), "times", lost, "error", loss.Err)
	text := fmt.Sprintf("%s had the class 0x%08x; it has 0x%08x again", loss.Cgroup, loss.Found, c.class)
	severity := report.Warn
	if loss.Err != nil {
		text, severity = fmt.Sprintf("%s has the class 0x%08x: %v", loss.Cgroup, loss.Found, loss.Err), report.Error
	}
	r.post(delivery{adopt: func() { r.events.Add(time.Now(), "class", severity, text) }})
}
