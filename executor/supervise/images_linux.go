package supervise

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mesos-docker-executor/executor/admission"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/registryauth"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/storage"
)

// ensureImage looks for the image and pulls it if it is missing, or if the task asks for a pull in any case and nobody else
// has seen to that.
func (r *runner) ensureImage(plan *task.Plan) {
	ctx, cancel := context.WithCancel(r.ctx)
	r.cancelImage = cancel
	ref, force := plan.Spec.Image, r.forcesPull(plan)
	r.spawn(func() delivery {
		defer cancel()
		image, err := r.findImage(ctx, ref, force)
		return delivery{ImageReady{image, err}, func() { r.image = image }}
	})
}

// lookUp asks for the image until there is an answer: that nobody answers does not mean that it is missing.
func (r *runner) lookUp(ctx context.Context, ref string) (image engine.Image, err error) {
	err = r.insist(ctx, func() (err error) { image, err = r.Engine.Image(ctx, ref); return err })
	return image, err
}

// forcesPull reports whether the image is pulled although it may be local. In drop-in mode force_pull_image is the agent's
// affair: it has pulled, with its own credentials, before it started the executor (src/slave/containerizer/docker.cpp), and a
// second pull would cost every launch a round trip to the registry.
func (r *runner) forcesPull(plan *task.Plan) bool {
	return plan.ForcePull && r.Mode == task.Custom
}

// pull fetches the image, with the credentials that there are for its registry; they live no longer than the pull. A forced
// pull that fails fails the task even if the image is local, as the agent's own does. Otherwise the image may have come by
// another executor's pull meanwhile, and then it is fine.
func (r *runner) pull(ctx context.Context, ref string, force bool) (engine.Image, error) {
	var found registryauth.Found
	if r.Credentials != nil {
		found = r.Credentials(ctx, ref)
	}
	if err := ctx.Err(); err != nil {
		return engine.Image{}, err
	}
	with := "without credentials"
	if found.From != "" {
		with = "with credentials from " + found.From
	}
	for _, note := range found.Notes {
		r.Say("credentials: " + note)
		r.Log.Warn("registry credentials", "image", ref, "note", note)
	}
	err := r.pullIntoRoom(ctx, ref, with, string(found.Header))
	if err != nil && (force || ctx.Err() != nil) {
		return engine.Image{}, explainPull(err, with, found.Notes)
	}
	image, missing := r.lookUp(ctx, ref)
	switch {
	case err == nil || missing == nil:
		return image, missing
	case errors.As(missing, new(*admission.UnfitError)):
		return engine.Image{}, fmt.Errorf("%w; %w", err, missing)
	}
	return engine.Image{}, explainPull(err, with, found.Notes)
}

// roomTries is how often a pull is begun: what did not fit in the first time may do so once somebody has made room.
const roomTries = 2

// pullIntoRoom pulls once the host's storage is fit, and cancels the pull if it is not fit for this image.
func (r *runner) pullIntoRoom(ctx context.Context, ref, with, auth string) error {
	var need storage.Need
	for tries := 1; ; tries++ {
		if err := r.awaitRoom(ctx, need); err != nil {
			return err
		}
		err := r.pullInTurn(ctx, ref, with, auth)
		var unfit *UnfitStorageError
		if !errors.As(err, &unfit) || tries == roomTries {
			return err
		}
		r.remark(err.Error())
		need = unfit.need
	}
}

// pullInTurn pulls once there is a place among the pulls of the host.
func (r *runner) pullInTurn(ctx context.Context, ref, with, auth string) error {
	leave, waited, err := r.Gate.Enter(ctx, admission.Pull)
	if err != nil {
		return err
	}
	defer leave()
	if waited > patientStart {
		r.remark(fmt.Sprintf("waited %s for other pulls of this host (engine.max_pulls)", waited.Round(time.Second)))
	}
	r.Say(fmt.Sprintf("pulling %s %s", ref, with))
	ctx, cancel := context.WithCancelCause(ctx)
	fits, again, end := r.followPull(ctx, cancel)
	tell := r.pullProgress(ref)
	err = r.Engine.Pull(ctx, ref, engine.PullOptions{
		Auth:     auth,
		Progress: func(p engine.Progress) { fits(p); tell(p) },
		Retry: func(failed error, wait time.Duration) {
			again()
			r.remark(fmt.Sprintf("%v; next try in %s", failed, wait.Round(time.Second)))
			r.Log.Warn("pull", "image", ref, "error", failed.Error(), "next_try_in", wait.Round(time.Second).String())
		},
	})
	cause := context.Cause(ctx)
	end()
	if err != nil && errors.As(cause, new(*UnfitStorageError)) {
		return cause
	}
	return err
}

// explainPull adds to a refusal of the registry with which credentials the pull was made, and why not with others.
func explainPull(err error, with string, notes []string) error {
	if !errors.Is(err, engine.ErrAuth) && !errors.Is(err, engine.ErrNotFound) {
		return err
	}
	return fmt.Errorf("%w; pulled %s", err, strings.Join(append([]string{with}, notes...), "; "))
}

// progressPause is the time between two lines about a pull.
const progressPause = 5 * time.Second

// pullProgress tells of a pull every few seconds, by layers and bytes.
func (r *runner) pullProgress(ref string) func(engine.Progress) {
	type layer struct{ current, total int64 }
	layers := map[string]layer{}
	next := time.Now().Add(progressPause)
	return func(p engine.Progress) {
		if p.Total > 0 {
			layers[p.Layer] = layer{p.Current, p.Total}
		}
		if now := time.Now(); now.After(next) {
			next = now.Add(progressPause)
			var sum layer
			for _, l := range layers {
				sum.current += l.current
				sum.total += l.total
			}
			r.Say(fmt.Sprintf("pulling %s: %d layers, %d of %d MiB", ref, len(layers), sum.current>>20, sum.total>>20))
		}
	}
}
