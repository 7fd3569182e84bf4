package agenttls

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// openRegular opens a file for reading after it has seen that it is a regular
// one, and returns its path without symbolic links. O_PATH opens nothing but the
// path itself (open(2)): no device and no FIFO notices.
func openRegular(path string) (*os.File, string, error) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, "", err
	}
	defer unix.Close(fd)
	var stat unix.Stat_t
	if err := unix.Fstat(fd, &stat); err != nil {
		return nil, "", err
	}
	if stat.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, "", errNotRegular
	}
	self := fmt.Sprintf("/proc/self/fd/%d", fd)
	where, err := os.Readlink(self)
	if err != nil {
		return nil, "", err
	}
	if strings.HasSuffix(where, " (deleted)") {
		return nil, "", unix.ENOENT
	}
	file, err := os.Open(self)
	return file, where, err
}
