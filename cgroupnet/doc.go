// Package cgroupnet decides where the cgroup of a task lives, makes it and
// removes it again.
//
// Each task gets a leaf: a cgroup of its own, of the same path in every
// hierarchy, that is handed to Docker as CgroupParent. Docker's own cgroup for the
// container is a child of the leaf. So a network class given to the leaf is
// inherited before the container's first packet, the container's processes are
// found without asking the Docker daemon, and no two tasks share a cgroup that one of
// them might be killed by. Network class IDs are not written yet; the class is only
// part of the leaf's path.
//
// [Place] is a pure function. [Hierarchies] and [SelfFreezer] read /proc.
// [Prepare] and [Remove] make and remove folders; [Remove] may block, for
// [RemoveLimit] at most. Nothing is kept in memory:
// what survives a crash are the folders, which any later process may remove with the
// same [Placement]. All functions may be called from any goroutine; several
// executors of a host may prepare and remove leaves below the same root at the same
// time.
//
// No folder is touched that is not on a cgroup filesystem: an empty mount point
// such as /sys/fs/cgroup/net_cls on a host that never mounted it takes plain folders
// and files without any error, and limits nothing.
//
// The package takes plain values and knows nothing of tasks, agents or the
// executor.
package cgroupnet
