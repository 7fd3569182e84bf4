package admission

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// lockByte sets a lock on one byte of a file, F_RDLCK, F_WRLCK or F_UNLCK, and does not wait: free is false while another
// open file description has one against it. The byte need not exist.
func lockByte(fd int, kind int16, at int64) (free bool, err error) {
	for {
		lock := unix.Flock_t{Type: kind, Start: at, Len: 1}
		switch err = unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &lock); {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EACCES):
			return false, nil
		case !errors.Is(err, unix.EINTR):
			return false, fmt.Errorf("cannot be locked: %w", err)
		}
	}
}

// locked reports whether another open file description has any lock on a byte.
func locked(fd int, at int64) (bool, error) {
	lock := unix.Flock_t{Type: unix.F_WRLCK, Start: at, Len: 1}
	if err := unix.FcntlFlock(uintptr(fd), unix.F_OFD_GETLK, &lock); err != nil {
		return false, fmt.Errorf("its locks cannot be read: %w", err)
	}
	return lock.Type != unix.F_UNLCK, nil
}

// unlock ends a lock and closes its file. It does both: a child that is just being started
// has the open file until its execve.
func unlock(fd int, at int64) {
	lockByte(fd, unix.F_UNLCK, at)
	unix.Close(fd)
}
