package supervise

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/process"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security"
)

// attempt is the number of the only attempt that an executor makes.
const attempt = 1

// LeaseDir is where the leases of a host's executors are.
func LeaseDir(runDir string) string { return filepath.Join(runDir, "leases") }

// LeasePath is the source of the sandbox mount, by which Docker gets at the sandbox of a container.
func LeasePath(runDir, containerID string) string {
	return process.LeasePath(LeaseDir(runDir), containerID, attempt)
}

// createContainer makes the lease before anything else and in the owner's goroutine, so that no later revocation can
// come too early.
func (r *runner) createContainer(plan *task.Plan) {
	r.taskStopSignal = plan.Spec.Config.StopSignal
	r.creating = make(chan *container, 1)
	lease, err := process.NewLease(LeaseDir(r.RunDir), r.ContainerID, attempt, r.Sandbox)
	r.lease = lease
	imageID := r.image.ID
	if err == nil && lease.Attempt != attempt {
		err = fmt.Errorf("a lease of this container is there already, beside %s: another executor serves it", lease.Path)
	}
	r.ops.Go(func() {
		c := &container{name: plan.Spec.Name}
		if err == nil {
			err = r.create(c, plan, imageID)
		}
		r.creating <- c
		taken := r.post(delivery{Created{err}, func() {
			r.container = c
			if err == nil {
				r.copyOutput(c.output)
				r.awaitExit(c.exit)
			}
		}})
		if !taken { // Run is over, and with it the one that would remove this
			c.close()
			r.release(c)
		}
	})
}

// create fills c step by step; what it made before an error is unmade by discard.
//
// The container is made from the image that was reviewed, by its ID: another task's pull may have given the name to another image
// meanwhile. So Docker shows the ID, and the name is in a label.
func (r *runner) create(c *container, plan *task.Plan, imageID string) error {
	spec := plan.Spec
	if err := r.stageVolumes(c, &spec, plan.SandboxDirs); err != nil {
		return err
	}
	if err := r.placeLeaf(c); err != nil {
		return err
	}
	spec.Host.CgroupParent = c.placement.Parent
	spec.Config.Labels = operatorLabels(spec.Config.Labels, plan.TaskID, r.ContainerID, spec.Image)
	spec.Config.Image = imageID

	id, warnings, err := r.Engine.Create(r.ctx, spec.Name, &spec.Config, &spec.Host, &spec.Network)
	if err != nil {
		c.unknown = engine.OutcomeOf(err) == engine.Unknown
		return explainCreate(err, c, plan.Spec.Image)
	}
	c.id = id
	for _, w := range warnings {
		r.Log.Warn("docker create", "warning", w)
	}
	return r.listen(c, spec.Config.Tty)
}

// listen connects to the container's output and exit side by side; both are there before it is started.
func (r *runner) listen(c *container, tty bool) error {
	var attached error
	var attaching sync.WaitGroup
	attaching.Go(func() { c.output, attached = r.Engine.Attach(r.ctx, c.id, tty) })
	var registered error
	c.exit, registered = r.Engine.NextExit(r.ctx, c.id)
	attaching.Wait()
	return cmp.Or(attached, registered)
}

// stageVolumes puts folders of the sandbox behind paths that the task's user cannot change.
func (r *runner) stageVolumes(c *container, spec *security.Spec, dirs []string) error {
	if len(dirs) == 0 {
		return nil
	}
	stage, err := process.StageSandboxDirs(filepath.Join(r.RunDir, "mounts"), r.ContainerID, attempt, r.Sandbox, dirs)
	if err != nil {
		return err
	}
	c.stage = stage
	spec.Host.Mounts = slices.Clone(spec.Host.Mounts)
	for i, m := range spec.Host.Mounts {
		if rel, ok := strings.CutPrefix(m.Source, r.lease.Path+"/"); ok {
			spec.Host.Mounts[i].Source = stage.Source(rel)
		}
	}
	return nil
}

// explainCreate adds what an operator cannot see in the engine's words: the name of an image that was given by its ID, and that
// staged volumes exist only in our mount namespace.
func explainCreate(err error, c *container, image string) error {
	if errors.Is(err, engine.ErrNotFound) && strings.Contains(strings.ToLower(err.Error()), "no such image") {
		return fmt.Errorf("image %s was removed from the engine after the executor had reviewed it, launch the task again: %w", image, err)
	}
	if c.stage == nil || !strings.Contains(err.Error(), "bind source path does not exist") {
		return err
	}
	return fmt.Errorf("%w; volumes below the sandbox need an executor in the engine's mount namespace (agent without the filesystem/linux isolator)", err)
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

// operatorLabels adds our own labels to the reviewed ones. They name the task and its image for the people who look at the host.
func operatorLabels(reviewed map[string]string, taskID, containerID, image string) map[string]string {
	labels := map[string]string{}
	for k, v := range reviewed {
		labels[k] = v
	}
	labels[labelTask] = taskID
	labels[labelContainer] = containerID
	labels[labelImage] = image
	return labels
}

// Labels of our containers.
const (
	labelTask      = "mesos-docker-executor.task_id"
	labelContainer = "mesos-docker-executor.container_id"
	labelImage     = "mesos-docker-executor.image"
)
