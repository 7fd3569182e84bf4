package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// logName is our own log in the sandbox, beside the task's stdout and stderr.
const logName = "mesos-docker-executor.log"

// openLog opens our log in the sandbox. With an error comes a logger that drops everything: a task must not start in a
// sandbox that cannot be written.
//
// The sandbox belongs to the task's user, and its fetched files are there already: a symbolic link is not followed, and a
// FIFO or device not opened for writing.
func (s start) openLog() (*slog.Logger, func(), error) {
	path := filepath.Join(s.sandbox, logName)
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o644)
	if err == nil {
		var info os.FileInfo
		if info, err = f.Stat(); err == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%s is not a regular file", path)
		}
		if err != nil {
			f.Close()
		}
	}
	if err != nil {
		discard := slog.New(slog.NewTextHandler(io.Discard, nil))
		return discard, func() {}, fmt.Errorf("the log cannot be written: %w; free or mend the sandbox", err)
	}
	log := slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: s.file.LogLevel}))
	return log, func() { f.Close() }, nil
}
