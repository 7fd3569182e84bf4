package cgroupnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// AgentRoot is the cgroup below which an agent's Linux launcher has its containers (--cgroups_root) by default.
const AgentRoot = "/mesos"

// Leftover is an empty cgroup of a container that is gone, in one hierarchy.
type Leftover struct {
	ContainerID string
	Path        string // of the cgroup
	hierarchy   Hierarchy
}

// Folder is where it is.
func (l Leftover) Folder() string { return l.hierarchy.Folder(l.Path) }

// Search is what leftovers are looked for with.
type Search struct {
	Hierarchies []Hierarchy
	// Age is how old a cgroup has to be: somebody may be about to use a younger one. It is that of the folder's inode in memory, which
	// the kernel may have made anew (kernfs keeps no times): a cgroup may look younger than it is, and older only if the clock was set.
	Age time.Duration
	// Claimed reports whether an executor has a claim on the container.
	Claimed func(containerID string) bool
}

// AgentLeftovers finds what is left below agents' roots ([AgentRoot]) of containers that the agent has none of any more: its launcher
// removes the container's cgroup from the freezer hierarchy, and its isolators remove it from theirs; what a nested leaf had in the others stays if
// its executor died with it. The freezer hierarchy says which containers the agent has, and is not touched; without the root there, nothing is
// known and nothing found.
//
// The agent may be between the freezer hierarchy and the others. So if there is something, it is looked for again after patience, and what was not
// there both times is left out. When ctx ends meanwhile, nothing is found.
func (s Search) AgentLeftovers(ctx context.Context, patience time.Duration, roots ...string) ([]Leftover, error) {
	before, err := s.agentLeftovers(roots)
	if len(before) == 0 || err != nil {
		return nil, err
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return nil, nil
	}
	found, err := s.agentLeftovers(roots)
	return slices.DeleteFunc(found, func(l Leftover) bool {
		return !slices.ContainsFunc(before, func(b Leftover) bool { return b.Folder() == l.Folder() })
	}), err
}

func (s Search) agentLeftovers(roots []string) (found []Leftover, err error) {
	for _, root := range slices.Compact(slices.Sorted(slices.Values(roots))) {
		below, err := s.agentLeftoversBelow(root)
		if err != nil {
			return nil, err
		}
		found = append(found, below...)
	}
	return found, nil
}

func (s Search) agentLeftoversBelow(root string) ([]Leftover, error) {
	freezer := slices.IndexFunc(s.Hierarchies, func(h Hierarchy) bool { return !h.Unified && h.Has("freezer") })
	if freezer < 0 {
		return nil, nil
	}
	alive, err := cgroupsBelow(s.Hierarchies[freezer], root)
	if alive == nil || err != nil {
		return nil, searched(err)
	}
	var found []Leftover
	for i, h := range s.Hierarchies {
		if i == freezer {
			continue
		}
		there, err := cgroupsBelow(h, root)
		if err != nil {
			return nil, searched(err)
		}
		for id, made := range there {
			if _, has := alive[id]; !has && isUUID(id) { // what has another name is none of the launcher's
				found = s.add(found, Leftover{id, path.Join(root, id), h}, made)
			}
		}
	}
	return sorted(found), nil
}

// Leaves finds leaves below a root ([PlaceInput.Root]) in which nothing runs and on which nobody has a claim. Docker makes a leaf in all hierarchies, and
// an executor cannot remove it from one that its own mount namespace does not have. The folders of classes stay: a container that is just being
// placed may need them. What systemd manages is systemd's.
func (s Search) Leaves(root string) ([]Leftover, error) {
	var found []Leftover
	for _, h := range s.Hierarchies {
		tops := []string{root}
		if isNetCLS(h) {
			tops = append(tops, "/"+escape(path.Base(root))+".slice")
		}
		for _, top := range tops {
			classes, err := cgroupsBelow(h, top)
			for class := range classes {
				var leaves map[string]time.Time
				if leaves, err = cgroupsBelow(h, path.Join(top, class)); err != nil {
					break
				}
				for name, made := range leaves {
					cgroup := path.Join(top, class, name)
					if leaf, is := LeafOf(cgroup, root); is && !leaf.Nested {
						found = s.add(found, Leftover{leaf.ContainerID, cgroup, h}, made)
					}
				}
			}
			if err != nil {
				return nil, searched(err)
			}
		}
	}
	return sorted(found), nil
}

// add adds a cgroup unless somebody may need it.
func (s Search) add(found []Leftover, l Leftover, made time.Time) []Leftover {
	if time.Since(made) < s.Age || s.Claimed(l.ContainerID) || l.empty() != nil {
		return found
	}
	return append(found, l)
}

func searched(err error) error {
	if err != nil {
		return fmt.Errorf("look for leftover cgroups: %w", err)
	}
	return nil
}

func sorted(found []Leftover) []Leftover {
	slices.SortFunc(found, func(a, b Leftover) int { return strings.Compare(a.Folder(), b.Folder()) })
	return found
}

// Remove removes the cgroup and those below it. The kernel refuses one with a process in it; what is gone already is fine.
func (l Leftover) Remove() error {
	root, err := openHierarchy(l.hierarchy)
	if err != nil {
		return err
	}
	defer root.Close()
	if err := l.empty(); err != nil {
		return err
	}
	if err := removeTree(root, relative(l.Path)); err != nil {
		return fmt.Errorf("%s: %w", l.Folder(), err)
	}
	return nil
}

// empty returns an error if there is a process in the cgroup or below.
func (l Leftover) empty() error {
	root, err := openHierarchy(l.hierarchy)
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), relative(l.Path), func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENODEV):
			return nil
		case err != nil:
			return err
		case d.IsDir() || d.Name() != "cgroup.procs":
			return nil
		}
		text, err := root.ReadFile(name)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EOPNOTSUPP) {
			return nil // EOPNOTSUPP: threaded, its processes are those of a cgroup above (cgroups(7))
		}
		if err == nil && len(text) > 0 {
			err = fmt.Errorf("processes are left in %s; see its cgroup.procs: %w", path.Dir(name), unix.EBUSY)
		}
		return err
	})
}

// cgroupsBelow returns the cgroups directly below one, by name, and when they were made; nil if it is not there.
func cgroupsBelow(h Hierarchy, cgroup string) (map[string]time.Time, error) {
	if err := checkPath(cgroup); err != nil {
		return nil, err
	}
	root, err := openHierarchy(h)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	names, err := children(root, cgroup)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	made := map[string]time.Time{}
	for _, name := range names {
		about, err := root.Lstat(path.Join(relative(cgroup), name))
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		made[name] = about.ModTime()
	}
	return made, nil
}
