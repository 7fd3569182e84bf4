// Package process sees and ends a container without asking the Docker daemon,
// which may hang, lie or be gone while the container runs on.
//
// What it offers, one idea per file:
//
//   - [Leaf]: the task's cgroup. Finds the container's init process while Docker is
//     still starting it, lists and kills everything in it;
//   - [Init]: the container's init process, held by a pidfd: signals that cannot hit
//     another process, its death and its wait status;
//   - [Memory]: whether the kernel's OOM killer killed in the container;
//   - [Lease]: the symlink through which Docker reaches the sandbox. Without it a
//     create or start that the daemon carries out late fails;
//   - [Stage]: mounts of folders of the sandbox, made without following what a task put there, at
//     paths that the task cannot change, for Docker to mount.
//
// Linux only, as root. Needs Linux 5.3 (pidfd_open); the exact exit status of a
// container whose runtime works as usual needs Linux 6.15 (PIDFD_INFO_EXIT). Without
// the latter the death is seen as well, the status mostly not, and others (the
// shim, Docker) have to be asked.
//
// Blocking: [Leaf.WatchInit] and [Init.Wait] wait until their context ends at the
// latest, [Leaf.Kill] for [KillLimit]; everything else takes a few system calls. File
// operations on cgroups and /proc have no time limit in the kernel.
//
// Concurrency: all methods may be called from any goroutine at any time, also
// [Init.Close] while a Wait goes on. The package starts no goroutine that outlives the call, and keeps no state
// but the file descriptors of an Init and a Memory, which their Close ends.
//
// What survives a crash of the executor: the leaf, the lease and the stage, which are folders,
// a symlink and mounts. The container keeps running unless the agent's launcher owns its leaf.
package process
