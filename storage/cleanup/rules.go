package cleanup

import (
	"cmp"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"mesos-docker-executor/storage"
)

// Rules say when images are removed, and which.
type Rules struct {
	Begin  int           // percent of bytes or inodes in use from which on images are removed, 1 to 100; default 85
	Until  int           // percent that is wanted, 0 to Begin; default 80
	Cycle  int           // images that are removed at a time, 1 to 1000; default 5
	MinAge time.Duration // images that were used later are kept, 1 minute or more; default 2 hours
	// Keep are patterns as of path.Match for names as docker images prints them, with or without the tag:
	// "registry.example.com/base/*", "busybox:1.36". An asterisk doesn't match a slash.
	Keep []string
}

// DefaultRules are those of the kubelet for the marks and of the agent of Amazon ECS for the pace. The age is longer than theirs,
// because a launch may wait long for its pull.
func DefaultRules() Rules {
	return Rules{Begin: 85, Until: 80, Cycle: 5, MinAge: 2 * time.Hour}
}

// Check returns an error that names the first value out of its range.
func (r Rules) Check() error {
	switch {
	case r.Begin < 1 || r.Begin > 100:
		return fmt.Errorf("images are removed from %d %% on: allowed are 1 to 100", r.Begin)
	case r.Until < 0 || r.Until > r.Begin:
		return fmt.Errorf("images are removed until %d %% are in use: allowed are 0 to %d, where it begins", r.Until, r.Begin)
	case r.Cycle < 1 || r.Cycle > 1000:
		return fmt.Errorf("%d images are removed at a time: allowed are 1 to 1000", r.Cycle)
	case r.MinAge < time.Minute:
		return fmt.Errorf("images are kept for %s after their last use: allowed are 1m and more", r.MinAge)
	}
	for _, pattern := range r.Keep {
		if err := CheckPattern(pattern); err != nil {
			return fmt.Errorf("%q %w", pattern, err)
		}
	}
	return nil
}

// CheckPattern says what is wrong with a pattern of [Rules.Keep]: one that can match no name, or less than it seems to, would let images go
// that somebody wanted to keep.
func CheckPattern(pattern string) error {
	_, err := path.Match(pattern, "")
	switch {
	case strings.Contains(pattern, "**"):
		return errors.New("has two asterisks, and they match no slash either: write one pattern for each level, like base/* and base/*/*")
	case err != nil, pattern == "", strings.ContainsFunc(pattern, unnamed), strings.Contains(pattern, "//"),
		strings.HasPrefix(pattern, "/"), strings.HasSuffix(pattern, "/"):
		return errors.New("is no pattern for the names of images: write it like registry.example.com/base/*")
	}
	return nil
}

// unnamed reports whether c is neither in names of images nor a sign of path.Match.
func unnamed(c rune) bool {
	alphanumeric := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
	return !alphanumeric && !strings.ContainsRune("._-/:@"+`*?[]^\`, c)
}

// Goal is what has to be freed.
type Goal struct {
	Bytes  uint64
	Inodes uint64
	Why    string // the figures of the fullest disk or, if one lacks bytes and another inodes, of both; "" if there is nothing to do
}

// None reports whether there is nothing to do.
func (g Goal) None() bool { return g.Bytes == 0 && g.Inodes == 0 }

// Goal looks at the disks on which removed images leave room: those with layers. It is none while all are emptier than
// Begin and have what t asks for; else it leads down to Until, or as far above t's line if that is higher, so that
// the next container is not refused for the image that it brings. A disk of which nothing is known has no part in it, see [Known].
func (r Rules) Goal(rooms []storage.Room, t storage.Thresholds) Goal { return r.goal(rooms, t, false) }

// Rest is the same for a clean-up that has begun: between the marks Goal is none, and Rest leads on down to Until.
func (r Rules) Rest(rooms []storage.Room, t storage.Thresholds) Goal { return r.goal(rooms, t, true) }

func (r Rules) goal(rooms []storage.Room, t storage.Thresholds, begun bool) Goal {
	var g Goal
	var bytes, inodes string // the figures of the fullest
	for _, room := range rooms {
		if room.Err != nil || !hasLayers(room) {
			continue
		}
		leastBytes, leastInodes := t.MinFree(room)
		if n := r.missing(room.Bytes, leastBytes, begun); n > g.Bytes {
			g.Bytes, bytes = n, room.String()
		}
		if n := r.missing(room.Inodes, leastInodes, begun); n > g.Inodes {
			g.Inodes, inodes = n, room.String()
		}
	}
	if g.Why = cmp.Or(bytes, inodes); inodes != "" && inodes != g.Why {
		g.Why += "; " + inodes
	}
	return g
}

func hasLayers(room storage.Room) bool {
	return room.Uses(storage.Layers) || room.Uses(storage.PoolData) || room.Uses(storage.PoolMetadata)
}

// Known returns an error if a disk on which removed images leave room did not say how full it is, or if there is none at all: then a goal that
// is none does not mean that there is room.
func Known(rooms []storage.Room) error {
	there := false
	for _, room := range rooms {
		if !hasLayers(room) {
			continue
		}
		if there = true; room.Err != nil {
			return fmt.Errorf("nobody knows how full the disk is: %s", room)
		}
	}
	if !there {
		return errors.New("no disk with images is found: is the engine on this host?")
	}
	return nil
}

// missing is how much has to be freed of something of which so much has to be free at least.
func (r Rules) missing(a storage.Amount, least uint64, begun bool) uint64 {
	if a.Total == 0 {
		return 0
	}
	percent := a.Total / 100
	begin := max(percent*uint64(100-r.Begin), least)
	until := min(max(percent*uint64(100-r.Until), least+percent*uint64(r.Begin-r.Until)), a.Total)
	if a.Free >= begin && !begun || a.Free >= until {
		return 0
	}
	return until - a.Free
}
