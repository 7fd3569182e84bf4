package process

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// EndShims ends the shims of a container that the engine has removed: containerd forgets a shim when it dies, or its dockerd does, over
// the start of the container, and then nothing ever ends it. It returns how many there were. As long as the
// engine knows the container its shim is not ours to end.
//
// A shim is known by its program and by -id with the container's id on its command line ([Init.Shim]). It is signalled by a pidfd that
// was opened before that was looked at for the second time, so the signal reaches no other process. All processes of the host are looked through.
func EndShims(dockerID string) (ended int, err error) {
	if _, err := childNames(dockerID); err != nil {
		return 0, fmt.Errorf("end the container's shim: %w", err)
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, fmt.Errorf("end the container's shim: %w", err)
	}
	var errs []error
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || !isShim(pid, dockerID) {
			continue
		}
		switch err := endShim(pid, dockerID); {
		case err == nil:
			ended++
		case !errors.Is(err, os.ErrProcessDone):
			errs = append(errs, fmt.Errorf("end the container's shim, process %d: %w", pid, err))
		}
	}
	return ended, errors.Join(errs...)
}

func endShim(pid int, dockerID string) error {
	pidfd, err := openPidfd(pid)
	if err != nil {
		return err
	}
	if pidfd == nil {
		return os.ErrProcessDone
	}
	defer pidfd.Close()
	if !isShim(pid, dockerID) {
		return os.ErrProcessDone
	}
	return sendSignal(pidfd, unix.SIGKILL)
}
