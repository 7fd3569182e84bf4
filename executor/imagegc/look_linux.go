package imagegc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/storage"
	"mesos-docker-executor/storage/cleanup"
)

// Engine is what is asked of the Docker Engine: methods of an [*engine.Engine]. It is no interface because the linker keeps every method
// of the Docker client as soon as an engine is put into one, and those are 0.4 MB of every executor's binary.
type Engine struct {
	Images      func(ctx context.Context) ([]engine.ListedImage, error)
	ImagesInUse func(ctx context.Context) (map[string]int, error)
	Image       func(ctx context.Context, ref string) (engine.Image, error)
	RemoveImage func(ctx context.Context, ref string) error
}

// Options are what a cycle works with. All but Pause, Hindrance, Tell and Now are required.
type Options struct {
	Engine     Engine
	Rooms      func(ctx context.Context) []storage.Room // looks at the engine's disks
	Rules      cleanup.Rules
	Thresholds storage.Thresholds
	Pause      time.Duration // between two removals
	// Hindrance says why nothing may be removed just now, "" if nothing stands against it; nil: nothing ever does.
	Hindrance func() string
	// Tell hears of what is about to be done, for people who wait; nil: nobody does.
	Tell func(string)
	Now  func() time.Time // for tests; nil: time.Now
}

func (o Options) now() time.Time {
	if o.Now != nil {
		return o.Now()
	}
	return time.Now()
}

func (o Options) tell(format string, args ...any) {
	if o.Tell != nil {
		o.Tell(fmt.Sprintf(format, args...))
	}
}

// goal is what is wanted; between the marks that depends on whether a clean-up has begun. That nothing is wanted is an error if that is
// not certain.
func (o Options) goal(ctx context.Context, begun bool) (g cleanup.Goal, err error) {
	rooms := o.Rooms(ctx)
	if begun {
		g = o.Rules.Rest(rooms, o.Thresholds)
	} else {
		g = o.Rules.Goal(rooms, o.Thresholds)
	}
	if g.None() {
		err = cleanup.Known(rooms)
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return g, err
}

// Look plans a cycle and changes nothing. Uses and begun are what the record says, see imageuse.Read.
func Look(ctx context.Context, o Options, uses map[string]time.Time, begun bool) (cleanup.Plan, error) {
	listed, err := o.Engine.Images(ctx)
	if err != nil {
		return cleanup.Plan{}, err
	}
	return o.plan(ctx, listed, uses, begun)
}

// plan asks for the tags' times of those images only that would go. What is kept for its time makes room in the plan for the next
// one, so it is made again until nothing new is to be removed.
func (o Options) plan(ctx context.Context, listed []engine.ListedImage, uses map[string]time.Time, begun bool) (cleanup.Plan, error) {
	containers, err := o.Engine.ImagesInUse(ctx)
	if err != nil {
		return cleanup.Plan{}, err
	}
	goal, err := o.goal(ctx, begun)
	if err != nil {
		return cleanup.Plan{}, err
	}
	images := join(listed, containers, uses)
	asked := map[string]bool{}
	for {
		plan := o.Rules.Plan(o.now(), goal, images)
		var gone []string
		news := false
		for _, row := range plan.Rows {
			id := row.Image.ID
			if row.Action != cleanup.Remove && row.Action != cleanup.Spare || asked[id] {
				continue
			}
			asked[id], news = true, true
			said, err := o.Engine.Image(ctx, id)
			switch {
			case errors.Is(err, engine.ErrNotFound):
				gone = append(gone, id)
			case err != nil:
				return cleanup.Plan{}, err
			case !said.Tagged.After(o.now()): // else the clock was set back since, and the record knows better
				at := slices.IndexFunc(images, func(i cleanup.Image) bool { return i.ID == id })
				images[at].Tagged = said.Tagged
			}
		}
		if !news {
			return plan, nil
		}
		images = slices.DeleteFunc(images, func(i cleanup.Image) bool { return slices.Contains(gone, i.ID) })
	}
}

// join puts together what is known of each image.
func join(listed []engine.ListedImage, containers map[string]int, uses map[string]time.Time) []cleanup.Image {
	parents := map[string]bool{}
	for _, l := range listed {
		parents[l.Parent] = true
	}
	images := make([]cleanup.Image, 0, len(listed))
	for _, l := range listed {
		images = append(images, cleanup.Image{
			ID: l.ID, Names: l.Names, Digests: l.Digests, Size: l.Size,
			Containers: containers[l.ID], Children: parents[l.ID],
			Used: uses[l.ID],
		})
	}
	return images
}

// still says why an image must stay after all, "" if it may go. The error is the engine's.
func (o Options) still(ctx context.Context, i cleanup.Image, used time.Time) (why string, err error) {
	containers, err := o.Engine.ImagesInUse(ctx)
	if err != nil {
		return "", err
	}
	i.Containers, i.Used = containers[i.ID], used
	row := o.Rules.Plan(o.now(), cleanup.Goal{Bytes: 1}, []cleanup.Image{i}).Rows[0]
	if row.Action == cleanup.Remove {
		return "", nil
	}
	return fmt.Sprintf("it came into use meanwhile: %s", row.Why), nil
}
