package supervise

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/process"
)

// Pauses before an engine that could not remove a container is asked to again: each try costs it a goroutine as long as
// the container is wedged.
const (
	spareFirst = time.Minute
	spareLast  = 30 * time.Minute
)

// askEngine removes the containers of the dead, and what was waiting for that. One list tells of all of them.
func (s *sweep) askEngine(ctx context.Context) {
	var ask, without []*deadTask
	for _, d := range s.dead {
		switch why := s.keepFromEngine(d); {
		case d.foreign:
		case d.neverCreated():
			d.gone, d.settled = true, true
			without = append(without, d)
		case why != "":
			d.left("its container, if there is one: %s", why)
		default:
			ask = append(ask, d)
		}
	}
	each(ctx, without, sweepKills, s.clearLeaf)
	if s.Engine == nil || len(ask) == 0 && !s.Thorough {
		return
	}
	listed, err := s.Engine.List(ctx, labelContainer)
	if err != nil {
		for _, d := range ask {
			d.left("its container, if there is one: %v", err)
		}
		s.report.note("%v", err)
		return
	}
	byID := map[string][]engine.Listed{}
	for _, l := range listed {
		id := l.Labels[labelContainer]
		byID[id] = append(byID[id], l)
	}
	each(ctx, ask, sweepRemoves, func(d *deadTask) {
		s.removeContainers(ctx, d, byID[d.id])
		s.clearLeaf(d)
	})
	if s.Thorough && s.Only == "" {
		s.removeOrphans(ctx, listed)
	}
}

// neverCreated reports whether no create was ever sent.
func (d *deadTask) neverCreated() bool {
	return d.believed && d.record.DockerID == "" && !d.record.CreateUnknown
}

// keepFromEngine says why the engine is not to be asked for a task's container now; "" if it is.
func (s *sweep) keepFromEngine(d *deadTask) string {
	swept := d.record.Sweep
	again := swept.Asked.Add(min(spareFirst<<min(max(swept.Failed-1, 0), 10), spareLast))
	switch {
	case s.Engine == nil:
		return "the engine could not be asked"
	case s.EngineHost != "" && d.record.EngineHost != "" && !sameEngine(d.record.EngineHost, s.EngineHost):
		return "it is at another engine, " + d.record.EngineHost
	case d.lives:
		return "its processes have to end first"
	case swept.Failed > 0 && s.Now().Before(again) && !swept.Asked.After(s.Now()) && !s.Thorough:
		return fmt.Sprintf("the engine failed to remove it %d times, and is not asked again before %s", swept.Failed, again.Format(time.RFC3339))
	}
	return ""
}

// sameEngine compares addresses; one socket can have several, as /var/run is mostly a symlink to /run.
func sameEngine(one, other string) bool {
	if one == other {
		return true
	}
	a, err := os.Stat(strings.TrimPrefix(one, "unix://"))
	if err != nil {
		return false
	}
	b, err := os.Stat(strings.TrimPrefix(other, "unix://"))
	return err == nil && os.SameFile(a, b)
}

// isIts reports whether a container with our label is the task's. The label alone proves nothing: an image that was committed from our
// container has it, and so have the containers made from that. An ID or a name is the engine's only one.
func (d *deadTask) isIts(l engine.Listed) bool {
	return d.record.Name == "" || l.ID == d.record.DockerID || slices.Contains(l.Names, d.record.Name)
}

// removeContainers removes what carries our label with the task's container id: normally one container, or none.
func (s *sweep) removeContainers(ctx context.Context, d *deadTask, listed []engine.Listed) {
	var ids []string
	for _, l := range listed {
		if d.isIts(l) {
			ids = append(ids, l.ID)
		} else {
			d.note("container %s (%s) has the labels of the task's container, as a copy of it, and is left alone", strings.Join(l.Names, ", "), l.ID)
		}
	}
	if len(ids) == 0 {
		id, err := s.lookFor(ctx, d)
		if err != nil {
			d.left("its container, if there is one: %v", err)
			return
		}
		if id != "" {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		if err := s.Engine.Remove(ctx, id); err != nil {
			if !errors.Is(err, context.Canceled) { // that was our own haste
				d.record.Sweep.Failed++
				d.record.Sweep.Asked = s.Now().UTC()
			}
			d.left("container %s: %v", id, err)
			return
		}
		d.swept.DockerID = id
		d.did("container %s removed", id)
	}
	d.gone = true
	d.endShims()
	s.settle(d, len(ids) > 0)
}

// endShims ends what containerd forgot of a container that the engine has removed, now or at the executor's own request.
func (d *deadTask) endShims() {
	id := cmp.Or(d.swept.DockerID, d.record.DockerID)
	if id == "" {
		return
	}
	ended, err := process.EndShims(id)
	if ended > 0 {
		d.did("%d orphaned shim(s) ended", ended)
	}
	if err != nil {
		d.left("%v", err)
	}
}

// lookFor asks for the very container, as the list did not have it. A name proves nothing without our label.
func (s *sweep) lookFor(ctx context.Context, d *deadTask) (id string, err error) {
	which := d.record.DockerID
	if which == "" {
		which = d.record.Name
	}
	if which == "" {
		return "", nil
	}
	found, err := s.Engine.Inspect(ctx, which)
	switch {
	case errors.Is(err, engine.ErrNotFound):
		return "", nil
	case err != nil:
		return "", err
	case found.Labels[labelContainer] != d.id:
		d.note("container %s (%s) is not ours and is left alone", found.Name, found.ID)
		return "", nil
	}
	return found.ID, nil
}

// settle decides whether something may still come. See [Sweep] for why.
func (s *sweep) settle(d *deadTask, removed bool) {
	if d.otherBoot || !d.record.CreateUnknown {
		d.settled = true
		return
	}
	since, now := &d.record.Sweep.Absent, s.Now().UTC()
	if since.IsZero() || since.After(now) || removed {
		*since = now
	}
	if at := since.Add(s.Settle); now.Before(at) {
		d.left("the claim: a create was not answered and may take effect until %s", at.Format(time.RFC3339))
		return
	}
	d.settled = true
}

// removeOrphans deals with containers of ours that have no claim: somebody removed it, or the host was started anew. The claim's
// path in the label tells our run directory's from those of another one, and of versions that made no claims.
func (s *sweep) removeOrphans(ctx context.Context, listed []engine.Listed) {
	for _, l := range listed {
		id := l.Labels[labelContainer]
		switch claim := l.Labels[labelClaim]; {
		case claim == "":
			s.report.keep("container", l.ID, "made by an executor without a claim: whether that lives is not known")
		case claim != filepath.Join(ClaimDir(s.RunDir), id):
			s.report.keep("container", l.ID, "of another run directory, its claim is "+claim)
		case s.claimed(id):
		case ctx.Err() != nil:
			s.report.keep("container", l.ID, "the time for this sweep was over")
		default:
			s.removeOrphan(ctx, l)
		}
	}
}

func (s *sweep) removeOrphan(ctx context.Context, l engine.Listed) {
	switch l.State { // after another boot as well: ours are never restarted, so somebody has started it, or made it from ours
	case "created", "exited", "dead":
	default:
		s.report.keep("container", l.ID, "it is "+l.State+", its claim is missing: see whether its executor lives, then remove it by hand")
		return
	}
	if boot := l.Labels[labelBoot]; boot == "" || boot == s.boot {
		if err := s.oldContainer(ctx, l.ID); err != nil {
			s.report.keep("container", l.ID, err.Error())
			return
		}
	}
	s.report.unclaimed("container", l.ID, s.Engine.Remove(ctx, l.ID))
}

// oldContainer returns an error unless a container was created and has ended long ago, so that nobody is at work on it.
func (s *sweep) oldContainer(ctx context.Context, id string) error {
	c, err := s.Engine.Inspect(ctx, id)
	if err != nil {
		return err
	}
	var said []struct{ Created time.Time }
	if err := json.Unmarshal(c.Raw, &said); err != nil || len(said) != 1 {
		return fmt.Errorf("when it was created is not known: %w", err)
	}
	if !s.old(said[0].Created) || !s.old(c.FinishedAt) {
		return errors.New("its claim is missing, but it was created or has ended a short time ago")
	}
	return nil
}
