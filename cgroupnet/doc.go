// Package cgroupnet decides where the cgroup of a task lives, makes it, gives it the
// network class of its team, and removes it again.
//
// Each task gets a leaf: a cgroup of its own, of the same path in every
// hierarchy, that is handed to Docker as CgroupParent. Docker's own cgroup for the
// container is a child of the leaf. So the network class that the leaf has by then is
// inherited before the container's first packet, the container's processes are
// found without asking the Docker daemon, and no two tasks share a cgroup that one of
// them might be killed by.
//
// The order of calls in the life of a task: [Probe] and [Support.Driver] say whether
// the host can give classes at all, [Place] and [Prepare] make the leaf,
// [Driver].Assign gives it the class, and only then is the container started.
// [Driver].Verify makes sure that its processes have the class, and [Driver].Watch, in
// a goroutine of its own for as long as the task runs, that nothing takes it away.
// [Remove] ends it. [ListTagged] shows what a host has, without the Docker daemon, and a
// [Search] finds empty cgroups that nobody has removed.
//
// The only driver is that of net_cls, a controller of cgroup v1. A class is written to
// the leaf and, when it was lost, to cgroups below it: never to a cgroup that the
// executor is in, so that the executor's own packets have no class. One that something
// else has given to a new leaf is never replaced. Nothing here mounts a hierarchy:
// several executors would do it at once, and one in a mount namespace of its own would
// do it for itself.
//
// [Place] is a pure function. [Probe], [Hierarchies] and [SelfFreezer] read /proc.
// [Prepare] and [Remove] make and remove folders; [Remove] may block, for
// [RemoveLimit] at most. Assign is a few system calls, and so is Verify, unless a
// process is not where it should be: then it looks again for as long as it is told to.
// A Watch waits for the kernel and costs nothing until a class changes or a leaf beside
// it is removed; without inotify it looks every [LookEvery]. Nothing is kept in memory:
// what survives a crash are the folders with their classes, which any later process
// may remove with the same [Placement]. All functions may be called from any goroutine;
// several executors of a host may prepare and remove leaves below the same root at the
// same time.
//
// No folder is touched that is not on a cgroup filesystem: an empty mount point
// such as /sys/fs/cgroup/net_cls on a host that never mounted it takes plain folders
// and files without any error, and limits nothing.
//
// The package takes plain values and knows nothing of tasks, agents or the
// executor. Which class a task has is decided by its sub-package classes.
package cgroupnet
