package process

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
)

// Leaf is the task's own cgroup, of one path in all hierarchies. Docker's cgroup for
// the container is a child of it. A Leaf holds no resource; its cgroups may come and go.
type Leaf struct {
	hierarchies []cgroupnet.Hierarchy
	parent      string
}

// OpenLeaf returns the leaf whose folder below each hierarchy's mount point is parent
// ([cgroupnet.Placement.Path]). It need not exist yet, or any more. A
// parent that is not the clean path of a cgroup below the root makes all methods fail.
func OpenLeaf(hs []cgroupnet.Hierarchy, parent string) *Leaf {
	return &Leaf{hierarchies: hs, parent: parent}
}

// check guards against a mistake that would put the whole host into the leaf.
func (l *Leaf) check() error {
	if l.parent == "/" || !path.IsAbs(l.parent) || path.Clean(l.parent) != l.parent {
		return fmt.Errorf("%q is not the path of a leaf cgroup", l.parent)
	}
	return nil
}

// childNames are the names that Docker may give to the container's cgroup: the
// container's id (cgroupfs driver), or that of a systemd scope.
func childNames(dockerID string) ([]string, error) {
	if len(dockerID) != 64 || strings.Trim(dockerID, "0123456789abcdef") != "" {
		return nil, fmt.Errorf("docker container id %q is not 64 hex digits", dockerID)
	}
	return []string{dockerID, "docker-" + dockerID + ".scope"}, nil
}

// containerDirs lists where the container's cgroup may be in the hierarchies that pick
// selects.
func (l *Leaf) containerDirs(dockerID string, pick func(cgroupnet.Hierarchy) bool) ([]string, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	names, err := childNames(dockerID)
	if err != nil {
		return nil, err
	}
	var dirs []string
	for _, h := range l.hierarchies {
		if pick(h) {
			for _, name := range names {
				dirs = append(dirs, h.Folder(path.Join(l.parent, name)))
			}
		}
	}
	return dirs, nil
}

// subtree lists the leaf's folder in one hierarchy and all below it, parents first.
// Empty when the leaf does not exist.
func (l *Leaf) subtree(h cgroupnet.Hierarchy) ([]string, error) {
	var dirs []string
	err := filepath.WalkDir(h.Folder(l.parent), func(name string, d fs.DirEntry, err error) error {
		switch {
		case gone(err):
			return nil
		case err != nil:
			return err
		case d.IsDir():
			dirs = append(dirs, name)
		}
		return nil
	})
	return dirs, err
}

// pids lists the processes of the leaf in all hierarchies. A process is normally in
// all of them, but runc init joins one after the other.
//
// A process that is in another PID namespace than ours, and not in a child of it, is
// listed as 0 (cgroup v2). There is no way to signal it by number, but it counts.
func (l *Leaf) pids() (map[int]bool, error) {
	if err := l.check(); err != nil {
		return nil, err
	}
	all := make(map[int]bool)
	for _, h := range l.hierarchies {
		dirs, err := l.subtree(h)
		if err != nil {
			return nil, fmt.Errorf("list the leaf's cgroups: %w", err)
		}
		for _, dir := range dirs {
			pids, err := readPIDs(dir)
			if err != nil {
				return nil, fmt.Errorf("list the leaf's processes: %w", err)
			}
			for _, pid := range pids {
				all[pid] = true
			}
		}
	}
	return all, nil
}

// PIDs lists the processes of the leaf that have a number in our PID namespace, in ascending order. They come and go; none is held.
func (l *Leaf) PIDs() ([]int, error) {
	all, err := l.pids()
	if err != nil {
		return nil, err
	}
	delete(all, 0)
	return slices.Sorted(maps.Keys(all)), nil
}

// readPIDs reads the processes of one cgroup; none when it does not exist.
func readPIDs(dir string) ([]int, error) {
	text, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if gone(err) || errors.Is(err, unix.EOPNOTSUPP) {
		// EOPNOTSUPP: a threaded cgroup of v2. Its processes are listed by the
		// nearest ancestor that is not threaded (cgroups(7)).
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var pids []int
	for field := range strings.FieldsSeq(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", filepath.Join(dir, "cgroup.procs"), err)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// gone reports whether a cgroup or process vanished: ENOENT before its folder was
// opened, ENODEV (cgroup) or ESRCH (/proc) after.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ESRCH)
}
