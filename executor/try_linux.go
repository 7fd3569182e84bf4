package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/task"
)

// removeSources removes what the run directory holds for the container's mounts: the lease of the sandbox, a symbolic link,
// and the mount point below which volumes are staged.
func removeSources(runDir, containerID string) error {
	var failed error
	for _, folder := range []string{"leases", "mounts"} {
		left, err := filepath.Glob(filepath.Join(runDir, folder, containerID+".*"))
		failed = errors.Join(failed, err)
		for _, path := range left {
			// EINVAL: not mounted.
			err := unix.Unmount(path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
			if err == nil || errors.Is(err, unix.EINVAL) {
				err = os.Remove(path)
			}
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				failed = errors.Join(failed, fmt.Errorf("release %s: %w", path, err))
			}
		}
	}
	return failed
}

// removeLeaf removes the task's leaf cgroup after an executor that was killed. In custom mode the leaf is below the
// executor's own cgroup, which the agent removes as a whole.
func removeLeaf(mode task.Mode, root, containerID string) error {
	groups, err := cgroupnet.Hierarchies()
	if err != nil {
		return err
	}
	placement, err := cgroupnet.Place(cgroupnet.PlaceInput{
		Root: root, ContainerID: containerID, CgroupDriver: "cgroupfs", Custom: mode == task.Custom,
	})
	if err != nil {
		return err
	}
	if err := cgroupnet.Remove(groups, placement); err != nil {
		return fmt.Errorf("remove the leaf cgroup: %w", err)
	}
	return nil
}
