package imagegc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/storage/cleanup"
	"mesos-docker-executor/storage/imageuse"
)

// Spared is how long no image is removed after a removal that the engine did not answer.
const Spared = time.Hour

// Report is what a cycle did.
type Report struct {
	Plan cleanup.Plan
	Done []Removal // those that were tried, in their order
	// Ended says why not all that the plan wanted was tried, "" if all was.
	Ended string
	Left  cleanup.Goal // what is still wanted
}

// Removal is what became of one image.
type Removal struct {
	Image   cleanup.Image
	Removed bool
	Names   []string // that it has lost although it is still there
	Why     string   // it was not removed
	Err     error    // of the engine or of the record, nil if it came into use
}

// Run plans a cycle and carries it out. One that has begun is gone on with by the next until the low-water mark is reached. The caller
// holds the record's lock. An error says that there is no plan, or that the record cannot be kept; what happened to single images
// is in the report.
func Run(ctx context.Context, o Options, record *imageuse.Folder) (Report, error) {
	listed, uses, err := o.record(ctx, record)
	if err != nil {
		return Report{}, err
	}
	r := Report{}
	if r.Plan, err = o.plan(ctx, listed, uses, record.Begun()); err != nil {
		return Report{}, err
	}
	r.Left = r.Plan.Goal
	if err = record.SetBegun(!r.Left.None()); err == nil {
		o.carryOut(ctx, record, &r)
		err = record.SetBegun(!r.Left.None())
	}
	if err != nil {
		err = fmt.Errorf("record of image use: %w", err)
	}
	return r, err
}

// carryOut removes what the plan says, one image after the other.
func (o Options) carryOut(ctx context.Context, record *imageuse.Folder, r *Report) {
	if until := record.Unanswered().Add(Spared); o.now().Before(until) && !r.Left.None() {
		r.Ended = fmt.Sprintf("the engine did not finish the last removal: no image is removed before %s", until.Format(time.RFC3339))
		return
	}
	for _, row := range r.Plan.Rows {
		if row.Action != cleanup.Remove && row.Action != cleanup.Spare {
			break
		}
		if r.Ended = o.pause(ctx, len(r.Done)); r.Ended != "" {
			return
		}
		if len(r.Done) > 0 {
			if o.lookAgain(ctx, r); r.Left.None() || r.Ended != "" {
				return
			}
		}
		one := o.remove(ctx, record, row.Image)
		r.Done = append(r.Done, one)
		if one.Err != nil && engine.OutcomeOf(one.Err) == engine.Unknown {
			r.Ended = "an image was not removed for certain, so the rest is left alone"
			return
		}
	}
	if len(r.Done) > 0 {
		o.lookAgain(ctx, r)
	}
}

const stopped = "the time for this run is over, or it was told to stop"

// lookAgain looks at the disks. When ctx ends meanwhile nothing is known of them, and nothing changes.
func (o Options) lookAgain(ctx context.Context, r *Report) {
	left := o.goal(ctx, true)
	if ctx.Err() != nil {
		r.Ended = stopped
		return
	}
	r.Left = left
}

// record lists the engine's images and keeps the record in step with them.
func (o Options) record(ctx context.Context, record *imageuse.Folder) ([]engine.ListedImage, map[string]imageuse.Use, error) {
	began := o.now()
	listed, err := o.Engine.Images(ctx)
	if err != nil {
		return nil, nil, err
	}
	uses, err := record.Uses()
	if err != nil {
		return nil, nil, err
	}
	there := map[string]bool{}
	for _, l := range listed {
		there[l.ID] = true
		if uses[l.ID].Seen.IsZero() {
			if err := record.See(l.ID); err != nil {
				return nil, nil, fmt.Errorf("record of image use: %w", err)
			}
		}
	}
	err = record.Forget(func(id string) bool { return there[id] }, began.Add(-o.Rules.MinAge))
	if err != nil {
		return nil, nil, fmt.Errorf("record of image use: %w", err)
	}
	return listed, uses, nil
}

// pause waits before every removal but the first, and says why there is none.
func (o Options) pause(ctx context.Context, done int) (hindrance string) {
	if done > 0 && o.Pause > 0 {
		timer := time.NewTimer(o.Pause)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return stopped
	}
	if o.Hindrance == nil {
		return ""
	}
	return o.Hindrance()
}

// remove removes one image while its users wait, if it has none.
func (o Options) remove(ctx context.Context, record *imageuse.Folder, i cleanup.Image) (r Removal) {
	r.Image = i
	failed := func(err error) Removal {
		r.Err, r.Why = err, err.Error()
		return r
	}
	used, release, err := record.Hold(i.ID)
	if err != nil {
		return failed(err)
	}
	defer release()
	why, err := o.still(ctx, i, used)
	if err != nil {
		return failed(err)
	}
	if why != "" {
		r.Why = why
		return r
	}
	refs := i.References()
	for _, name := range refs[:len(refs)-1] {
		said, err := o.Engine.Image(ctx, name)
		if err == nil && said.ID == i.ID {
			err = o.ask(ctx, record, name)
			r.Names = append(r.Names, name)
		}
		if err != nil && !errors.Is(err, engine.ErrNotFound) {
			return failed(err)
		}
	}
	if err := o.ask(ctx, record, i.ID); err != nil {
		return failed(err)
	}
	r.Removed, r.Names = true, nil
	return r
}

// ask has a reference removed, and notes in the record if that is not answered, even if nobody waits for it any more.
func (o Options) ask(ctx context.Context, record *imageuse.Folder, ref string) error {
	err := o.Engine.RemoveImage(ctx, ref)
	if err != nil && engine.OutcomeOf(err) == engine.Unknown && !errors.Is(err, context.Canceled) {
		err = errors.Join(err, record.SetUnanswered())
	}
	return err
}
