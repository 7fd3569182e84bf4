package storage

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// LookLimit is how long a filesystem has to answer. Local ones take microseconds.
const LookLimit = 5 * time.Second

// Looker looks at filesystems. Its zero value is ready for use. A path that hangs costs one thread, however often it is looked
// at.
type Looker struct {
	mu       sync.Mutex
	underWay map[string]*look // by path
}

// look is one question to a filesystem.
type look struct {
	done chan struct{} // closed once the rest is set, which doesn't change any more
	room Room          // without places
	dev  uint64
}

// Look returns the room on the filesystems of these places, in their order; places on the same filesystem are one room, and so are
// those that fail like a place above them. (Btrfs gives each subvolume a device number: two of them are two rooms with the same figures.)
// What does not answer within limit, or before ctx ends, is a room with a [*SilentError]: a caller whose ctx has ended knows nothing of
// the filesystem. All are asked at the same time, so Look takes no longer than limit.
func (l *Looker) Look(ctx context.Context, limit time.Duration, places []Place) []Room {
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	asked := map[string]*look{}
	ask := func(path string) *look {
		if asked[path] == nil {
			asked[path] = l.begin(path)
		}
		return asked[path]
	}
	for _, p := range places {
		ask(p.Path)
	}
	var rooms []Room
	byDevice := map[uint64]int{}
	for _, p := range places {
		r, dev := await(ctx, began, p.Path, ask(p.Path))
		if errors.Is(r.Err, fs.ErrNotExist) && p.Else != "" {
			p.Path = p.Else
			r, dev = await(ctx, began, p.Path, ask(p.Path))
		}
		if errors.Is(r.Err, fs.ErrNotExist) && p.Use != DataRoot && p.Else == "" {
			continue
		}
		at, seen := byDevice[dev]
		if r.Err != nil {
			at = slices.IndexFunc(rooms, func(above Room) bool { return sameTrouble(above, p.Path, r.Err) })
			seen = at >= 0
		}
		if seen {
			rooms[at].Places = append(rooms[at].Places, p)
			continue
		}
		if r.Err == nil {
			byDevice[dev] = len(rooms)
		}
		r.Places = []Place{p}
		rooms = append(rooms, r)
	}
	return rooms
}

// sameTrouble reports whether a path fails for the same reason as the room that it is in: an operator wants to read of it once.
func sameTrouble(above Room, path string, err error) bool {
	if above.Err == nil || !strings.HasPrefix(path+"/", above.Places[0].Path+"/") {
		return false
	}
	if silent(err) || silent(above.Err) {
		return silent(err) && silent(above.Err)
	}
	var one, other unix.Errno
	return errors.As(err, &one) && errors.As(above.Err, &other) && one == other
}

// await returns what the look has seen, or that it takes too long. An answer that is there counts even if the time is up.
func await(ctx context.Context, began time.Time, path string, asked *look) (Room, uint64) {
	select {
	case <-asked.done:
		return asked.room, asked.dev
	default:
	}
	select {
	case <-asked.done:
		return asked.room, asked.dev
	case <-ctx.Done():
		return Room{Err: &SilentError{Path: path, Waited: time.Since(began)}}, 0
	}
}

// begin asks in the background, unless an earlier question is still unanswered.
func (l *Looker) begin(path string) *look {
	l.mu.Lock()
	defer l.mu.Unlock()
	if asked := l.underWay[path]; asked != nil {
		return asked
	}
	if l.underWay == nil {
		l.underWay = map[string]*look{}
	}
	asked := &look{done: make(chan struct{})}
	l.underWay[path] = asked
	go func() {
		asked.room, asked.dev = statfs(path)
		l.mu.Lock()
		delete(l.underWay, path)
		l.mu.Unlock()
		close(asked.done)
	}()
	return asked
}

// statfs blocks for as long as the filesystem does.
func statfs(path string) (Room, uint64) {
	var on unix.Statfs_t
	var is unix.Stat_t
	err := again(func() error { return unix.Statfs(path, &on) })
	if err == nil {
		err = again(func() error { return unix.Stat(path, &is) })
	}
	if err != nil {
		return Room{Err: &fs.PathError{Op: "statfs", Path: path, Err: err}}, 0
	}
	return roomOf(&on), is.Dev
}

// again repeats a call that a signal has interrupted; the Go runtime sends itself some, and FUSE lets them through.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

// roomOf reads the answer of statfs(2). The blocks are counted in f_frsize, which old filesystems leave at 0 (linux/fs/statfs.c
// then uses f_bsize).
func roomOf(on *unix.Statfs_t) Room {
	block := uint64(on.Frsize)
	if block == 0 {
		block = uint64(on.Bsize)
	}
	r := Room{Bytes: Amount{Free: times(on.Bavail, block), Total: times(on.Blocks, block)}}
	if on.Bavail > on.Blocks { // less than nothing: some filesystems count what root has taken of its reserve
		r.Bytes.Free = 0
	}
	if on.Ffree <= on.Files { // CephFS has no limit and says that more are free than there are (linux/fs/ceph/super.c)
		r.Inodes = Amount{Free: on.Ffree, Total: on.Files}
	}
	return r
}

// times is a product, or the largest number if it is larger than that: a FUSE server may say what it likes.
func times(a, b uint64) uint64 {
	if over, product := bits.Mul64(a, b); over == 0 {
		return product
	}
	return math.MaxUint64
}
