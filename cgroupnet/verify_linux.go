package cgroupnet

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"
	"time"

	"github.com/containerd/cgroups/v3"
	"golang.org/x/sys/unix"
)

// settlePause is between two looks at a process that is not, or not yet, where it should be.
const settlePause = 5 * time.Millisecond

func (d netCLS) Verify(leaf Placement, class uint32, settle time.Duration, pids ...int) error {
	if err := d.verify(leaf, class, settle, pids); err != nil {
		return fmt.Errorf("verify the network class: %w", err)
	}
	return nil
}

func (d netCLS) verify(leaf Placement, class uint32, settle time.Duration, pids []int) error {
	for _, pid := range pids {
		if pid <= 0 {
			return fmt.Errorf("%d is no process: an ended container has pid 0, which the kernel takes for the caller", pid)
		}
	}
	root, err := d.open(leaf, class)
	if err != nil {
		return err
	}
	defer root.Close()
	deadline := time.Now().Add(settle)
	for _, pid := range pids {
		for {
			err := verifyOne(root, leaf.Path, class, pid)
			if err == nil {
				break
			}
			if !time.Now().Before(deadline) {
				return err
			}
			time.Sleep(settlePause)
		}
	}
	return nil
}

func verifyOne(root *os.Root, leaf string, class uint32, pid int) error {
	groups, err := cgroupsOf(pid)
	if err != nil || groups == nil {
		return err
	}
	own := groups["net_cls"]
	found, classErr := classOf(root, own)
	if classErr == nil && inside(own, leaf) && found == class {
		return nil
	}
	again, err := cgroupsOf(pid)
	switch {
	case err != nil || again == nil:
		return err
	case !maps.Equal(groups, again):
		return fmt.Errorf("process %d goes from one cgroup to another", pid)
	case !anyInside(groups, leaf):
		return nil // the number is another process's by now
	case classErr != nil:
		return fmt.Errorf("process %d: class of its net_cls cgroup %s: %w", pid, own, classErr)
	}
	return &MisplacedError{PID: pid, Cgroup: own, Leaf: leaf, Found: found, Want: class}
}

// cgroupsOf returns the cgroups of a process by controller, that of cgroup v2 under the name "". It is nil of a process that has
// ended or is about to: /proc/PID/cgroup puts such a one into the root cgroups of v1, while that of v2 stays (kernel/cgroup/cgroup.c,
// proc_cgroup_show).
func cgroupsOf(pid int) (map[string]string, error) {
	groups, unified, err := cgroups.ParseCgroupFileUnified(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err == nil {
		var ended bool
		if ended, err = hasEnded(pid); err == nil && ended {
			return nil, nil
		}
	}
	switch {
	case gone(err), errors.Is(err, unix.ESRCH):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("cgroups of process %d: %w", pid, err)
	}
	groups[""] = unified
	return groups, nil
}

// hasEnded reads state and flags of a process, the third and the ninth field of /proc/PID/stat (proc_pid_stat(5)). It has ended when
// it is a zombie (Z), dead (X), or has PF_EXITING, 0x4 (include/linux/sched.h), which comes before either.
func hasEnded(pid int) (bool, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false, err
	}
	_, rest, _ := bytes.Cut(stat[bytes.LastIndexByte(stat, ')')+1:], []byte(" ")) // the second field is its name, in parentheses
	fields := bytes.Fields(rest)
	if len(fields) < 7 {
		return false, fmt.Errorf("/proc/%d/stat has %q", pid, stat)
	}
	flags, err := strconv.ParseUint(string(fields[6]), 10, 64)
	return fields[0][0] == 'Z' || fields[0][0] == 'X' || flags&0x4 != 0, err
}

func anyInside(groups map[string]string, leaf string) bool {
	for _, group := range groups {
		if inside(group, leaf) {
			return true
		}
	}
	return false
}
