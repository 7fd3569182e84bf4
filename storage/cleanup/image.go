package cleanup

import (
	"path"
	"slices"
	"strings"
	"time"
)

// Image is what is known of one.
type Image struct {
	ID      string   // "sha256:..."
	Names   []string // with tags, as docker images prints them: "busybox:1.36"
	Digests []string // with repositories: "busybox@sha256:..."
	Size    uint64   // bytes of all its layers; others may have some of them, too
	// Containers are those made from it, in any state; negative: not known. GET /images/json says -1 unless it is asked to count.
	Containers int
	Children   bool // other images are built on it

	// Used is when a task with it last started or ended or, if nobody wrote that down, when a clean-up saw it first; zero: just now.
	Used   time.Time
	Tagged time.Time // when it was last tagged here (Metadata.LastTagTime of its inspect); zero: never. Docker 20.10 doesn't count a pull.
}

// last is when it was last used as far as anybody knows.
func (i Image) last() time.Time {
	if i.Tagged.After(i.Used) {
		return i.Tagged
	}
	return i.Used
}

// References are what has to be removed, one after the other, for the image to go. The daemon removes an image by its ID only if it has
// one name at most (moby's daemon/images/image_delete.go); a name takes the digests of its repository along.
func (i Image) References() []string {
	var repositories []string
	for _, name := range i.Names {
		if r := repository(name); !slices.Contains(repositories, r) {
			repositories = append(repositories, r)
		}
	}
	refs := slices.Clone(i.Names)
	for _, digest := range i.Digests {
		if r := repository(digest); !slices.Contains(repositories, r) {
			refs = append(refs, digest)
		}
	}
	if len(refs) <= 1 {
		return []string{i.ID}
	}
	return refs
}

// repository is a name without tag and digest. A colon before the last slash belongs to a port.
func repository(name string) string {
	name, _, _ = strings.Cut(name, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	return name
}

// kept returns the pattern that keeps the image, "" if none does.
func (i Image) kept(patterns []string) string {
	for _, name := range slices.Concat(i.Names, i.Digests) {
		for _, pattern := range patterns {
			for _, form := range []string{name, repository(name)} {
				if match, err := path.Match(pattern, form); match && err == nil {
					return pattern
				}
			}
		}
	}
	return ""
}

// Title is what a person calls it.
func (i Image) Title() string {
	for _, name := range slices.Concat(i.Names, i.Digests) {
		return name
	}
	return "<none>"
}
