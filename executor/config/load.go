package config

import (
	"errors"
	"io/fs"

	"mesos-docker-executor/internal/rootfile"
)

// maxFileSize is the size of config.yaml in bytes beyond which it is something
// else.
const maxFileSize = 64 << 10

// Load reads config.yaml. path is [DefaultPath] unless a flag named another
// file (named). A file that is missing at its default path means [Default]; a
// file that was named must be there, and its path must be absolute, because the
// executor's working folder is the task's sandbox.
//
// The file decides what runs as root on the host, so it has to be a regular
// file of root's that neither group nor others may write to, and not a symbolic
// link. It is opened once, and what was opened is what is checked and read. The
// folders above it are not checked: keep them root's too.
//
// The error is an [*Error] naming every problem; the caller starts no task
// then, and talks to nobody without [Error.Agent].
func Load(path string, named bool) (File, error) {
	if err := checkPath(path); err != nil {
		return File{}, fileError(path, "the path %v", err)
	}
	data, err := rootfile.Read(path, maxFileSize)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return Default(), nil
	case errors.Is(err, fs.ErrNotExist):
		e := fileError(path, "does not exist; create it, or leave the flag --config out for the defaults")
		agent := Default().Agent
		e.Agent = &agent
		return File{}, e
	case err != nil:
		return File{}, fileError(path, "%v", err)
	}
	return Parse(path, data)
}

func fileError(path, format string, args ...any) *Error {
	e := &Error{Source: path}
	e.add("", format, args...)
	return e
}
