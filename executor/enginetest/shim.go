//go:build linux

package enginetest

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Shim returns the process that supervises a container, by the container's full ID.
func (e *Engine) Shim(dockerID string) (pid int, err error) {
	for _, pid := range e.shims() {
		if isShimOf(pid, dockerID) {
			return pid, nil
		}
	}
	return 0, fmt.Errorf("container %s has no shim", dockerID)
}

// SignalShim signals the shim of a container: SIGSTOP wedges that container, SIGKILL takes its supervisor away.
func (e *Engine) SignalShim(dockerID string, s unix.Signal) error {
	pid, err := e.Shim(dockerID)
	if err != nil {
		return err
	}
	return signalIf(pid, s, func(pid int) bool { return e.isShim(pid) && isShimOf(pid, dockerID) })
}

// shims returns the processes that serve this engine's containerd.
func (e *Engine) shims() []int {
	return slices.DeleteFunc(processes(), func(pid int) bool { return !e.isShim(pid) })
}

func (e *Engine) isShim(pid int) bool {
	line := commandLine(pid)
	return strings.Contains(line, "containerd-shim") && strings.Contains(line, e.containerdSock())
}

func isShimOf(pid int, dockerID string) bool {
	return slices.Contains(strings.Fields(commandLine(pid)), dockerID)
}
