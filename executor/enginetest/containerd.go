//go:build linux

package enginetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// errNoContainerd says that dockerd has not started its containerd yet, or not again.
var errNoContainerd = errors.New("containerd of the private engine does not run")

// ContainerdPID returns the process of the engine's containerd. dockerd starts another one, with another number, when it ends.
func (e *Engine) ContainerdPID() (int, error) {
	text, err := os.ReadFile(e.containerdPID())
	if errors.Is(err, os.ErrNotExist) {
		return 0, errNoContainerd
	}
	if err != nil {
		return 0, err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, errNoContainerd // it is being written
	}
	if !e.isContainerd(pid) {
		return 0, errNoContainerd
	}
	return pid, nil
}

// isContainerd is false for a process that has ended, since that has no command line.
func (e *Engine) isContainerd(pid int) bool {
	line := commandLine(pid)
	return strings.Contains(line, e.execRoot()) && !strings.Contains(line, "containerd-shim")
}

// FreezeContainerd stops containerd with SIGSTOP: dockerd answers ping and create, and hangs in info, start and kill.
func (e *Engine) FreezeContainerd() error { return e.signalContainerd(unix.SIGSTOP) }

// ThawContainerd lets a frozen containerd go on.
func (e *Engine) ThawContainerd() error { return e.signalContainerd(unix.SIGCONT) }

// KillContainerd ends containerd with SIGKILL and returns once it is gone; the containers run on. dockerd starts another one,
// for which [Engine.AwaitContainerd] waits.
func (e *Engine) KillContainerd() error {
	pid, err := e.ContainerdPID()
	if err != nil {
		return err
	}
	if err := e.signalContainerd(unix.SIGKILL); err != nil {
		return err
	}
	// A frozen dockerd does not reap it: a zombie has no command line, so that counts as gone.
	if !poll(sweepLimit, func() bool { return !e.isContainerd(pid) }) {
		return fmt.Errorf("containerd (pid %d) of the private engine survived SIGKILL", pid)
	}
	return nil
}

// AwaitContainerd returns the process of a containerd that is not the one with the number old, once there is one.
func (e *Engine) AwaitContainerd(ctx context.Context, old int) (int, error) {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		if pid, err := e.ContainerdPID(); err == nil && pid != old {
			return pid, nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return 0, fmt.Errorf("%w: %w", errNoContainerd, ctx.Err())
		}
	}
}

func (e *Engine) signalContainerd(s unix.Signal) error {
	pid, err := e.ContainerdPID()
	if err != nil {
		return err
	}
	return signalIf(pid, s, e.isContainerd)
}

// signalIf signals a process that is the one that is meant. The check and the signal are about the same process: a pidfd
// never refers to another one that got the same number.
func signalIf(pid int, s unix.Signal, meant func(pid int) bool) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return fmt.Errorf("open process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	if !meant(pid) {
		return fmt.Errorf("signal process %d: it is not one of the private engine: %w", pid, unix.ESRCH)
	}
	if err := unix.PidfdSendSignal(fd, s, nil, 0); err != nil {
		return fmt.Errorf("signal process %d: %w", pid, err)
	}
	return nil
}
