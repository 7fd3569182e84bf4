package cgroupnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// LookEvery is the time between two looks at the classes of a leaf where inotify is not to be had: all executors of a host
// share root's fs.inotify.max_user_instances, 128 by default.
const LookEvery = 30 * time.Second

// A write of a class re-tags all open sockets of the cgroup, so the kernel goes through all files of all its processes
// (net/core/netclassid_cgroup.c). Two programs that take turns at it would keep a CPU busy for as long as they live. So a class that is lost
// again within calmAfter is written again after a pause, which begins at firstPause and doubles up to longestPause.
// Any two looks are eventPause apart, whatever there is to see.
const (
	eventPause   = 10 * time.Millisecond
	firstPause   = 100 * time.Millisecond
	longestPause = 10 * time.Second
	calmAfter    = time.Minute
)

// errNoEvents says that inotify is not to be had.
var errNoEvents = errors.New("no inotify instance")

func (d netCLS) Watch(ctx context.Context, leaf Placement, class uint32, lost func(Loss)) error {
	root, err := d.open(leaf, class)
	if err != nil {
		return fmt.Errorf("watch the network class: %w", err)
	}
	root.Close()
	w := &watch{netCLS: d, leaf: leaf.Path, class: class, lost: lost}
	for ctx.Err() == nil {
		err := w.byEvents(ctx)
		if errors.Is(err, errNoEvents) {
			if err = w.look(func(string) error { return nil }); err == nil {
				pause(ctx, max(d.lookEvery, w.untilNext()))
			}
		}
		switch {
		case errors.Is(err, ErrLeafGone):
			return nil
		case err != nil:
			return fmt.Errorf("watch the network class: %w", err)
		}
	}
	return nil
}

// watch is one call of [netCLS.Watch].
type watch struct {
	netCLS
	leaf  string
	class uint32
	lost  func(Loss)

	losing   time.Duration // the pause after a loss that is not the first
	lastLoss time.Time
	failed   bool // a class could not be given back at the last look
}

// byEvents looks at the classes whenever the kernel tells of a change. It returns nil when ctx has ended.
func (w *watch) byEvents(ctx context.Context) error {
	events, err := w.newEvents()
	if err != nil {
		return errNoEvents
	}
	defer events.Close()
	// The file is in the runtime's poller, so a read parks no thread, and its deadline ends it.
	stop := context.AfterFunc(ctx, func() { _ = events.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()

	// What the events say does not matter, nor when some are lost: each only means that there is something to see.
	buffer := make([]byte, 16*(unix.SizeofInotifyEvent+unix.NAME_MAX+1))
	marks := newMarks(events, w.hierarchy)
	for {
		if err := marks.renew(w.leaf, w.look); err != nil {
			return err
		}
		if !w.failed { // else it is tried again after the pause
			if _, err := events.Read(buffer); err != nil && ctx.Err() == nil {
				return err
			}
		}
		if pause(ctx, w.untilNext()); ctx.Err() != nil {
			return nil
		}
	}
}

// look compares the classes of the leaf and of the cgroups below it, and gives back what is lost. It calls visit with each cgroup before
// it looks at it, so that no change between the two remains unseen.
func (w *watch) look(visit func(cgroup string) error) error {
	root, err := openHierarchy(w.hierarchy)
	if err != nil {
		return err
	}
	defer root.Close()
	w.failed = false
	losses, err := w.lookAt(root, w.leaf, visit)
	if losses == 0 {
		return err
	}
	now := time.Now()
	if now.Sub(w.lastLoss) > calmAfter {
		w.losing = 0
	}
	w.losing = min(max(firstPause, 2*w.losing), longestPause)
	w.lastLoss = now
	return err
}

func (w *watch) lookAt(root *os.Root, cgroup string, visit func(cgroup string) error) (losses int, err error) {
	if err := visit(cgroup); err != nil {
		return 0, err
	}
	found, err := classOf(root, cgroup)
	if err == nil && found != w.class {
		losses = w.restore(root, cgroup, found)
	}
	var below []string
	if err == nil {
		below, err = children(root, cgroup)
	}
	if gone(err) {
		if cgroup == w.leaf {
			return losses, ErrLeafGone
		}
		return losses, nil
	}
	for _, name := range below {
		if err != nil {
			break
		}
		var more int
		more, err = w.lookAt(root, path.Join(cgroup, name), visit)
		losses += more
	}
	return losses, err
}

// restore gives the cgroup its class back and tells of the loss; not of one that is gone.
func (w *watch) restore(root *os.Root, cgroup string, found uint32) (losses int) {
	file, err := openClass(root, cgroup, os.O_RDWR)
	if err == nil {
		defer file.Close()
		err = writeClass(file, w.class)
	}
	if gone(err) {
		return 0
	}
	w.failed = w.failed || err != nil
	w.lost(Loss{Cgroup: cgroup, Found: found, Err: err})
	return 1
}

// untilNext is how long the next look has to wait.
func (w *watch) untilNext() time.Duration {
	if w.losing > 0 && time.Since(w.lastLoss) <= calmAfter {
		return w.losing
	}
	return eventPause
}

// pause waits, unless ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
