//go:build linux

package enginetest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// sweep deletes what outlives dockerd: containers and their shims (by design they survive it), mounts
// below the engine's folder, cgroups, the shims' sockets, and at last the folder itself.
func (e *Engine) sweep() error {
	e.rememberShimSockets()
	ids := e.containerIDs()
	// Each step even if an earlier one failed, so that as little as possible stays.
	return errors.Join(
		e.endShims(),
		e.unmount(),
		e.removeCgroups(ids),
		e.removeShimSockets(),
		os.RemoveAll(e.Dir),
	)
}

// rememberShimSockets notes the sockets of the present shims. containerd's shims listen in the
// folder /run/containerd/s of the whole host; the bundle's file "address" says where.
func (e *Engine) rememberShimSockets() {
	pattern := filepath.Join(e.execRoot(), "containerd/daemon/io.containerd.runtime.v2.task/*/*/address")
	files, _ := filepath.Glob(pattern) // the pattern is well-formed
	for _, file := range files {
		address, err := os.ReadFile(file)
		if path, ok := strings.CutPrefix(strings.TrimSpace(string(address)), "unix://"); err == nil && ok {
			e.shimSockets[path] = true
		}
	}
}

func (e *Engine) removeShimSockets() error {
	var errs []error
	for path := range e.shimSockets {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// containerIDs lists the containers that the daemon has not removed.
func (e *Engine) containerIDs() []string {
	entries, _ := os.ReadDir(filepath.Join(e.Dir, "data", "containers"))
	var ids []string
	for _, entry := range entries {
		ids = append(ids, entry.Name())
	}
	return ids
}

// endShims kills the shims of this engine's containerd with everything below them, until none is left.
func (e *Engine) endShims() error {
	var left []int
	gone := poll(sweepLimit, func() bool {
		left = e.shims()
		for _, shim := range left {
			for _, pid := range descendants(shim) {
				kill(pid)
			}
			kill(shim)
		}
		return len(left) == 0
	})
	if !gone {
		return fmt.Errorf("shims %v of the private engine cannot be killed", left)
	}
	return nil
}

// descendants returns the children of a process, their children and so on.
func descendants(root int) []int {
	parents := map[int]int{}
	for _, pid := range processes() {
		parents[pid] = parentOf(pid)
	}
	var found []int
	for pid := range parents {
		for up := parents[pid]; up > 1; up = parents[up] {
			if up == root {
				found = append(found, pid)
				break
			}
		}
	}
	return found
}

// unmount detaches all mounts below the engine's folder, the last ones first.
func (e *Engine) unmount() error {
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(e.Dir))
	if err != nil {
		return fmt.Errorf("list mounts: %w", err)
	}
	slices.Reverse(mounts)
	var errs []error
	for _, m := range mounts {
		if err := unix.Unmount(m.Mountpoint, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && err != unix.EINVAL {
			errs = append(errs, fmt.Errorf("unmount %s: %w", m.Mountpoint, err))
		}
	}
	return errors.Join(errs...)
}

// removeCgroups removes the engine's cgroup parent and, wherever they are, the cgroups of containers
// that the daemon did not remove: a container's cgroup is a folder named after its ID.
func (e *Engine) removeCgroups(ids []string) error {
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	if err != nil {
		return fmt.Errorf("list cgroup hierarchies: %w", err)
	}
	var errs []error
	for _, m := range mounts {
		var ours []string
		own := filepath.Join(m.Mountpoint, e.cgroupParent)
		_ = filepath.WalkDir(m.Mountpoint, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil || !d.IsDir():
				return nil // it ended while we looked
			case path == own || strings.HasPrefix(path, own+"/") || ofContainer(path, ids):
				ours = append(ours, path)
			}
			return nil
		})
		slices.Reverse(ours) // children before parents
		for _, path := range ours {
			if ofContainer(path, ids) {
				endMembers(path)
			}
			errs = append(errs, removeCgroup(path))
		}
	}
	return errors.Join(errs...)
}

func ofContainer(path string, ids []string) bool {
	return slices.ContainsFunc(ids, func(id string) bool { return strings.Contains(path, id) })
}

// endMembers kills what is still in a cgroup: the processes of a container whose shim was killed while nobody watched.
func endMembers(path string) {
	poll(sweepLimit, func() bool { // removeCgroup reports what cannot be killed
		text, _ := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil && pid > 1 {
				kill(pid)
			}
		}
		return len(text) == 0
	})
}

// removeCgroup removes one cgroup; EBUSY while the kernel still buries its last process is waited out.
func removeCgroup(path string) error {
	var err error
	if poll(sweepLimit, func() bool {
		err = unix.Rmdir(path)
		return err == nil || err == unix.ENOENT
	}) {
		return nil
	}
	return fmt.Errorf("remove cgroup %s: %w", path, err)
}

// processes returns the IDs of all processes.
func processes() []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}

// commandLine returns a process's arguments, or "" when it is gone.
func commandLine(pid int) string {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	return string(bytes.ReplaceAll(bytes.TrimRight(text, "\x00"), []byte{0}, []byte{' '}))
}

// parentOf returns a process's parent, or 0 when it is gone (field 4 of /proc/PID/stat, proc(5)).
func parentOf(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	// The name in field 2 may hold blanks and parentheses: go on after the last one.
	rest := string(text[bytes.LastIndexByte(text, ')')+1:])
	if fields := strings.Fields(rest); len(fields) > 1 {
		parent, _ := strconv.Atoi(fields[1])
		return parent
	}
	return 0
}

// poll asks every few milliseconds until the condition holds; false when limit is over first.
func poll(limit time.Duration, condition func() bool) bool {
	end := time.Now().Add(limit)
	for !condition() {
		if time.Now().After(end) {
			return false
		}
		time.Sleep(pollEvery)
	}
	return true
}
