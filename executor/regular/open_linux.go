package regular

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// ErrType says that a file is not a regular one: a folder, device, FIFO or socket.
var ErrType = errors.New("is not a regular file")

// Open opens a regular file for which check finds no error; a nil check finds none. dir is an open folder that a relative
// name is below, or [unix.AT_FDCWD]. flags are those of open(2) less O_CREAT and O_TRUNC; with O_NOFOLLOW a
// name that is a symlink is ELOOP. Anything but a regular file is [ErrType], and has not noticed.
//
// O_PATH opens nothing but the place of the file (open(2)). By way of /proc/self/fd the same file is opened again,
// wherever its name leads meanwhile (proc(5)).
func Open(dir int, name string, flags int, check func(unix.Stat_t) error) (*os.File, error) {
	place, err := unix.Openat(dir, name, unix.O_PATH|unix.O_CLOEXEC|flags&unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(place)
	var st unix.Stat_t
	if err := unix.Fstat(place, &st); err != nil {
		return nil, err
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
	case unix.S_IFLNK:
		return nil, unix.ELOOP
	default:
		return nil, ErrType
	}
	if check != nil {
		if err := check(st); err != nil {
			return nil, err
		}
	}
	fd, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", place), flags&^unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// OneName is a check for [Open]: a hard link can make any file of the file system appear in somebody's folder.
func OneName(st unix.Stat_t) error {
	if st.Nlink != 1 {
		return errors.New("has another name (a hard link); copy it instead")
	}
	return nil
}
