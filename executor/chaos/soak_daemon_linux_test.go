package chaos

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/enginetest"
)

// trouble is what happens to the daemons of a round, and is over after a while. Times count from the round's begin.
type trouble struct {
	kind string
	at   time.Duration
	hold time.Duration // from then until it is undone
	life int           // whose shim it is about, by its number
}

// The kinds of trouble.
const (
	freezeDockerd    = "dockerd is stopped"
	freezeContainerd = "containerd is stopped"
	freezeBoth       = "dockerd and containerd are stopped"
	killDockerd      = "dockerd is killed, and started again"
	endDockerd       = "dockerd is terminated, and started again"
	killContainerd   = "containerd is killed"
	stopShim         = "the shim is stopped"
	killShim         = "the shim is killed"
)

func (t trouble) String() string {
	text := fmt.Sprintf("%s after %s", t.kind, t.at)
	if t.hold > 0 {
		text += fmt.Sprintf(", for %s", t.hold)
	}
	if t.kind == stopShim || t.kind == killShim {
		text += fmt.Sprintf(", of life %d", t.life)
	}
	return text
}

// newTroubles draws the troubles of a round: those of the daemons, one after the other, and those of shims beside them.
func newTroubles(seed uint64, round int, first, lives int) (daemons, shims []trouble) {
	d := diceFor(seed, 2, round)
	at := d.between(0, 3*time.Second)
	for range oneOf(d, 0, 1, 1, 1, 2) {
		t := trouble{at: at, hold: d.between(50*time.Millisecond, 4*time.Second)}
		t.kind = oneOf(d, freezeDockerd, freezeDockerd, freezeContainerd, freezeBoth, killDockerd, killDockerd, endDockerd, killContainerd)
		if t.kind == killContainerd {
			t.hold = 0 // dockerd sees to it
		}
		daemons = append(daemons, t)
		at += t.hold + d.between(0, 2*time.Second)
	}
	for range oneOf(d, 0, 0, 1, 2) {
		t := trouble{kind: stopShim, at: d.between(200*time.Millisecond, 4*time.Second), life: first + d.IntN(lives)}
		if t.hold = d.between(50*time.Millisecond, 5*time.Second); d.chance(40) {
			t.kind, t.hold = killShim, 0
		}
		shims = append(shims, t)
	}
	slices.SortFunc(shims, func(a, b trouble) int { return int(a.at - b.at) })
	return daemons, shims
}

// player plays the troubles of a round. All of them are undone when play has returned.
type player struct {
	engine *enginetest.Engine
	began  time.Time
	log    *syncBuffer
	leaf   func(life int) string // path of its cgroup, "" if it has none yet
	errs   []error               // the engine is not well again; valid after play
}

func (p *player) play(daemons, shims []trouble) {
	var all sync.WaitGroup
	for _, t := range shims {
		all.Go(func() { p.playShim(t) })
	}
	for _, t := range daemons {
		p.pause(time.Until(p.began.Add(t.at)))
		p.say("%s", t.kind)
		if err := p.playDaemon(t); err != nil {
			p.errs = append(p.errs, fmt.Errorf("%s: %w", t, err))
		}
		p.say("%s: over", t.kind)
	}
	all.Wait()
}

// pause keeps the time of the script.
func (p *player) pause(d time.Duration) { <-time.After(d) }

func (p *player) say(format string, args ...any) {
	fmt.Fprintf(p.log, "  %s %s\n", time.Since(p.began).Round(time.Millisecond), fmt.Sprintf(format, args...))
}

func (p *player) playDaemon(t trouble) error {
	e := p.engine
	ctx, cancel := context.WithTimeout(context.Background(), soonEnough)
	defer cancel()
	switch t.kind {
	case freezeDockerd:
		return p.during(t.hold, e.Freeze, e.Thaw)
	case freezeContainerd:
		return p.during(t.hold, e.FreezeContainerd, e.ThawContainerd)
	case freezeBoth:
		return p.during(t.hold,
			func() error { return errors.Join(e.Freeze(), e.FreezeContainerd()) },
			func() error { return errors.Join(e.Thaw(), e.ThawContainerd()) })
	case killDockerd:
		return p.during(t.hold, e.Kill, func() error { return e.Restart(ctx) })
	case endDockerd:
		return p.during(t.hold, e.Terminate, func() error { return e.Restart(ctx) })
	case killContainerd:
		old, err := e.ContainerdPID()
		if err != nil {
			return err
		}
		if err := e.KillContainerd(); err != nil {
			return err
		}
		if _, err = e.AwaitContainerd(ctx, old); err == nil {
			return nil
		}
		// Killed again just as it was back, dockerd can lose sight of it for good: an operator restarts the daemon then.
		again, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return errors.Join(e.Kill(), e.Restart(again))
	}
	return fmt.Errorf("unknown trouble %q", t.kind)
}

func (p *player) during(hold time.Duration, begin, undo func() error) error {
	if err := begin(); err != nil {
		return err
	}
	p.pause(hold)
	return undo()
}

// playShim strikes the shim of the life that has one at that time.
func (p *player) playShim(t trouble) {
	p.pause(time.Until(p.began.Add(t.at)))
	id := p.dockerID(t.life)
	s := unix.SIGSTOP
	if t.kind == killShim {
		s = unix.SIGKILL
	}
	err := p.engine.SignalShim(id, s)
	if err != nil {
		p.say("%s of life %d: %v", t.kind, t.life, err)
		return
	}
	p.say("%s of life %d", t.kind, t.life)
	if t.kind == stopShim {
		p.pause(t.hold)
		p.say("the shim of life %d goes on: %v", t.life, p.engine.SignalShim(id, unix.SIGCONT))
	}
}

// dockerID is the id of a life's container, by the name of its cgroup; "" if there is none.
func (p *player) dockerID(life int) string {
	leaf := p.leaf(life)
	groups, err := cgroupnet.Hierarchies()
	if leaf == "" || err != nil {
		return ""
	}
	for _, h := range groups {
		below, _ := os.ReadDir(filepath.Join(h.Dir, leaf))
		for _, one := range below {
			if len(one.Name()) == 64 && strings.Trim(one.Name(), "0123456789abcdef") == "" {
				return one.Name()
			}
		}
	}
	return ""
}
