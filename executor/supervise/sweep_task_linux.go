package supervise

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"time"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/process"
)

// deadTask is what an executor that died left of its task, and whose claim this sweep holds. Each has a single goroutine at work
// on it at a time.
type deadTask struct {
	id     string
	claim  *process.Claim
	now    time.Time
	record process.ClaimRecord // zero when it cannot be believed
	before process.ClaimSweep  // as the last sweep left it

	foreign   bool // another version of the program made it, or somebody else has exchanged it: not touched
	believed  bool // the record is one that our program can have written
	otherBoot bool // nothing runs any more, and no request is on its way

	groups []cgroupnet.Hierarchy
	leaves []cgroupnet.Placement
	leases []process.Leftover
	stages []process.Leftover

	lives   bool // processes survived
	gone    bool // the engine has no container of it now
	settled bool // and will have none
	swept   SweptTask
}

func (d *deadTask) did(format string, args ...any) {
	d.swept.Done = append(d.swept.Done, fmt.Sprintf(format, args...))
}

func (d *deadTask) left(format string, args ...any) {
	d.swept.Left = append(d.swept.Left, fmt.Sprintf(format, args...))
}

func (d *deadTask) note(format string, args ...any) {
	d.swept.Notes = append(d.swept.Notes, fmt.Sprintf(format, args...))
}

// read reads the claim. One that says nothing credible is taken for one that names the container and nothing else: what
// can be found by that is cleaned up all the same.
func (d *deadTask) read(boot string) {
	d.swept.ContainerID = d.id
	record, err := d.claim.Record()
	if errors.Is(err, process.ErrClaimVersion) {
		d.foreign = true
		d.left("everything: %v; a sweep of that version is needed", err)
		return
	}
	if err == nil {
		err = credible(record)
	}
	d.believed = err == nil
	if d.believed {
		d.record = record
	} else {
		d.note("what the claim says is not used: %v", err)
		d.record = process.ClaimRecord{CreateUnknown: true}
	}
	d.before = d.record.Sweep
	if d.record.Sweep.Began.IsZero() {
		d.record.Sweep.Began = d.now.UTC()
	}
	d.otherBoot = d.record.BootID != "" && d.record.BootID != boot
	if !d.otherBoot && d.record.Lives() {
		d.foreign = true
		d.left("everything: its executor, process %d, lives, so the claim was exchanged by somebody else", d.record.PID)
	}
	d.swept.TaskID, d.swept.Container, d.swept.DockerID = d.record.TaskID, d.record.Name, d.record.DockerID
}

// credible reports whether our program can have written the record, as far as a sweep acts by it.
func credible(r process.ClaimRecord) error {
	if r.Leaf != (cgroupnet.Placement{}) {
		if err := r.Leaf.CheckFor(r.ContainerID); err != nil {
			return err
		}
	}
	for _, name := range []string{r.DockerID, r.Name} {
		if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != "" || strings.HasPrefix(name, ".") {
			return fmt.Errorf("%q is not a container's ID or name", name)
		}
	}
	return nil
}

// find finds the leaf. The claim names it; else it is looked for where leaves are.
func (d *deadTask) find(hierarchies []cgroupnet.Hierarchy, root string) {
	d.groups = hierarchies
	if d.record.Leaf != (cgroupnet.Placement{}) {
		d.leaves = []cgroupnet.Placement{d.record.Leaf}
		return
	}
	found, err := cgroupnet.Find(hierarchies, root, d.id)
	if err != nil {
		d.left("its processes are not known: %v", err)
	}
	d.leaves = found
}

// fence makes what comes late fail.
func (d *deadTask) fence() {
	for _, l := range d.leases {
		if err := process.RevokeLease(l); err != nil {
			d.left("%v", err)
			continue
		}
		d.did("lease revoked")
	}
}

// kill ends the processes, and then takes away what they had from the host. Those of another boot are gone; a look costs little.
func (d *deadTask) kill() {
	for _, p := range d.leaves {
		d.killLeaf(p)
	}
	for _, l := range d.stages {
		if err := process.ReleaseStage(l); err != nil {
			d.left("%v", err)
			continue
		}
		d.did("volumes unmounted")
	}
}

func (d *deadTask) killLeaf(p cgroupnet.Placement) {
	leaf := process.OpenLeaf(d.groups, p.Path)
	running, err := leaf.Processes()
	if err != nil {
		running = nil // Kill says so, too
	}
	if err := leaf.Kill(); err != nil {
		d.lives = true
		d.left("processes in %s: %v", p.Path, err)
		return
	}
	if len(running) > 0 {
		d.did("%d processes killed", len(running))
	}
}

// clearLeaf removes the leaf's folders once there is no container in them.
func (s *sweep) clearLeaf(d *deadTask) {
	if !d.gone || d.lives {
		return
	}
	for _, p := range d.leaves {
		d.killLeaf(p) // what came while the engine removed the container
		if err := d.removeLeaf(p, s.Settle); err != nil {
			d.left("%v", err)
		}
	}
}

// removeLeaf leaves a nested leaf's place in the freezer hierarchy to the agent's launcher, which is about to destroy the cgroup
// above, and the agent's own cgroups to the agent, as long as it may be about to.
func (d *deadTask) removeLeaf(p cgroupnet.Placement, patience time.Duration) error {
	if !p.NestedIn(d.id) {
		return cgroupnet.Remove(d.groups, p)
	}
	var agents, others []cgroupnet.Hierarchy
	for _, h := range d.groups {
		if _, err := os.Lstat(h.Folder(path.Dir(p.Path))); err == nil && h.Has("freezer") {
			agents = append(agents, h)
		} else {
			others = append(others, h)
		}
	}
	leafOnly := p
	leafOnly.Keep = path.Dir(p.Path)
	if d.now.Sub(d.record.Sweep.Began) < patience {
		if len(agents) > 0 || d.exists(others, leafOnly.Keep) {
			d.left("the agent's cgroup %s, which the agent removes", leafOnly.Keep)
		}
		return cgroupnet.Remove(others, leafOnly)
	}
	return errors.Join(cgroupnet.Remove(agents, leafOnly), cgroupnet.Remove(others, p))
}

func (d *deadTask) exists(hierarchies []cgroupnet.Hierarchy, cgroup string) bool {
	for _, h := range hierarchies {
		if _, err := os.Lstat(h.Folder(cgroup)); err == nil {
			return true
		}
	}
	return false
}

// release ends the work: the claim goes when nothing is left, else it says how far the work has come.
func (d *deadTask) release() {
	d.swept.Complete = len(d.swept.Left) == 0 && d.gone && d.settled
	if !d.swept.Complete && !d.foreign && d.record.Sweep != d.before {
		if err := d.claim.Update(d.record); err != nil {
			d.note("%v", err)
		}
	}
	if err := d.claim.Release(d.swept.Complete); err != nil {
		d.note("%v", err)
	}
}
