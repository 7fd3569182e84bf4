// Package hostcheck says whether a host is fit to run tasks: its Docker engine, disk, kernel, cgroups, files and Mesos agent.
//
// It has two halves. What is looked up is a plain value for each subject ([Engine], [Storage], [Record], [Kernel], [NestedLeaves], [Claims],
// [File], [Agents]), and pure functions make lines of it: each is ok, a warning or a failure, with what was found and what to do about it. The
// look-ups are in files for Linux only, one for each subject. They only read: no setting, cgroup or claim is changed, and no
// container is made. The lock on the claim of a dead executor is taken for a moment, as that is how it is known to be dead.
//
// [Look] makes all of them at the same time and gives each a limit of its own, so that it ends within [Limit] whatever hangs: a
// daemon, a disk or /proc. What has not answered by then is a line, too. A look-up that hangs in the kernel goes on in a goroutine of its
// own, for which the caller's process has to end soon.
//
// This room sees others, as supervise does: engine, process, admission, storage and cgroupnet each know how to look, and here it is
// only told what their answers mean to an operator. Nothing of a command line, of an environment or of a file that they name gets into a
// line but the values of the flags that the checks are about, none of which may be a secret, and only those of root's processes.
package hostcheck
