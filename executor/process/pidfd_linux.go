package process

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// openPidfd opens the pidfd of a process; nil when there is none of that id.
func openPidfd(pid int) (*os.File, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	switch {
	case errors.Is(err, unix.ESRCH), errors.Is(err, unix.EINVAL): // EINVAL: no longer a thread-group leader
		return nil, nil
	case errors.Is(err, unix.ENOSYS):
		return nil, fmt.Errorf("pidfd_open: %w; Linux 5.3 is needed", err)
	case err != nil:
		return nil, fmt.Errorf("pidfd_open: %w", err)
	}
	// Without O_NONBLOCK os.File would not wait in the runtime's poller.
	if err := unix.SetNonblock(fd, true); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("pidfd of process %d: %w", pid, err)
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

// control calls f with the pidfd, which no Close takes away meanwhile.
func control(pidfd *os.File, f func(fd int) error) error {
	conn, err := pidfd.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = f(int(fd)) }); err != nil {
		return os.ErrClosed // the only reason that Control has
	}
	return failed
}

// sendSignal sends the signal. The error is os.ErrProcessDone when the process is gone, os.ErrClosed
// after Close.
func sendSignal(pidfd *os.File, sig unix.Signal) error {
	err := control(pidfd, func(fd int) error { return unix.PidfdSendSignal(fd, sig, nil, 0) })
	if errors.Is(err, unix.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// exited reports whether the pidfd's process is dead: all its threads, not just the
// first (pidfd_open(2): readable when the process terminates). A failed poll is
// taken for "not yet"; it will be asked again.
func exited(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	n, err := unix.Poll(fds, 0)
	return err == nil && n == 1 && fds[0].Revents&unix.POLLIN != 0
}

// isOver reports whether the pidfd's process is dead, or the pidfd closed.
func isOver(pidfd *os.File) bool {
	dead := false
	err := control(pidfd, func(fd int) error { dead = exited(fd); return nil })
	return dead || err != nil
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

// StatusByPidfd reports whether this kernel tells the status of a reaped process through its pidfd
// (PIDFD_INFO_EXIT, Linux 6.15), so that [Init.Wait] needs nobody else's word. It tries: with a thread of
// its own that ends, as no flag of a live process shows it. That takes less than a millisecond; ask once.
func StatusByPidfd() bool {
	fd := -1
	onPassingThread(func() {
		var err error
		if fd, err = unix.PidfdOpen(unix.Gettid(), unix.PIDFD_THREAD); err != nil { // Linux 6.9
			fd = -1
		}
	})
	if fd < 0 {
		return false
	}
	defer unix.Close(fd)
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLHUP}}
	const limit = 1000 // milliseconds
	for {
		n, err := unix.Poll(fds, limit)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil || n != 1 {
			return false
		}
		_, known, _ := pidfdStatus(fd)
		return known
	}
}

// onPassingThread runs f on a thread that ends soon after.
func onPassingThread(f func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlock: the thread ends with the goroutine
		if unix.Gettid() == unix.Getpid() {
			// The process's first thread never ends. While it is held here, the next
			// goroutine has another one.
			onPassingThread(f)
			runtime.UnlockOSThread()
			return
		}
		f()
	}()
	<-done
}
