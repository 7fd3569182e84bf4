package process

// Executed reports whether the init process has become the container's own program. Before that it is `runc init`, which
// waits for the container's start (runc, libcontainer/standard_init_linux.go): it runs nothing of the task's, and nothing
// may ever tell it to go on. A dead process has been something, which does not matter any more: true.
//
// It is the kernel's word ([flagForkNoExec]), not a name that a process can give itself, nor its command line, which is in its own memory:
// reading that blocks for as long as the kernel fetches it, from a dead file server for ever.
func (i *Init) Executed() bool {
	st, err := readStat(i.PID)
	if err != nil || st.startTime != i.StartTime || i.over() {
		return i.over()
	}
	return st.flags&(flagForkNoExec|flagExiting) == 0
}

// Ended reports whether the init process is dead, be it a zombie.
func (i *Init) Ended() bool { return i.over() }
