package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
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
	data, err := readTrusted(path)
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

// readTrusted returns the content of a file that only root can have written.
func readTrusted(path string) (data []byte, err error) {
	// O_NONBLOCK: opening a FIFO would wait for a writer. It does nothing to
	// regular files.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, errors.New("is a symbolic link; name the file itself")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot be opened: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot be examined: %w", err)
	}
	if err := checkTrust(path, info); err != nil {
		return nil, err
	}
	data, err = io.ReadAll(io.LimitReader(file, maxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if len(data) > maxFileSize {
		return nil, fmt.Errorf("is larger than %d bytes; this is no config.yaml", maxFileSize)
	}
	return data, nil
}

func checkTrust(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("is not a regular file but %s; name a file", info.Mode().Type())
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("its owner cannot be determined on this system")
	}
	var wrong []error
	if stat.Uid != 0 {
		wrong = append(wrong, fmt.Errorf("belongs to user %d, not to root; run `chown root %s`", stat.Uid, path))
	}
	if info.Mode().Perm()&0o022 != 0 {
		wrong = append(wrong, fmt.Errorf("may be written by its group or others (mode %04o); run `chmod go-w %s`", info.Mode().Perm(), path))
	}
	if len(wrong) > 0 {
		return oneLine(wrong)
	}
	return nil
}
