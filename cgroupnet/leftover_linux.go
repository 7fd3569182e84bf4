package cgroupnet

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// AgentRoot is the cgroup below which an agent's Linux launcher has its containers (--cgroups_root).
const AgentRoot = "/mesos"

// Leftover is an empty cgroup of a container that the agent's launcher has destroyed: it removes the container's cgroup from the freezer hierarchy,
// and its isolators remove it from theirs. What a nested leaf had in the others stays if its executor died with it.
type Leftover struct {
	ContainerID string
	Path        string // of the cgroup, in all hierarchies: /mesos/<container id>
	hierarchy   Hierarchy
}

// Folder is where it is.
func (l Leftover) Folder() string { return l.hierarchy.Folder(l.Path) }

// Leftovers finds what is left below agentRoot ([AgentRoot]) of containers that the agent has none of any more. The freezer hierarchy says which it has, and is
// not touched; without agentRoot there, nothing is known and nothing found. A cgroup with a process in it or below, one that is younger than the
// given age, and one of a container that claimed knows, is left out: the agent may be about to use or remove it.
//
// The age is that of the folder's inode in memory, which the kernel may have made anew (kernfs keeps no times): a cgroup may look younger than it is, never
// older.
func Leftovers(hs []Hierarchy, agentRoot string, age time.Duration, claimed func(containerID string) bool) ([]Leftover, error) {
	if err := checkPath(agentRoot); err != nil {
		return nil, fmt.Errorf("look for leftover cgroups: %w", err)
	}
	freezer := slices.IndexFunc(hs, func(h Hierarchy) bool { return !h.Unified && h.Has("freezer") })
	if freezer < 0 {
		return nil, nil
	}
	alive, err := containers(hs[freezer], agentRoot)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var found []Leftover
	for i, h := range hs {
		if i == freezer || err != nil {
			continue
		}
		var there map[string]time.Time
		there, err = containers(h, agentRoot)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		for id, made := range there {
			if _, has := alive[id]; has || time.Since(made) < age || claimed(id) {
				continue
			}
			found = append(found, Leftover{ContainerID: id, Path: path.Join(agentRoot, id), hierarchy: h})
		}
	}
	if err != nil {
		return nil, fmt.Errorf("look for leftover cgroups: %w", err)
	}
	found = slices.DeleteFunc(found, func(l Leftover) bool { return l.empty() != nil })
	slices.SortFunc(found, func(a, b Leftover) int { return strings.Compare(a.Folder(), b.Folder()) })
	return found, nil
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

// containers returns the agent's containers in a hierarchy and when their cgroups were made. The IDs of the launcher's are UUIDs; what has another name is
// nobody's business here.
func containers(h Hierarchy, agentRoot string) (map[string]time.Time, error) {
	root, err := openHierarchy(h)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	entries, err := fs.ReadDir(root.FS(), relative(agentRoot))
	if err != nil {
		return nil, err
	}
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
	made := map[string]time.Time{}
	for _, entry := range entries {
		if !entry.IsDir() || !uuid.MatchString(entry.Name()) {
			continue
		}
		about, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		made[entry.Name()] = about.ModTime()
	}
	return made, nil
}
