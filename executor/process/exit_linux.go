package process

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// The sources of an exit status.
const (
	// SourcePidfd is the ioctl PIDFD_GET_INFO with PIDFD_INFO_EXIT: the status that
	// the process's parent got, for anyone with a pidfd. Linux 6.15.
	SourcePidfd = "PIDFD_INFO_EXIT"

	// SourceShim is the answer of the containerd shim, the process's parent, to Wait of its task service.
	SourceShim = "containerd shim"

	// SourceZombie is field 52 of /proc/<pid>/stat (proc_pid_stat(5)), of a process
	// that is dead and not reaped yet. It may be that of the first thread
	// instead of the process's, when that thread ended by itself before the others: no
	// proof of a status 0.
	SourceZombie = "/proc zombie entry"
)

// Exit is the end of a process.
type Exit struct {
	Status unix.WaitStatus // as wait(2) gives it; valid when Known
	Known  bool
	Source string // who told: SourcePidfd, SourceShim, SourceZombie, or empty
}

// Code is the status as shells and Docker count it, 0..255: 128 and the signal's number for a
// process that a signal ended. It is all that the shim knows (containerd, go-runc): from
// [SourceShim] a process that exits with 137 by itself and one that SIGKILL ended are the same, and
// Status says of both that they exited with 137.
func (e Exit) Code() int {
	if e.Status.Signaled() {
		return 128 + int(e.Status.Signal())
	}
	return e.Status.ExitStatus()
}

// reapLimit is how long [Init.Wait] waits for the parent of a dead process to reap
// it, which is when the kernel tells its status through the pidfd. The shim reaps at once
// (within 10 ms on a loaded machine) unless it is stopped or wedged.
const reapLimit = 5 * time.Second

// status finds the status of a process that is dead.
func (i *Init) status(poller *os.File, conn syscall.RawConn) Exit {
	zombie, seen := i.Zombie() // now: it will be gone soon

	var exit Exit
	supported := true
	_ = poller.SetReadDeadline(time.Now().Add(reapLimit))
	// Reaping wakes a poll of the pidfd once more, now with POLLHUP. An error is
	// the deadline.
	_ = conn.Read(func(fd uintptr) bool {
		exit.Status, exit.Known, supported = pidfdStatus(int(fd))
		return exit.Known || !supported
	})
	switch {
	case exit.Known:
		exit.Source = SourcePidfd
	case seen:
		exit.Status, exit.Known, exit.Source = zombie, true, SourceZombie
	}
	return exit
}

// Zombie reads the status of the dead process from /proc as long as nobody has reaped it, at once;
// ok is false when there is nothing (more) to read. See [SourceZombie] for what it proves. The
// start time tells the process from a new one of the same id.
func (i *Init) Zombie() (status unix.WaitStatus, ok bool) {
	st, err := readStat(i.PID)
	if err != nil || st.startTime != i.StartTime || st.state != "Z" {
		return 0, false
	}
	return unix.WaitStatus(st.exitCode), true
}
