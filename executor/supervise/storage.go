package supervise

import (
	"fmt"
	"reflect"
	"time"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/storage"
)

// UnfitStorageError is the end of a launch on a host whose storage takes no more containers.
type UnfitStorageError struct {
	Reasons   string        // with figures and remedies, one line
	Waited    time.Duration // for something to change
	Cancelled bool          // a pull that was under way
	need      storage.Need  // of that pull when it was cancelled
}

func (e *UnfitStorageError) Error() string {
	if e.Cancelled {
		return e.Reasons + "; the pull was cancelled"
	}
	return fmt.Sprintf("%s; this launch waited %s", e.Reasons, e.Waited.Round(time.Second/10))
}

// latest is the newer of two answers, of those that count at all.
func latest(a, b storage.Known, now time.Time) (k storage.Known, usable bool) {
	if !a.Usable(now) || b.Usable(now) && b.At.After(a.At) {
		a = b
	}
	return a, a.Usable(now)
}

// keepKnown decides what the host's executors are to find as the engine's last answer: nil leaves what is there, which
// another version may have written, or somebody else a moment ago.
func keepKnown(before []byte, k storage.Known) []byte {
	if before != nil {
		known, err := storage.DecodeKnown(before)
		if err != nil || known.Fresh(k.At) && reflect.DeepEqual(known.Engine, k.Engine) {
			return nil
		}
	}
	after, err := k.Encode()
	if err != nil {
		return nil
	}
	return after
}

// pullRoom follows a pull to what it is yet to take. It belongs to the pull's goroutine.
type pullRoom struct {
	pull  storage.Pull
	sized map[string]bool // layers whose size is known
}

// step reports the need when another layer's size has become known. Between two of these the need only falls, and what is free
// with it; with the containerd image store the need does not even fall while a layer is extracted, so that asking by the clock would find
// too little room in the end.
func (p *pullRoom) step(s engine.Progress) (need storage.Need, grown bool) {
	p.pull.Step(s.Layer, s.Status, s.Current, s.Total)
	if s.Status != "Downloading" || s.Total <= 0 || p.sized[s.Layer] {
		return storage.Need{}, false
	}
	if p.sized == nil {
		p.sized = map[string]bool{}
	}
	p.sized[s.Layer] = true
	need, _ = p.pull.Needs()
	return need, true
}

// again begins anew for another try.
func (p *pullRoom) again() { *p = pullRoom{} }
