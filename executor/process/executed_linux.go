package process

import (
	"bytes"
	"os"
)

// Executed reports whether the init process has become the container's own program. Before that it is `runc init`, which
// waits for the container's start (runc, libcontainer/standard_init_linux.go): it runs nothing of the task's, and nothing
// may ever tell it to go on. A dead process has been something, which does not matter any more: true.
func (i *Init) Executed() bool {
	text, err := os.ReadFile(procFile(i.PID, "cmdline"))
	if err != nil || i.over() {
		return i.over()
	}
	if len(text) == 0 {
		return false // it is dying, and has given its memory back already: it may have been either
	}
	// A program that gives itself this name fools nobody but itself.
	words := bytes.Split(text, []byte{0})
	return len(words) < 2 || string(words[1]) != "init" || !bytes.HasSuffix(words[0], []byte("runc"))
}

// Ended reports whether the init process is dead, be it a zombie.
func (i *Init) Ended() bool { return i.over() }
