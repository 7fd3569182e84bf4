// Package process sees and ends a container without asking the Docker daemon,
// which may hang, lie or be gone while the container runs on.
//
// What it offers, one idea per file:
//
//   - [Leaf]: the task's cgroup. Finds the container's init process while Docker is
//     still starting it, also one in the host's PID namespace, lists and kills everything in it;
//   - [Init]: the container's init process, held by a pidfd: signals that cannot hit
//     another process, its death and its wait status;
//   - [Shim]: the containerd shim, parent of the init process: its account of the exit, which it gives when
//     both daemons hang, and its end when it hangs itself;
//   - [Rights]: what the init process may do, read from /proc, and whether that is more than was decided;
//   - [Memory]: whether the kernel's OOM killer killed in the container, also after its cgroup is gone;
//   - [Lease]: the symlink through which Docker reaches the sandbox. Without it a
//     create or start that the daemon carries out late fails;
//   - [Stage]: mounts of folders of the sandbox and of paths of the host, made without following what a task put there, at
//     paths that the task cannot change, for Docker to mount;
//   - [CheckCapabilities]: whether a container of this host can have them at all;
//   - [HostPath]: such a path, opened so that neither a symlink nor another mount leads it where it must not;
//   - [Claim]: the locked file that says which executor a container belongs to, and what of it may be on the host.
//
// Who knows the exit status, and when:
//
//   - the kernel, by [Init.Wait], as soon as the init process is reaped, whoever does that
//     (PIDFD_INFO_EXIT). It proves every status;
//   - the shim, by [Shim.Wait], some milliseconds after it reaped the process, on any kernel.
//     Of a signal and of an exit with 128 and its number it tells the same;
//   - /proc, by [Init.Zombie], at once and until the process is reaped. It proves every
//     status but 0.
//
// A shim that works makes the first two come within 10 ms of the death, [Init.Dead]. When
// they do not come the shim is stopped or wedged: then there is the zombie, and after
// [Shim.Kill] the kernel tells as soon as the next parent reaps it. That is process 1
// or a subreaper above the shim: systemd does it at once, others when they look. When the
// shim died first, the same parent reaps the process, and the kernel alone knows:
// containerd records 137.
//
// Linux only, as root. Needs Linux 5.3 (pidfd_open); the exact exit status of a
// container whose shim died needs Linux 6.15 (PIDFD_INFO_EXIT, see [StatusByPidfd]). Without
// the latter the death is seen as well, and the shim or Docker have to be asked for the status.
//
// A process id that the kernel gave to another process hits nobody. Signals go by pidfd, which
// means one process for ever. A pidfd is opened by the id, and then the id is looked up a
// second time where it came from: in the leaf's cgroup ([Init], [Leaf.Kill]) or as the
// init's ancestor ([Shim]). As the pidfd's process is alive after that, nobody else had the
// id in between, and the one in the cgroup, or the ancestor, is the one of the pidfd. What is read
// from /proc by the id counts only with the same start time.
//
// Blocking: [Leaf.WatchInit], [Leaf.WatchHostInit], [Init.Wait] and [Shim.Wait] wait until their context ends at the
// latest, [Leaf.Kill] for [KillLimit]; everything else takes a few system calls. File
// operations on cgroups and /proc have no time limit in the kernel. Those of [NewStage] on paths of the host block as long as their file
// system does not answer.
//
// Concurrency: all methods may be called from any goroutine at any time, also
// [Init.Close] while a Wait goes on. The package keeps no state but the file descriptors of an
// Init, a Shim, a Memory and a Claim, and starts no goroutine that outlives the call but that
// of a Memory; their Close (a claim's Release) ends them.
//
// What survives a crash of the executor: the leaf, the lease and the stage, which are folders,
// a symlink and mounts. The container keeps running unless the agent's launcher owns its leaf.
package process
