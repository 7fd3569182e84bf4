package agenttls

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/regular"
)

// openRegular opens a regular file for reading and returns its path without
// symbolic links.
func openRegular(path string) (*os.File, string, error) {
	file, err := regular.Open(unix.AT_FDCWD, path, unix.O_RDONLY, nil)
	if errors.Is(err, regular.ErrType) {
		err = errNotRegular
	}
	if err != nil {
		return nil, "", err
	}
	where, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
	if err == nil && strings.HasSuffix(where, " (deleted)") {
		err = unix.ENOENT
	}
	if err != nil {
		file.Close()
		return nil, "", err
	}
	return file, where, nil
}
