package supervise

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/storage"
	"mesos-docker-executor/storage/imageuse"
)

const (
	// useAnswers is how long the record of image use has to answer, which takes it microseconds.
	useAnswers = storage.LookLimit
	// useLimit is the same for a use that is written down: it waits for the end of a removal of the image, which takes 0.1 s as a rule.
	useLimit = 30 * time.Second
	// useEnds is how long it has, after that, to hear that nobody waits any more.
	useEnds = time.Second
	// imageTries is how often an image is looked for that may have been removed when it was found.
	imageTries = 2
)

// findImage looks for the image, pulls it if it is missing or must be pulled in any case, and writes down that it is in use: from
// then on the host's clean-up leaves it alone.
func (r *runner) findImage(ctx context.Context, ref string, force bool) (engine.Image, error) {
	for tries := 1; ; tries++ {
		before := r.removals(ctx)
		image, err := engine.Image{}, engine.ErrNotFound
		if !force {
			image, err = r.lookUp(ctx, ref)
		}
		if errors.Is(err, engine.ErrNotFound) {
			image, err = r.pull(ctx, ref, force)
		}
		if err != nil {
			return image, err
		}
		removed := r.noteUse(ctx, image.ID) || !r.removals(ctx).Equal(before)
		if !removed || tries == imageTries {
			return image, nil
		}
		force = false
		r.Log.Info("images were being removed when this one was found, so it is looked for again", "image", ref)
	}
}

// noteUse writes down that an image is in use now. Again says that it was being removed meanwhile. That the record cannot be kept is
// no reason not to run a task.
func (r *runner) noteUse(ctx context.Context, imageID string) (again bool) {
	if r.ImageUse == "" {
		return false
	}
	again, err := beside(ctx, &r.useAsked, useLimit, func(ctx context.Context) (bool, error) { return imageuse.Note(ctx, r.ImageUse, imageID) })
	if err != nil {
		r.Log.Warn("it is not written down for gc that the image is in use", "image", imageID, "error", err)
	}
	return again
}

// removals changes with every removal.
func (r *runner) removals(ctx context.Context) time.Time {
	if r.ImageUse == "" {
		return time.Time{}
	}
	last, _ := beside(ctx, &r.useAsked, useAnswers, func(context.Context) (time.Time, error) { return imageuse.Removals(r.ImageUse), nil })
	return last
}

// beside asks the record, which is on a disk: one that hangs keeps a goroutine waiting, and nobody else. It is not asked again before it
// has answered.
func beside[T any](ctx context.Context, asked *atomic.Bool, limit time.Duration, ask func(context.Context) (T, error)) (T, error) {
	var none T
	if !asked.CompareAndSwap(false, true) {
		return none, errUnanswered
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("the record of image use, or a removal of the image, took longer than %s", limit))
	defer cancel()
	type answer struct {
		value T
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		value, err := ask(ctx)
		asked.Store(false)
		answers <- answer{value, err}
	}()
	select {
	case a := <-answers:
		return a.value, a.err
	case <-ctx.Done():
	}
	select {
	case a := <-answers:
		return a.value, a.err
	case <-time.After(useEnds):
		return none, context.Cause(ctx)
	}
}

var errUnanswered = errors.New("the disk with the record of image use has not answered the last question yet")
