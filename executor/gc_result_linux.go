package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/docker/go-units"

	"mesos-docker-executor/executor/imagegc"
	"mesos-docker-executor/executor/supervise"
	"mesos-docker-executor/storage/cleanup"
)

// gcResult is what gc prints.
type gcResult struct {
	DryRun  bool                   `json:"dry_run"`
	PutOff  string                 `json:"put_off,omitempty"` // why nothing was begun
	Stopped bool                   `json:"stopped,omitempty"` // by a signal, before all was done
	Images  gcImages               `json:"images"`
	Sweep   *supervise.SweepReport `json:"sweep,omitempty"`
	Cgroups []gcCgroup             `json:"cgroups,omitempty"`
	Notes   []string               `json:"notes,omitempty"`
	Failed  []string               `json:"failed,omitempty"` // what went wrong; the exit status is 1 then

	plan cleanup.Plan
}

type gcImages struct {
	Wanted *gcGoal   `json:"wanted,omitempty"` // nil: nobody looked, or it is not known
	Left   *gcGoal   `json:"left,omitempty"`   // of that, at the end
	Ended  string    `json:"ended,omitempty"`  // why not all that was planned was done
	Remedy string    `json:"remedy,omitempty"` // what to do where more is wanted than that
	Images []gcImage `json:"images,omitempty"` // all with --dry-run, else those whose turn it was
}

type gcGoal struct {
	Bytes  uint64 `json:"bytes"`
	Inodes uint64 `json:"inodes"`
	Why    string `json:"why,omitempty"`
}

type gcImage struct {
	ID      string   `json:"id"`
	Names   []string `json:"names,omitempty"`
	Digests []string `json:"digests,omitempty"`
	Size    uint64   `json:"size"`
	Action  string   `json:"action,omitempty"` // planned: "remove", "spare", "later", "keep"
	Removed bool     `json:"removed"`
	Why     string   `json:"why,omitempty"`
}

type gcCgroup struct {
	Cgroup  string `json:"cgroup"`
	Removed bool   `json:"removed"`
	Why     string `json:"why,omitempty"`
}

func (r *gcResult) fail(err error) { r.Failed = append(r.Failed, err.Error()) }

func (r *gcResult) status() int {
	if len(r.Failed) > 0 {
		return exitFail
	}
	return exitOK
}

func newGCImage(i cleanup.Image) gcImage {
	return gcImage{ID: i.ID, Names: i.Names, Digests: i.Digests, Size: i.Size}
}

func (r *gcResult) planned(p cleanup.Plan) {
	r.plan = p
	r.Images.Wanted, r.Images.Left = (*gcGoal)(&p.Goal), (*gcGoal)(&p.Goal)
	if size, _ := gcTotal(p, cleanup.Remove, cleanup.Spare, cleanup.Later); size < p.Goal.Bytes {
		r.Images.Remedy = "the images that may go have " + units.BytesSize(float64(size)) + " in all: " + gcMakeRoom
	}
	for _, row := range p.Rows {
		one := newGCImage(row.Image)
		one.Action, one.Why = row.Action.String(), row.Why
		r.Images.Images = append(r.Images.Images, one)
	}
}

func (r *gcResult) carriedOut(did imagegc.Report) {
	r.Images.Wanted, r.Images.Left, r.Images.Ended = (*gcGoal)(&did.Plan.Goal), (*gcGoal)(&did.Left), did.Ended
	if r.Images.Ended == "" && !did.Left.None() {
		r.Images.Remedy = "no other image may go, and gc --dry-run says why: " + gcMakeRoom
		if _, images := gcTotal(did.Plan, cleanup.Later); images > 0 {
			r.Images.Remedy = fmt.Sprintf("the next run goes on (images that may go: %d)", images)
		}
	}
	for _, err := range did.Failed {
		r.fail(err)
	}
	for _, removal := range did.Done {
		one := newGCImage(removal.Image)
		one.Removed, one.Why = removal.Removed, removal.Why
		if len(removal.Names) > 0 {
			one.Why += "; it has lost the names " + strings.Join(removal.Names, ", ")
		}
		if removal.Err != nil {
			r.Failed = append(r.Failed, fmt.Sprintf("image %s is not removed: %s", one.title(), one.Why))
		}
		r.Images.Images = append(r.Images.Images, one)
	}
}

// gcMakeRoom is for a person, where images are not what fills the disk.
const gcMakeRoom = "see what else fills the disk (docker system df -v, du -x), and remove what nobody needs"

// gcTotal counts the images with one of the actions, and adds up their sizes: with shared layers that is more than what their removal frees.
func gcTotal(p cleanup.Plan, actions ...cleanup.Action) (size uint64, images int) {
	for _, row := range p.Rows {
		if slices.Contains(actions, row.Action) {
			size, images = size+row.Image.Size, images+1
		}
	}
	return size, images
}

// title is what a person calls it.
func (i gcImage) title() string {
	id := strings.TrimPrefix(i.ID, "sha256:")
	return cmp.Or(strings.Join(i.Names, ", "), strings.Join(i.Digests, ", "), "<none>") + " (" + id[:min(12, len(id))] + ")"
}

func (g gcGoal) none() bool { return g.Bytes == 0 && g.Inodes == 0 }

func (g gcGoal) String() string {
	return fmt.Sprintf("%s and %d inodes more (%s)", units.BytesSize(float64(g.Bytes)), g.Inodes, g.Why)
}

// print writes it for people. The writer keeps the error.
func (r gcResult) print(out io.Writer) {
	if r.PutOff != "" {
		fmt.Fprintf(out, "put off: %s\n", r.PutOff)
		return
	}
	if r.DryRun {
		r.printPlan(out)
	} else {
		r.printImages(out)
	}
	if r.Sweep != nil {
		fmt.Fprintf(out, "executors: %s\n", strings.ReplaceAll(strings.TrimSuffix(r.Sweep.String(), "\n"), "\n", "\nexecutors: "))
	}
	for _, one := range r.Cgroups {
		switch {
		case one.Removed:
			fmt.Fprintf(out, "cgroups: removed %s\n", one.Cgroup)
		case r.DryRun:
			fmt.Fprintf(out, "cgroups: %s would be removed\n", one.Cgroup)
		}
	}
	if r.Stopped && r.Images.Ended != imagegc.Stopped {
		fmt.Fprintln(out, imagegc.Stopped)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(out, "note: %s\n", note)
	}
	for _, failed := range r.Failed {
		fmt.Fprintf(out, "failed: %s\n", failed)
	}
}

func (r gcResult) printPlan(out io.Writer) {
	if r.plan.Rows != nil {
		_ = r.plan.Table(out) // the writer keeps the error
	}
	if r.Images.Remedy != "" {
		fmt.Fprintf(out, "That is not enough: %s.\n", r.Images.Remedy)
	}
	if r.Images.Ended != "" {
		fmt.Fprintf(out, "Nothing would be removed just now: %s.\n", r.Images.Ended)
	}
}

func (r gcResult) printImages(out io.Writer) {
	if w := r.Images.Wanted; w != nil && !w.none() {
		fmt.Fprintf(out, "images: wanted are %s\n", w)
	}
	for _, one := range r.Images.Images {
		if one.Removed {
			fmt.Fprintf(out, "images: removed %s, %s\n", one.title(), units.BytesSize(float64(one.Size)))
		} else {
			fmt.Fprintf(out, "images: LEFT %s: %s\n", one.title(), one.Why)
		}
	}
	switch {
	case r.Images.Ended != "":
		fmt.Fprintf(out, "images: %s\n", r.Images.Ended)
	case r.Images.Left == nil: // what failed says why
	case r.Images.Left.none():
		fmt.Fprintln(out, "images: there is room")
	default:
		fmt.Fprintf(out, "images: still wanted are %s; %s\n", r.Images.Left, r.Images.Remedy)
	}
}
