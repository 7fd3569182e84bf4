package main

import (
	"fmt"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/task"
)

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
