package process

import "strings"

// Executed reports whether the init process has become the container's own program. Before that it is `runc init`, which
// waits for the container's start (runc, libcontainer/standard_init_linux.go): it runs nothing of the task's, and nothing
// may ever tell it to go on. A dead process has been something, which does not matter any more: true.
//
// `runc init` names itself "runc:[2:INIT]" (libcontainer/nsenter/nsexec.c), and execve(2) gives the process its program's name. A program
// that gives itself that name fools nobody but itself. The command line would tell as well, but it is in the process's own memory: reading
// it blocks for as long as the kernel fetches that, from a dead file server for ever.
func (i *Init) Executed() bool {
	st, err := readStat(i.PID)
	if err != nil || st.startTime != i.StartTime || i.over() {
		return i.over()
	}
	return !strings.HasPrefix(st.comm, "runc:[")
}

// Ended reports whether the init process is dead, be it a zombie.
func (i *Init) Ended() bool { return i.over() }
