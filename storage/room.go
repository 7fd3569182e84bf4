package storage

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/docker/go-units"
)

// Amount is how much there is of something, and how much of it is free.
type Amount struct {
	Free, Total uint64
}

// percent is the free part of it, 0 to 100, rounded down: what is below a line must not look as if it was on it.
func (a Amount) percent() int {
	if a.Total == 0 {
		return 0
	}
	return int(100 * float64(a.Free) / float64(a.Total))
}

// Room is what is free on one filesystem, or in one part of a devicemapper pool.
type Room struct {
	// Places are the folders on it, one at least; with a pool it is its own name.
	Places []Place
	// Bytes are those that an ordinary user may take (statfs(2): f_bavail and f_blocks).
	Bytes Amount
	// Inodes is zero if the filesystem makes them as it needs them (btrfs; CephFS; tmpfs with nr_inodes=0). On XFS
	// the total moves with the free bytes.
	Inodes Amount
	// Floor are the free bytes below which the engine itself refuses to write: a pool's dm.min_free_space.
	Floor uint64
	// Relative: no absolute threshold applies, as this is small by its nature (a pool's metadata).
	Relative bool
	// Err says why nothing is known about it: a [*SilentError], or an error of statfs(2).
	Err error
}

// Uses reports whether one of the folders is for this.
func (r Room) Uses(u Use) bool {
	for _, p := range r.Places {
		if p.Use == u {
			return true
		}
	}
	return false
}

// only reports whether all of its folders are for this.
func (r Room) only(u Use) bool {
	for _, p := range r.Places {
		if p.Use != u {
			return false
		}
	}
	return true
}

// ours reports whether there is more on it than a sandbox.
func (r Room) ours() bool { return !r.only(Sandbox) }

// name is the shortest path, which the others are mostly below of, and what is there: "/var/lib/docker (data root, layers, containers)".
func (r Room) name() string {
	path, uses := "", []string{}
	for _, p := range r.Places {
		if path == "" || len(p.Path) < len(path) {
			path = p.Path
		}
		uses = append(uses, p.Use.String())
	}
	return fmt.Sprintf("%s (%s)", path, strings.Join(uses, ", "))
}

// String is its name and its figures.
func (r Room) String() string {
	if r.Err != nil {
		return fmt.Sprintf("%s: %v", r.name(), r.Err)
	}
	text := r.byteFigures()
	if r.Inodes.Total != 0 {
		text += fmt.Sprintf(" and %d of %d inodes (%d %%)", r.Inodes.Free, r.Inodes.Total, r.Inodes.percent())
	}
	return text
}

func (r Room) byteFigures() string {
	return fmt.Sprintf("%s has %s of %s free (%d %%)", r.name(), size(r.Bytes.Free), size(r.Bytes.Total), r.Bytes.percent())
}

// SilentError says that a filesystem did not answer.
type SilentError struct {
	Path   string
	Waited time.Duration
}

func (e *SilentError) Error() string {
	precision := time.Millisecond
	if e.Waited >= time.Second {
		precision = 100 * time.Millisecond
	}
	return fmt.Sprintf("the filesystem of %s does not answer within %s", e.Path, e.Waited.Round(precision))
}

// silent reports whether err is a [*SilentError].
func silent(err error) bool {
	var e *SilentError
	return errors.As(err, &e)
}

// size writes bytes for people.
func size(bytes uint64) string { return units.BytesSize(float64(bytes)) }
