package cgroupnet

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// ErrNoHierarchy says that the host has no usable cgroup mount.
var ErrNoHierarchy = errors.New("no cgroup hierarchy is mounted; mount cgroup2 on /sys/fs/cgroup, or the v1 controllers below it")

// Hierarchies returns the cgroup hierarchies that are mounted in the caller's mount
// namespace, in the order of /proc/self/mountinfo. A hierarchy that is mounted in
// several places is returned once, with a place below /sys/fs/cgroup if it has one.
// Left out are mounts of only a part of a hierarchy (as containers have them) and
// mount points that a later mount hides.
//
// On a hybrid host the cgroup v2 hierarchy is found at /sys/fs/cgroup/unified beside
// those of v1, on a pure v2 host at /sys/fs/cgroup.
func Hierarchies() ([]Hierarchy, error) {
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	if err != nil {
		return nil, fmt.Errorf("list cgroup mounts: %w", err)
	}
	hs := collect(mounts, visible)
	if len(hs) == 0 {
		return nil, ErrNoHierarchy
	}
	for i := range hs {
		if !hs[i].Unified {
			continue
		}
		text, err := os.ReadFile(filepath.Join(hs[i].Dir, "cgroup.controllers"))
		if err != nil {
			return nil, fmt.Errorf("list cgroup v2 controllers: %w", err)
		}
		hs[i].Controllers = strings.Fields(string(text))
	}
	return hs, nil
}

// collect picks one mount of each hierarchy, told apart by its device number.
func collect(mounts []*mountinfo.Info, visible func(*mountinfo.Info) bool) []Hierarchy {
	var hs []Hierarchy
	index := make(map[[2]int]int)
	for _, m := range mounts {
		if m.Root != "/" || !visible(m) {
			continue
		}
		h := Hierarchy{Dir: m.Mountpoint, Unified: m.FSType == "cgroup2"}
		if !h.Unified {
			h.Controllers = controllers(m.VFSOptions)
		}
		dev := [2]int{m.Major, m.Minor}
		i, seen := index[dev]
		switch {
		case !seen:
			index[dev] = len(hs)
			hs = append(hs, h)
		case !standardPlace(hs[i].Dir) && standardPlace(h.Dir):
			hs[i] = h
		}
	}
	return hs
}

func standardPlace(dir string) bool {
	return dir == "/sys/fs/cgroup" || strings.HasPrefix(dir, "/sys/fs/cgroup/")
}

// visible reports whether the mount is what a path lookup of its mount point ends
// at, and is what mountinfo says: a cgroup filesystem.
func visible(m *mountinfo.Info) bool {
	var st unix.Stat_t
	if err := unix.Stat(m.Mountpoint, &st); err != nil {
		return false
	}
	if int(unix.Major(st.Dev)) != m.Major || int(unix.Minor(st.Dev)) != m.Minor {
		return false
	}
	var fs unix.Statfs_t
	if err := unix.Statfs(m.Mountpoint, &fs); err != nil {
		return false
	}
	return isCgroup(&fs)
}

// isCgroup compares the filesystem's magic number (statfs(2), linux/magic.h).
func isCgroup(fs *unix.Statfs_t) bool {
	return fs.Type == unix.CGROUP_SUPER_MAGIC || fs.Type == unix.CGROUP2_SUPER_MAGIC
}

// controllers takes the controllers out of the super options of a v1 mount, which
// also hold the options of cgroup1_show_options (kernel/cgroup/cgroup-v1.c).
func controllers(options string) []string {
	var names []string
	for o := range strings.SplitSeq(options, ",") {
		switch {
		case o == "", o == "rw", o == "ro", o == "none", o == "noprefix", o == "clone_children",
			o == "xattr", o == "cpuset_v2_mode", o == "favordynmods",
			strings.HasPrefix(o, "release_agent="):
		default:
			names = append(names, o)
		}
	}
	return names
}
