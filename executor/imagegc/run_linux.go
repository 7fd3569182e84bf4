package imagegc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

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
	Left  cleanup.Goal // what is still wanted, as far as that is known
	// Failed is what went wrong beside single images: the record cannot be written, or a disk does not say how full it is.
	Failed []error
}

// Removal is what became of one image.
type Removal struct {
	Image   cleanup.Image
	Removed bool
	Names   []string // that it has lost although it is still there
	Why     string   // it was not removed
	Err     error    // of the engine or of the record, nil if it came into use, or if ctx has ended
}

// Stopped is why a cycle ended whose context has.
const Stopped = "told to stop; a later run goes on"

// Run plans a cycle and carries it out. One that has begun is gone on with by the next until the low-water mark is reached. The caller
// holds the record's lock. An error says that there is no plan; all else is in the report.
func Run(ctx context.Context, o Options, record *imageuse.Folder) (Report, error) {
	r := Report{}
	listed, uses, err := o.record(ctx, record, &r)
	if err != nil {
		return Report{}, err
	}
	if r.Plan, err = o.plan(ctx, listed, uses, record.Begun()); err != nil {
		return Report{}, err
	}
	r.Left = r.Plan.Goal
	_ = record.SetBegun(!r.Left.None()) // for the case that this run is killed; there may be room for it later
	o.carryOut(ctx, record, &r)
	r.setBack(record)
	r.unwritten(record.SetBegun(!r.Left.None()))
	return r, nil
}

// unwritten reports what the record could not take. On a full disk that is the same for each image, so the first one stands for all.
func (r *Report) unwritten(err error) {
	if err != nil && len(r.Failed) == 0 {
		r.Failed = append(r.Failed, fmt.Errorf("record of image use: %w", err))
	}
}

// carryOut removes what the plan says, one image after the other.
func (o Options) carryOut(ctx context.Context, record *imageuse.Folder, r *Report) {
	if until := o.unanswered(record, r).Add(Spared); o.now().Before(until) && !r.Left.None() {
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
		o.tell("removing image %s (%d of %d at most)", row.Image.Title(), len(r.Done)+1, o.Rules.Cycle)
		one := o.remove(ctx, record, row.Image)
		if r.Ended = ends(one.Err); one.Err != nil && ctx.Err() != nil {
			one.Err, r.Ended = nil, Stopped
		}
		if r.Done = append(r.Done, one); r.Ended != "" {
			return
		}
	}
	if len(r.Done) > 0 {
		o.lookAgain(ctx, r)
	}
}

// ends says why the cycle ends with a removal's error, "" if it goes on.
func ends(err error) string {
	switch {
	case err == nil:
	case engine.OutcomeOf(err) == engine.Unknown || engine.Unsent(err):
		return "nobody knows what became of the last image, or what the engine would say to the next, so the rest is left alone"
	case strings.Contains(err.Error(), unix.ENOSPC.Error()):
		// Docker's images would lose their names, one after the other, and stay (seen with 20.10).
		return "the engine has no room to write down what it removes, so the rest is left alone: remove a few files from its disk by hand"
	}
	return ""
}

// unanswered is when the engine did not finish a removal. If the clock was set back since, that is now.
func (o Options) unanswered(record *imageuse.Folder, r *Report) time.Time {
	at, now := record.Unanswered(), o.now()
	if at.After(now) {
		r.unwritten(record.SetUnanswered())
		return now
	}
	return at
}

// lookAgain looks at the disks. If nothing is known of them, nothing changes, and the cycle ends.
func (o Options) lookAgain(ctx context.Context, r *Report) {
	left, err := o.goal(ctx, true)
	switch {
	case ctx.Err() != nil:
		r.Ended = Stopped
	case err != nil:
		r.Ended = err.Error()
		r.Failed = append(r.Failed, err)
	default:
		r.Left = left
	}
}

// record lists the engine's images and keeps the record in step with them. What it cannot be told is in the report, and costs nothing but the
// turn of an image of which nothing is known.
func (o Options) record(ctx context.Context, record *imageuse.Folder, r *Report) ([]engine.ListedImage, map[string]time.Time, error) {
	began := o.now()
	listed, err := o.Engine.Images(ctx)
	if err != nil {
		return nil, nil, err
	}
	uses, err := record.Uses()
	if err != nil {
		return nil, nil, err
	}
	now, there := o.now(), map[string]bool{}
	for _, l := range listed {
		there[l.ID] = true
		switch used, known := uses[l.ID]; {
		case !known:
			r.unwritten(record.See(l.ID))
		case used.After(now): // the clock was set back: it must not stay for as long as that was
			uses[l.ID] = now
			r.unwritten(record.SetUsed(l.ID))
		}
	}
	r.unwritten(record.Forget(func(id string) bool { return there[id] }, began.Add(-o.Rules.MinAge)))
	return listed, uses, nil
}

// pause waits before every removal but the first, and says why there is none.
func (o Options) pause(ctx context.Context, done int) (hindrance string) {
	if done > 0 && o.Pause > 0 {
		o.tell("waiting %s", o.Pause)
		timer := time.NewTimer(o.Pause)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		return Stopped
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
			if err = o.ask(ctx, record, name); err == nil {
				r.Names = append(r.Names, name)
			}
		}
		if err != nil && !errors.Is(err, engine.ErrNotFound) {
			return failed(err)
		}
	}
	if err := o.ask(ctx, record, i.ID); err != nil {
		return failed(err)
	}
	r.Removed, r.Names = true, nil
	// If it comes again, it is new. The use of who waits for the end of this stays; what the record cannot do now, the next cycle does.
	_ = record.Forget(func(id string) bool { return id != i.ID }, used.Add(1))
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

// setBack lets other images go first in the next cycle: those that are refused for good would take all its turns. If nothing was removed, that
// may be the daemon's trouble, and only a conflict is the image's.
func (r *Report) setBack(record *imageuse.Folder) {
	removes := slices.ContainsFunc(r.Done, func(one Removal) bool { return one.Removed })
	for _, one := range r.Done {
		if engine.OutcomeOf(one.Err) == engine.Refused && !engine.Unsent(one.Err) && (removes || errors.Is(one.Err, engine.ErrConflict)) {
			r.unwritten(record.SetUsed(one.Image.ID))
		}
	}
}
