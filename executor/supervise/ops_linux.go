package supervise

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/process"
	"mesos-docker-executor/executor/task"
)

// watchTail is how long the search for the init goes on after a successful start: the process of a container that is
// still running is in its cgroup before start is answered, so one look would do.
const watchTail = 500 * time.Millisecond

func (r *runner) carryOut(c Command) {
	switch c := c.(type) {
	case Send:
		r.logUpdate(c.Status)
		r.Agent.Update(c.Status)
	case EnsureImage:
		r.ensureImage(c.Plan)
	case CancelImage:
		r.cancelImage()
	case CreateContainer:
		r.createContainer(c.Plan)
	case StartContainer:
		r.startContainer()
	case InspectContainer:
		r.inspect(func(i engine.Container, err error) Message { return Inspected{i, err} })
	case InspectExit:
		r.inspect(func(i engine.Container, err error) Message { return ExitInspected{i, err} })
	case RevokeLease:
		r.revokeLease()
	case SignalInit:
		r.signalInit(c.Signal)
	case StopInit:
		r.signalInit(r.stopSignal())
	case SignalByEngine:
		r.signalByEngine(c.Signal)
	case KillLeaf:
		r.killLeaf()
	case Discard:
		r.discard()
	case Arm:
		r.arm(c)
	case Exit:
		r.exit = &c.Code
	}
}

func (r *runner) arm(c Arm) {
	if t := r.timers[c.Timer]; t != nil {
		t.Stop()
	}
	r.timers[c.Timer] = time.AfterFunc(c.After, func() {
		select {
		case r.inbox <- delivery{msg: Fired{c.Timer, c.Seq}}:
		case <-r.ctx.Done():
		}
	})
}

func (r *runner) ensureImage(plan *task.Plan) {
	ctx, cancel := context.WithCancel(r.ctx)
	r.cancelImage = cancel
	ref := plan.Spec.Image
	r.spawn(func() delivery {
		defer cancel()
		image, err := engine.Image{}, engine.ErrNotFound
		if !plan.ForcePull {
			image, err = r.Engine.Image(ctx, ref)
		}
		if errors.Is(err, engine.ErrNotFound) {
			r.Say("pulling " + ref)
			if err = r.Engine.Pull(ctx, ref, r.pullProgress(ref)); err == nil {
				image, err = r.Engine.Image(ctx, ref)
			}
		}
		return delivery{ImageReady{err}, func() { r.image = image }}
	})
}

// createContainer makes the lease before anything else and in the owner's goroutine, so that no later revocation can
// come too early.
func (r *runner) createContainer(plan *task.Plan) {
	r.creating = make(chan *container, 1)
	lease, err := process.NewLease(r.LeaseDir, r.ContainerID, 1, r.Sandbox)
	r.lease = lease
	if err == nil && lease.Attempt != 1 {
		err = fmt.Errorf("a lease of this container is there already, beside %s: another executor serves it", lease.Path)
	}
	r.ops.Go(func() {
		c := &container{name: plan.Spec.Name}
		if err == nil {
			err = r.create(c, plan)
		}
		r.creating <- c
		taken := r.post(delivery{Created{err}, func() {
			r.container = c
			if err == nil {
				r.copyOutput(c.output)
				r.awaitExit(c.exit)
			}
		}})
		if !taken {
			c.close()
		}
	})
}

// create fills c step by step; what it made before an error is unmade by discard.
func (r *runner) create(c *container, plan *task.Plan) error {
	if err := process.MakeSandboxDirs(r.Sandbox, plan.SandboxDirs); err != nil {
		return err
	}
	if err := r.placeLeaf(c); err != nil {
		return err
	}
	spec := plan.Spec
	spec.Host.CgroupParent = c.placement.Parent
	spec.Config.Labels = operatorLabels(spec.Config.Labels, plan.TaskID, r.ContainerID)

	id, warnings, err := r.Engine.Create(r.ctx, spec.Name, &spec.Config, &spec.Host, &spec.Network)
	if err != nil {
		c.unknown = engine.OutcomeOf(err) == engine.Unknown
		return err
	}
	c.id = id
	for _, w := range warnings {
		r.Log.Warn("docker create", "warning", w)
	}
	if c.output, err = r.Engine.Attach(r.ctx, id, spec.Config.Tty); err != nil {
		return err
	}
	c.exit, err = r.Engine.NextExit(r.ctx, id)
	return err
}

func (r *runner) placeLeaf(c *container) error {
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
		CgroupDriver: r.info.CgroupDriver,
		Custom:       r.Mode == task.Custom,
	})
	if err != nil {
		return err
	}
	c.groups, c.placement, c.leaf = groups, &placement, process.OpenLeaf(groups, placement.Path)
	return cgroupnet.Prepare(groups, placement)
}

// operatorLabels adds our own labels to the reviewed ones. They name the task for the people who look at the host.
func operatorLabels(reviewed map[string]string, taskID, containerID string) map[string]string {
	labels := map[string]string{}
	for k, v := range reviewed {
		labels[k] = v
	}
	labels[labelTask] = taskID
	labels[labelContainer] = containerID
	return labels
}

// Labels of our containers.
const (
	labelTask      = "mesos-docker-executor.task_id"
	labelContainer = "mesos-docker-executor.container_id"
)

func (r *runner) copyOutput(output *engine.Output) {
	r.spawn(func() delivery {
		return delivery{msg: OutputEnded{output.Copy(r.Stdout, r.Stderr)}}
	})
}

func (r *runner) awaitExit(exit *engine.Exit) {
	r.spawn(func() delivery {
		code, err := exit.Wait(r.ctx)
		return delivery{msg: WaitEnded{code, err}}
	})
}

// startContainer starts the container and, meanwhile, looks for its init: after start has returned, a short-lived process
// is gone.
func (r *runner) startContainer() {
	c := r.container
	watch, stopWatch := context.WithCancel(r.ctx)
	r.ops.Go(func() {
		defer stopWatch()
		r.watchInit(watch, c)
	})
	r.ops.Go(func() {
		err := r.Engine.Start(r.ctx, c.id)
		switch engine.OutcomeOf(err) {
		case engine.Done:
			time.AfterFunc(watchTail, stopWatch)
		case engine.Refused:
			stopWatch()
		case engine.Unknown: // the init may still come
		}
		r.post(delivery{msg: Started{err}})
	})
}

// watchInit posts InitMissed, or InitSeen and then InitExited.
func (r *runner) watchInit(ctx context.Context, c *container) {
	init, err := c.leaf.WatchInit(ctx, c.id)
	if err != nil {
		r.post(delivery{msg: InitMissed{err}})
		return
	}
	memory, err := c.leaf.OpenMemory(c.id)
	if err != nil {
		r.Log.Warn("no evidence of out-of-memory kills can be read", "error", err)
	} else {
		defer memory.Close()
	}
	if !r.post(delivery{InitSeen{init.PID}, func() { r.init = init }}) {
		init.Close()
		return
	}
	// The memory cgroup goes within some milliseconds of the death: it is read before the status, which may be later.
	if init.Dead(r.ctx) != nil {
		return
	}
	exited := InitExited{OOM: r.readOOM(memory)}
	if exit, err := init.Wait(r.ctx); err == nil {
		exited.Status, exited.Known, exited.Source = exit.Status, exit.Known, exit.Source
		r.post(delivery{msg: exited})
	}
}

func (r *runner) readOOM(memory *process.Memory) OOM {
	if memory == nil {
		return OOM{}
	}
	report, err := memory.Read()
	if err != nil {
		r.Log.Warn("the evidence of out-of-memory kills is gone", "error", err)
		return OOM{Lost: true}
	}
	return OOM{Kills: report.OOMKills, Limit: report.Limit, Peak: report.Peak}
}

func (r *runner) inspect(answer func(engine.Container, error) Message) {
	id := r.container.id
	r.spawn(func() delivery {
		i, err := r.Engine.Inspect(r.ctx, id)
		return delivery{msg: answer(i, err)}
	})
}

func (r *runner) revokeLease() {
	if r.lease == nil {
		return
	}
	if err := r.lease.Revoke(); err != nil {
		r.Log.Error("the lease could not be revoked", "lease", r.lease.Path, "error", err)
	}
}

func (r *runner) signalInit(sig unix.Signal) {
	if r.init == nil {
		return
	}
	if err := r.init.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		r.Log.Error("the container's init could not be signalled", "pid", r.init.PID, "signal", process.SignalName(sig), "error", err)
	}
}

// stopSignal is the image's, SIGTERM without one or when it cannot be read.
func (r *runner) stopSignal() unix.Signal {
	if sig, ok := process.SignalNumber(r.image.StopSignal); ok {
		return sig
	}
	return unix.SIGTERM
}

func (r *runner) signalByEngine(signal string) {
	if signal == "" {
		signal = process.SignalName(r.stopSignal())
	}
	id := r.container.id
	r.ops.Go(func() {
		if err := r.Engine.Signal(r.ctx, id, signal); err != nil {
			r.Log.Warn("docker kill", "signal", signal, "error", err)
		}
	})
}

func (r *runner) killLeaf() {
	leaf := r.container.leaf
	r.spawn(func() delivery {
		err := leaf.Kill()
		left, listErr := leaf.Processes()
		if err == nil {
			err = listErr
		}
		return delivery{msg: LeafKilled{Remaining: len(left), Err: err}}
	})
}

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
	if c.id != "" {
		errs = append(errs, r.Engine.Remove(r.ctx, c.id))
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

// findLate looks for the container of a create without an answer, by its name and our label.
func (r *runner) findLate(c *container) error {
	found, err := r.Engine.Inspect(r.ctx, c.name)
	switch {
	case errors.Is(err, engine.ErrNotFound):
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
