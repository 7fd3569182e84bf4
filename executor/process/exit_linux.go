package process

import (
	"errors"
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
	Source string // who told: SourcePidfd, SourceZombie, or empty
}

// reapLimit is how long [Init.Wait] waits for the parent of a dead process to reap
// it, which is when the kernel tells its status through the pidfd. The shim reaps at once
// (within 10 ms on a loaded machine) unless it is stopped or wedged.
const reapLimit = 5 * time.Second

// status finds the status of a process that is dead.
func (i *Init) status(poller *os.File, conn syscall.RawConn) Exit {
	zombie, seen := i.zombieStatus() // now: it will be gone soon

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

// zombieStatus reads the status of the dead process from /proc while it is not
// reaped. The start time tells it from a new process of the same id.
func (i *Init) zombieStatus() (unix.WaitStatus, bool) {
	st, err := readStat(i.PID)
	if err != nil || st.startTime != i.StartTime || st.state != "Z" {
		return 0, false
	}
	return unix.WaitStatus(st.exitCode), true
}

// pidfdStatus asks the kernel. known is false as long as the process is not reaped:
// then the answer's mask lacks PIDFD_INFO_EXIT. supported is false on kernels
// without that flag (before 6.15: the mask lacks it for ever, but there a reaped process
// gives ESRCH) or without the ioctl (before 6.13: ENOTTY or EINVAL).
func pidfdStatus(fd int) (status unix.WaitStatus, known, supported bool) {
	info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
	err := unix.IoctlPidfdInfo(fd, &info)
	for errors.Is(err, unix.EINTR) {
		err = unix.IoctlPidfdInfo(fd, &info)
	}
	if err != nil {
		return 0, false, false
	}
	if info.Mask&unix.PIDFD_INFO_EXIT == 0 {
		return 0, false, true
	}
	return unix.WaitStatus(info.Exit_code), true, true
}
