package supervise

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/process"
)

// Further labels of our containers, by which sweeps know them.
const (
	labelClaim = "mesos-docker-executor.claim"   // path of the claim of the executor that serves the container
	labelBoot  = "mesos-docker-executor.boot_id" // of the host, when the container was created
)

// ClaimDir is where the claims of a host's executors are.
func ClaimDir(runDir string) string { return filepath.Join(runDir, "tasks") }

// stageDir is where the staged volumes of a host's executors are.
func stageDir(runDir string) string { return filepath.Join(runDir, "mounts") }

// SweepOptions are what [Sweep] works with. RunDir, CgroupRoot and Log are required.
type SweepOptions struct {
	RunDir     string // config's run_directory
	CgroupRoot string // config's, for claims that do not say where the leaf is
	Log        *slog.Logger

	// Engine may be nil or not probed: then the part that needs it stays for the next sweep.
	Engine *engine.Engine
	// EngineHost is its address. What is at another engine stays. "": the claims' engine is not compared.
	EngineHost string

	// Only is the id of the one container to sweep after, "" for all.
	Only string
	// Thorough looks for containers without a claim as well, which costs a call to the engine even if nobody died, and
	// does not spare an engine that could not remove a container lately.
	Thorough bool

	MaxClaims int              // dead executors to clean up after in one go; 0: 32
	Limit     time.Duration    // of the whole sweep, and a few seconds more for processes that do not die; 0: 5 s
	Settle    time.Duration    // how long something late may still come, see [Sweep]; 0: 10 min
	Now       func() time.Time // nil: time.Now
}

const (
	sweepClaims = 32
	sweepLimit  = 5 * time.Second
	sweepSettle = 10 * time.Minute

	sweepKills   = 8 // leaves that are killed at a time: one with unkillable processes takes [process.KillLimit]
	sweepRemoves = 2 // containers that are removed at a time, so that a wedged one does not hold up all others
)

// Sweep ends and removes what executors left behind that died: processes, containers, leases, staged volumes and
// leaves. An executor is dead when the lock of its claim is free. Nothing else is touched: not what belongs to a living
// executor, nor a container without our labels, whatever its name.
//
// What needs no engine comes first and waits for none: the lease is revoked, so that a late create or start fails, the leaf is
// killed, and the staged volumes are unmounted. Then the container is removed, by the engine, and the leaf's folders. The claim goes
// when all that is done or proved not to be there; otherwise it stays, and the next sweep begins where this one ended.
//
// A create without an answer may take effect later. That the engine knows no such container proves
// nothing as long as the request may wait in its socket or in a queue inside: so such a claim
// goes only when the engine has said so twice, at least Settle apart. The first time it was answering, so it had the request; the
// second time that was long enough ago. (A restart of the daemon proves less: a socket that systemd holds keeps its
// requests.) After a reboot of the host once is enough.
//
// Any number of sweeps may run at the same time, in any number of processes: whoever holds the lock of a claim works on it, others
// pass it by. A sweep that is killed leaves nothing that the next one does not take up. While nobody has died, it costs
// reading three folders and a try of each lock.
//
// The error says that the run directory cannot be swept at all; all other failures are in the report, and logged.
func Sweep(ctx context.Context, o SweepOptions) (SweepReport, error) {
	o.MaxClaims, o.Limit, o.Settle = cmp.Or(o.MaxClaims, sweepClaims), cmp.Or(o.Limit, sweepLimit), cmp.Or(o.Settle, sweepSettle)
	if o.Now == nil {
		o.Now = time.Now
	}
	boot, err := process.BootID()
	if err != nil {
		return SweepReport{}, fmt.Errorf("sweep: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Limit)
	defer cancel()
	s := &sweep{SweepOptions: o, boot: boot}
	if err := s.run(ctx); err != nil {
		return s.report, fmt.Errorf("sweep: %w", err)
	}
	s.log()
	return s.report, nil
}

// sweep is one run of [Sweep]. All but the work on single tasks happens in the caller's goroutine.
type sweep struct {
	SweepOptions
	boot   string
	dead   []*deadTask
	report SweepReport
}

func (s *sweep) run(ctx context.Context) error {
	claims, err := process.ListClaims(ClaimDir(s.RunDir))
	if err != nil {
		return err
	}
	leases, err := process.ListLeases(LeaseDir(s.RunDir))
	if err != nil {
		return fmt.Errorf("list the leases: %w", err)
	}
	stages, err := process.ListStages(stageDir(s.RunDir))
	if err != nil {
		return fmt.Errorf("list the staged volumes: %w", err)
	}
	s.take(claims)
	defer s.release()
	s.prepare(leases, stages)
	for _, d := range s.dead {
		d.fence() // all of them first: it takes no time
	}
	each(ctx, s.dead, sweepKills, (*deadTask).kill)
	if s.Only == "" {
		s.unclaimed(claims, leases, stages)
	}
	s.askEngine(ctx)
	return nil
}

// take takes over the claims of the dead, in random order: what cannot be cleaned up must not keep the rest waiting for ever.
func (s *sweep) take(claims process.Claims) {
	for _, name := range claims.Others {
		s.report.note("%s in %s is no claim, and is left alone", name, ClaimDir(s.RunDir))
	}
	if claims.More {
		s.report.note("%s has too many entries, only some were looked at", ClaimDir(s.RunDir))
	}
	rand.Shuffle(len(claims.IDs), func(i, j int) { claims.IDs[i], claims.IDs[j] = claims.IDs[j], claims.IDs[i] })
	for _, id := range claims.IDs {
		if s.Only != "" && id != s.Only {
			continue
		}
		if len(s.dead) == s.MaxClaims {
			s.report.More = true
			return
		}
		claim, err := process.TakeClaim(ClaimDir(s.RunDir), id)
		switch {
		case errors.Is(err, process.ErrClaimHeld):
			s.report.Alive++
		case errors.Is(err, fs.ErrNotExist): // gone meanwhile
		case err != nil:
			s.report.note("%v", err)
		default:
			s.dead = append(s.dead, &deadTask{id: id, claim: claim, now: s.Now()})
		}
	}
}

// prepare reads what the claims tell, and finds out what there is.
func (s *sweep) prepare(leases, stages []process.Leftover) {
	if len(s.dead) == 0 {
		return
	}
	hierarchies, err := cgroupnet.Hierarchies()
	for _, d := range s.dead {
		d.read(s.boot)
		if d.foreign {
			continue
		}
		d.leases, d.stages = of(d.id, leases), of(d.id, stages)
		if err != nil {
			d.left("its processes are not known: %v", err)
			continue
		}
		d.find(hierarchies, s.CgroupRoot)
	}
}

func of(id string, all []process.Leftover) (its []process.Leftover) {
	for _, l := range all {
		if l.ContainerID == id {
			its = append(its, l)
		}
	}
	return its
}

// each works on all tasks, a number of them at a time, until the time is over.
func each(ctx context.Context, tasks []*deadTask, atOnce int, work func(*deadTask)) {
	var all sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for _, d := range tasks {
		if d.foreign {
			continue
		}
		slots <- struct{}{}
		if ctx.Err() != nil {
			d.left("the time for this sweep was over")
			<-slots
			continue
		}
		all.Go(func() {
			defer func() { <-slots }()
			work(d)
		})
	}
	all.Wait()
}

// release gives the claims up: those of which nothing is left go.
func (s *sweep) release() {
	for _, d := range s.dead {
		d.release()
		s.report.Dead = append(s.report.Dead, d.swept)
	}
}

// unclaimed removes what has no claim and can't be that of an executor that is about to make one: leases, staged volumes
// and unfinished claims that are older than what is awaited of anything late.
func (s *sweep) unclaimed(claims process.Claims, leases, stages []process.Leftover) {
	for _, path := range claims.Unfinished {
		if st, err := os.Lstat(path); err == nil && s.old(st.ModTime()) {
			s.report.unclaimed("unfinished claim", path, process.RemoveUnfinished(path))
		}
	}
	for _, kind := range []struct {
		name   string
		all    []process.Leftover
		remove func(process.Leftover) error
	}{{"lease", leases, process.RevokeLease}, {"staged volumes", stages, process.ReleaseStage}} {
		for _, l := range kind.all {
			if s.old(l.Made) && !s.claimed(l.ContainerID) {
				s.report.unclaimed(kind.name, l.Path, kind.remove(l))
			}
		}
	}
}

func (s *sweep) old(made time.Time) bool { return s.Now().Sub(made) >= s.Settle }

// claimed reports whether there is a claim now. Its owner made it before anything else of the container.
func (s *sweep) claimed(containerID string) bool {
	_, err := os.Lstat(filepath.Join(ClaimDir(s.RunDir), containerID))
	return !errors.Is(err, fs.ErrNotExist)
}

func (s *sweep) log() {
	for _, d := range s.report.Dead {
		say := s.Log.Info
		if !d.Complete {
			say = s.Log.Warn
		}
		say("swept after a dead executor", "container_id", d.ContainerID, "task", d.TaskID, "container", d.Container,
			"done", d.Done, "left", d.Left, "notes", d.Notes)
	}
	for _, u := range s.report.Unclaimed {
		s.Log.Info("swept what has no claim", "kind", u.Kind, "name", u.Name, "removed", u.Removed, "why", u.Why)
	}
	for _, note := range s.report.Notes {
		s.Log.Warn("sweep", "note", note)
	}
}
