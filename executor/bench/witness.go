//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// untilReads opens and closes the FIFO that the task opens to read, as soon as it does.
func (id identity) untilReads(ctx context.Context) error {
	path := filepath.Join(id.sandbox, fifo)
	return poll(ctx, "the task to read its FIFO", func() (bool, error) {
		f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0)
		if errors.Is(err, unix.ENXIO) { // no reader yet, fifo(7)
			return false, nil
		}
		if err != nil {
			return false, err
		}
		return true, f.Close()
	})
}

// poll asks every two milliseconds.
func poll(ctx context.Context, what string, done func() (bool, error)) error {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("waited for %s: %w", what, context.Cause(ctx))
		}
	}
}

// gone reports when a process ends: by a pidfd, so that no other process is taken for it once it has one.
func gone(ctx context.Context, pid int) (<-chan time.Time, error) {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil, fmt.Errorf("pidfd of process %d: %w", pid, err)
	}
	ended := make(chan time.Time, 1)
	go func() {
		defer unix.Close(fd)
		for ctx.Err() == nil {
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, err := unix.Poll(fds, 1000) // a look at ctx each second
			if n == 1 {
				ended <- time.Now()
				return
			}
			if err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	return ended, nil
}
