package cgroupnet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// RemoveLimit is how long [Remove] tries to remove a leaf that is still in use.
// The kernel lets go of a cgroup some milliseconds after the last process died.
const RemoveLimit = 2 * time.Second

// removePause is the time between two tries.
const removePause = 10 * time.Millisecond

// prepareTries bounds how often [Prepare] makes a leaf again because another
// executor removed one of its still empty parents in between.
const prepareTries = 10

// Prepare makes the leaf in each of the hierarchies. A leaf that is there already is
// taken as it is. When one of them cannot be made, the folders made before are removed
// again and nothing is left of the call.
//
// The leaf is made in all hierarchies: a parent that Docker does not find is made by
// runc without a word, with network class 0. A new v1 cpuset is empty and
// would take no process; runc fills it, from the nearest parent that has values, before it puts
// the container below (runc 1.1, libcontainer/cgroups/fs/cpuset.go; seen to work with
// leaves made by Prepare). On cgroup v2 runc enables the controllers
// on the way down by itself.
//
// The root of all leaves ([Placement.Keep]) is made as well when it is missing, and stays for ever: Remove
// leaves it, as other executors may be about to use it.
//
// The folders of a slice are made by systemd when Docker asks it to, but in the net_cls hierarchy, which systemd does not manage: there
// the leaf is made, for its class. runc puts the container's scope below the slice there, too (runc 1.1,
// libcontainer/cgroups/systemd/v1.go; no test runs it).
func Prepare(hs []Hierarchy, p Placement) error {
	if err := checkPath(p.Path); err != nil {
		return fmt.Errorf("prepare leaf cgroup: %w", err)
	}
	if p.Systemd {
		hs = slices.DeleteFunc(slices.Clone(hs), func(h Hierarchy) bool { return !isNetCLS(h) })
	}
	made := make([][]string, len(hs))
	for i, h := range hs {
		var err error
		if made[i], err = makeLeaf(h, p.Path); err != nil {
			for j, dirs := range made[:i] {
				unmake(hs[j], dirs)
			}
			return fmt.Errorf("prepare leaf cgroup: %w", err)
		}
	}
	return nil
}

func isNetCLS(h Hierarchy) bool { return !h.Unified && h.Has("net_cls") }

// makeLeaf makes the leaf in one hierarchy and returns the folders that were not
// there before; none when it fails.
func makeLeaf(h Hierarchy, leaf string) ([]string, error) {
	root, err := openHierarchy(h)
	if err != nil {
		return nil, err
	}
	defer root.Close()

	for try := 1; ; try++ {
		made, err := makeAll(root, leaf)
		if err == nil {
			return made, nil
		}
		for _, dir := range slices.Backward(made) {
			_ = root.Remove(dir) // in use by others, or gone already
		}
		if !errors.Is(err, fs.ErrNotExist) || try == prepareTries {
			return nil, fmt.Errorf("make %s: %w", h.Folder(leaf), err)
		}
	}
}

// unmake removes the folders that [makeLeaf] made. The error that the caller must
// see is the one that led here; what cannot be removed is an empty folder that
// another executor uses by now.
func unmake(h Hierarchy, made []string) {
	root, err := openHierarchy(h)
	if err != nil {
		return
	}
	defer root.Close()
	for _, dir := range slices.Backward(made) {
		_ = root.Remove(dir)
	}
}

// makeAll makes the cgroup and its parents and returns those that were not there.
func makeAll(root *os.Root, cgroup string) (made []string, err error) {
	elements := strings.Split(relative(cgroup), "/")
	for i := range elements {
		dir := path.Join(elements[:i+1]...)
		err := root.Mkdir(dir, 0o755)
		switch {
		case err == nil:
			made = append(made, dir)
		case errors.Is(err, fs.ErrExist):
			st, err := root.Lstat(dir)
			if err != nil {
				return made, err
			}
			if !st.IsDir() {
				return made, fmt.Errorf("%s is an interface file of its parent cgroup", dir)
			}
		default:
			return made, err
		}
	}
	return made, nil
}

// Remove removes the leaf and everything below it from each of the hierarchies (of
// the container's own cgroup something may be left when the daemon died), then the
// parents that are empty, up to but not including [Placement.Keep] and never a
// cgroup that the calling process is in. What is gone already is fine.
//
// A leaf that still has processes is tried again until [RemoveLimit] is over; then the
// error names its folder. The other hierarchies are cleaned all the same. Parents that
// others use are left without an error. There is no context: a clean-up comes when the
// caller's own has ended.
func Remove(hs []Hierarchy, p Placement) error {
	return removeWithin(RemoveLimit, hs, p)
}

func removeWithin(limit time.Duration, hs []Hierarchy, p Placement) error {
	if err := checkPath(p.Path); err != nil {
		return fmt.Errorf("remove leaf cgroup: %w", err)
	}
	self, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return fmt.Errorf("remove leaf cgroup: %w", err)
	}
	deadline := time.Now().Add(limit)
	var final []error
	left := slices.Clone(hs)
	for {
		var busy []error
		left = slices.DeleteFunc(left, func(h Hierarchy) bool {
			err := removeOnce(h, p, string(self))
			switch {
			case errors.Is(err, unix.EBUSY), errors.Is(err, unix.ENOTEMPTY):
				busy = append(busy, err)
				return false
			case err != nil:
				final = append(final, err)
			}
			return true
		})
		if len(left) == 0 {
			break
		}
		if !time.Now().Before(deadline) {
			final = append(final, busy...)
			break
		}
		time.Sleep(removePause)
	}
	if err := errors.Join(final...); err != nil {
		return fmt.Errorf("remove leaf cgroup: %w", err)
	}
	return nil
}

// removeOnce tries to remove the leaf from one hierarchy. self is the text of
// /proc/self/cgroup.
func removeOnce(h Hierarchy, p Placement, self string) error {
	root, err := openHierarchy(h)
	if err != nil {
		return err
	}
	defer root.Close()

	own, _ := h.ownCgroup(self)
	if inside(own, p.Path) {
		return fmt.Errorf("%s: the executor itself is in this cgroup", h.Folder(p.Path))
	}
	if err := removeTree(root, relative(p.Path)); err != nil {
		return fmt.Errorf("%s: %w", h.Folder(p.Path), err)
	}
	for dir := path.Dir(p.Path); dir != "/" && dir != p.Keep && !inside(p.Keep, dir) && !inside(own, dir); dir = path.Dir(dir) {
		err := root.Remove(relative(dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil // in use by others
		}
	}
	return nil
}

// removeTree removes a cgroup and those below it, deepest first.
func removeTree(root *os.Root, dir string) error {
	var dirs []string
	err := fs.WalkDir(root.FS(), dir, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENODEV):
			return nil // removed by runc meanwhile
		case err != nil:
			return err
		case d.IsDir():
			dirs = append(dirs, name)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for _, name := range slices.Backward(dirs) {
		err := root.Remove(name)
		switch {
		case err == nil, errors.Is(err, fs.ErrNotExist):
		case errors.Is(err, unix.EBUSY):
			return fmt.Errorf("processes are left in %s; see its cgroup.procs: %w", name, err)
		default:
			return err
		}
	}
	return nil
}

// openHierarchy opens the mount point and makes sure that it (still) is one. The
// open folder pins the filesystem, so that nothing done through it can end up elsewhere.
func openHierarchy(h Hierarchy) (*os.Root, error) {
	root, err := os.OpenRoot(h.Dir)
	if err != nil {
		return nil, err
	}
	if err := checkMagic(root); err != nil {
		root.Close()
		return nil, fmt.Errorf("%s: %w", h.Dir, err)
	}
	return root, nil
}

// ErrNotCgroup says that a folder is not on a cgroup filesystem.
var ErrNotCgroup = errors.New("not a cgroup filesystem: nothing is written there; mount the hierarchy")

func checkMagic(root *os.Root) error {
	dir, err := root.Open(".")
	if err != nil {
		return err
	}
	defer dir.Close()
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(dir.Fd()), &st); err != nil {
		return err
	}
	if !isCgroup(&st) {
		return ErrNotCgroup
	}
	return nil
}

// relative turns a cgroup's path into one below the mount point.
func relative(cgroup string) string { return strings.TrimPrefix(cgroup, "/") }
