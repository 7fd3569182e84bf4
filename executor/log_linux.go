package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/regular"
)

// logName is our own log in the sandbox, beside the task's stdout and stderr.
const logName = "mesos-docker-executor.log"

// openLog opens our log in the sandbox. With an error comes a logger that drops everything: a task must not start in a
// sandbox that cannot be written.
func (s start) openLog() (*slog.Logger, func(), error) {
	f, err := openLogFile(filepath.Join(s.sandbox, logName))
	if err != nil {
		discard := slog.New(slog.NewTextHandler(io.Discard, nil))
		return discard, func() {}, fmt.Errorf("the log cannot be written: %w; free or mend the sandbox", err)
	}
	queue := newLogWriter(f)
	log := slog.New(slog.NewTextHandler(queue, &slog.HandlerOptions{Level: s.file.LogLevel}))
	return log, func() {
		if queue.close() { // else the file is being written to, and goes with the process
			f.Close()
		}
	}, nil
}

// openLogFile makes the log, or appends to the one of a process before. The sandbox belongs to the task's user, and its
// fetched files are there already: what is no regular file or has another name is not opened.
func openLogFile(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o644)
	if !errors.Is(err, fs.ErrExist) {
		return f, err
	}
	f, err = regular.Open(unix.AT_FDCWD, path, unix.O_WRONLY|unix.O_APPEND|unix.O_NOFOLLOW, regular.OneName)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}
