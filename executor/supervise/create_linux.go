package supervise

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"mesos-docker-executor/executor/admission"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/process"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security"
	"mesos-docker-executor/storage"
)

// attempt is the number of the only attempt that an executor makes.
const attempt = 1

// LeaseDir is where the leases of a host's executors are.
func LeaseDir(runDir string) string { return filepath.Join(runDir, "leases") }

// LeasePath is the source of the sandbox mount, by which Docker gets at the sandbox of a container.
func LeasePath(runDir, containerID string) string {
	return process.LeasePath(LeaseDir(runDir), containerID, attempt)
}

// createContainer makes claim and lease before anything else and in the owner's goroutine, so that no later revocation can
// come too early.
func (r *runner) createContainer(plan *task.Plan) {
	r.taskStopSignal = plan.Spec.Config.StopSignal
	r.creating = make(chan *container, 1)
	err := r.claimContainer(plan)
	if err == nil {
		r.lease, err = process.NewLease(LeaseDir(r.RunDir), r.ContainerID, attempt, r.Sandbox)
	}
	imageID := r.image.ID
	if err == nil && r.lease.Attempt != attempt {
		err = fmt.Errorf("a lease of this container is there already, beside %s: another executor serves it", r.lease.Path)
	}
	r.ops.Go(func() {
		c := &container{name: plan.Spec.Name, image: imageID, tty: plan.Spec.Config.Tty, hostPID: plan.Spec.Host.PidMode.IsHost(), leave: func() {}}
		if err == nil {
			err = r.create(c, plan)
		}
		if err != nil {
			c.leave()
		}
		r.creating <- c
		taken := r.post(delivery{Created{err, c.untagged}, func() {
			r.container = c
			if err == nil {
				r.copyOutput(c, false)
				r.awaitExit(c.exit, false)
			}
		}})
		if !taken { // Run is over, and with it the one that would remove this
			c.close()
			c.leave()
			r.release(c)
		}
	})
}

// claimContainer says to the host's other executors that the container is served, for as long as this process lives.
func (r *runner) claimContainer(plan *task.Plan) (err error) {
	r.record = process.ClaimRecord{
		TaskID: plan.TaskID, Name: plan.Spec.Name, EngineHost: r.Engine.Host(), CreateUnknown: true,
		Lease: LeasePath(r.RunDir, r.ContainerID),
	}
	if r.boot, err = process.BootID(); err != nil {
		return err
	}
	r.claim, err = process.NewClaim(ClaimDir(r.RunDir), r.ContainerID, r.record)
	if !errors.Is(err, process.ErrClaimLeft) {
		return err
	}
	return fmt.Errorf("%w; a sweep for it is under way, launch the task again", err)
}

// claimMore writes down what may be on the host from now on.
func (r *runner) claimMore(change func(*process.ClaimRecord)) error {
	change(&r.record)
	return r.claim.Update(r.record)
}

// create fills c step by step; what it made before an error is unmade by discard.
//
// The container is made from the image that was reviewed, by its ID: another task's pull may have given the name to another image
// meanwhile. So Docker shows the ID, and the name is in a label.
func (r *runner) create(c *container, plan *task.Plan) error {
	spec := plan.Spec
	if err := r.awaitRoom(r.launch, storage.Need{}); err != nil {
		return err
	}
	// Before a place among the starts is taken, as it may wait for a file system of the task's user.
	if err := r.stageMounts(c, &spec, plan); err != nil {
		return err
	}
	leave, waited, err := r.enterStarts()
	if err != nil {
		return err
	}
	c.leave = leave
	if waited > patientStart {
		r.remark(fmt.Sprintf("waited %s for other containers of this host to start (engine.max_starts)", waited.Round(time.Second)))
	}
	if err := r.placeLeaf(c, plan); err != nil {
		return err
	}
	spec.Host.CgroupParent = c.placement.Parent
	spec.Config.Labels = r.operatorLabels(plan, c.class)
	spec.Config.Image = c.image
	err = r.createOrAdopt(c, spec)
	if imageIsGone(err) && r.imageIsBack(c, plan) {
		err = r.createOrAdopt(c, spec)
	}
	if err != nil {
		return explainCreate(err, c, plan.Spec.Image)
	}
	if err := r.claimMore(func(record *process.ClaimRecord) { record.DockerID, record.CreateUnknown = c.id, false }); err != nil {
		return err
	}
	return r.listen(c)
}

// enterStarts waits for a place among the starts of the host. If that took long, the containers before it may have taken the room: then the
// place is given back, for nobody shall wait for room with one.
func (r *runner) enterStarts() (leave func(), waited time.Duration, err error) {
	for {
		leave, waited, err = r.Gate.Enter(r.launch, admission.Start)
		if err != nil || waited <= patientStart {
			return leave, waited, err
		}
		verdict, err := r.admit(r.launch, storage.Need{})
		if err != nil || verdict.Decision() != storage.Refuse { // an engine that fell ill meanwhile is noticed by the create
			return leave, waited, nil
		}
		leave()
		if err := r.awaitRoom(r.launch, storage.Need{}); err != nil {
			return nil, 0, err
		}
	}
}

// patientStart is how long a wait for other starts may be before it is told of.
const patientStart = 2 * time.Second

// createTries is how often a container is created whose create was not answered and took no effect.
const createTries = 2

// createOrAdopt creates the container. A create without an answer may have happened, or may happen yet: so its effect is looked for
// by the container's name as soon as the engine is well, and what carries our label is ours. A second create under
// the same name cannot make a second container; at worst it is told that the first one is there.
func (r *runner) createOrAdopt(c *container, spec security.Spec) error {
	for tries := 1; ; tries++ {
		var id string
		var warnings []string
		err := r.reach(func() (err error) {
			id, warnings, err = r.Engine.Create(r.ctx, spec.Name, &spec.Config, &spec.Host, &spec.Network)
			return err
		})
		for _, w := range warnings {
			r.Log.Warn("docker create", "warning", w)
		}
		if err == nil {
			c.id, c.unknown = id, false
			return nil
		}
		if !c.unknown && engine.OutcomeOf(err) != engine.Unknown {
			return err
		}
		c.unknown = true
		if !errors.Is(err, engine.ErrConflict) {
			r.Gate.Failed(err)
		}
		r.Log.Warn("looking for the effect of docker create", "error", err)
		if fit := r.awaitFit(r.launch); fit != nil {
			return fmt.Errorf("%w; %w", err, fit)
		}
		found, missing := r.Engine.Inspect(r.launch, spec.Name)
		switch {
		case missing == nil && found.Labels[labelContainer] == r.ContainerID:
			c.id, c.unknown = found.ID, false
			return nil
		case !errors.Is(missing, engine.ErrNotFound) || tries == createTries:
			return err
		}
	}
}

// listen connects to the container's output and exit side by side; both are there before it is started.
func (r *runner) listen(c *container) error {
	var attached error
	var attaching sync.WaitGroup
	attaching.Go(func() {
		attached = r.insist(r.launch, func() (err error) { c.output, err = r.Engine.Attach(r.ctx, c.id, c.tty); return err })
	})
	registered := r.insist(r.launch, func() (err error) { c.exit, err = r.Engine.NextExit(r.ctx, c.id); return err })
	attaching.Wait()
	return cmp.Or(attached, registered)
}

// insist makes a call that changes nothing again, once the engine is well, as long as there is no answer to it.
func (r *runner) insist(ctx context.Context, call func() error) error {
	for tries := 1; ; tries++ {
		err := call()
		unanswered := engine.OutcomeOf(err) == engine.Unknown || engine.Unsent(err)
		if !unanswered || errors.Is(err, engine.ErrNotFound) || tries == readTries {
			return err
		}
		r.Gate.Failed(err)
		if fit := r.awaitFit(ctx); fit != nil {
			return fmt.Errorf("%w; %w", err, fit)
		}
	}
}

// reach makes a call that changes something again as long as the engine could not be connected to, once it is well.
func (r *runner) reach(call func() error) error {
	for tries := 1; ; tries++ {
		err := call()
		if !engine.Unsent(err) || tries == readTries {
			return err
		}
		r.Gate.Failed(err)
		if fit := r.awaitFit(r.launch); fit != nil {
			return fmt.Errorf("%w; %w", err, fit)
		}
	}
}

// readTries is how often an engine that is well by its own account is asked the same without an answer.
const readTries = 3

func imageIsGone(err error) bool {
	return errors.Is(err, engine.ErrNotFound) && strings.Contains(strings.ToLower(err.Error()), "no such image")
}

// imageIsBack looks for the image once more, and pulls it if need be, after it was removed in spite of the note of its use: an engine carries a removal
// out even if the gc that asked for it has died or given up. What comes back has to be the image that was reviewed. Nobody waits for a pull with
// a place among the starts, so that is given back meanwhile.
func (r *runner) imageIsBack(c *container, plan *task.Plan) bool {
	r.Log.Warn("the image was removed after the review, and is looked for again", "image", plan.Spec.Image)
	c.leave()
	image, err := r.findImage(r.launch, plan.Spec.Image, false)
	if err == nil && image.ID != c.image {
		err = fmt.Errorf("it is another one now, %s", image.ID)
	}
	if err == nil {
		c.leave, _, err = r.enterStarts()
	}
	if err != nil {
		c.leave = func() {}
		r.Log.Warn("the image is not back", "image", plan.Spec.Image, "error", err)
	}
	return err == nil
}

// explainCreate adds what an operator cannot see in the engine's words: the name of an image that was given by its ID, and that
// staged volumes exist only in our mount namespace.
func explainCreate(err error, c *container, image string) error {
	if imageIsGone(err) {
		return fmt.Errorf("image %s was removed from the engine after the executor had reviewed it, launch the task again: %w", image, err)
	}
	if c.stage == nil || !strings.Contains(err.Error(), "bind source path does not exist") {
		return explainCapability(err)
	}
	return fmt.Errorf("%w; volumes below the sandbox and of the host need an executor in the engine's mount namespace (agent without the filesystem/linux isolator)", err)
}

// operatorLabels adds our own labels to the reviewed ones. They name the task and its image for the people who look at the host,
// and the claim for who cleans up after a dead executor.
func (r *runner) operatorLabels(plan *task.Plan, class uint32) map[string]string {
	labels := map[string]string{}
	for k, v := range plan.Spec.Config.Labels {
		labels[k] = v
	}
	labels[labelTask] = plan.TaskID
	labels[labelContainer] = r.ContainerID
	labels[labelImage] = plan.Spec.Image
	labels[labelPolicy] = plan.Policy.String()
	labels[labelClaim] = r.claim.Path()
	labels[labelBoot] = r.boot
	if class != 0 {
		labels[labelClass] = fmt.Sprintf("0x%08x", class)
	}
	return labels
}

// Labels of our containers.
const (
	labelTask      = "mesos-docker-executor.task_id"
	labelContainer = "mesos-docker-executor.container_id"
	labelImage     = "mesos-docker-executor.image"
	labelPolicy    = "mesos-docker-executor.policy"
	labelClass     = "mesos-docker-executor.class_id"
)
