package policyfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// DefaultPath is where policy.yaml is looked for when no flag names another.
const DefaultPath = "/etc/mesos-docker-executor/policy.yaml"

// maxFileSize is the size of policy.yaml in bytes beyond which it is something else: some five thousand lines.
const maxFileSize = 256 << 10

// Load reads policy.yaml. path is [DefaultPath] unless a flag named another file (named). A file that is missing at its default path
// means [BuiltIn]; a file that was named must be there, and its path must be absolute, because the executor's working folder is
// the task's sandbox. now decides which entries of break_glass are in force.
//
// The file decides what may become root on the host, so it has to be a regular file of root's that neither group nor others may
// write to, and not a symbolic link; the same holds for each seccomp profile that it names. Each is opened once, and what was
// opened is what is checked and read. The folders above are not checked, as those of config.yaml are not: keep them root's too.
//
// The error is an [*Error] naming every problem; the caller starts no task then.
func Load(path string, named bool, now time.Time) (*File, error) {
	if err := checkPath(path); err != nil {
		return nil, fileError(path, "the path %v", err)
	}
	data, err := readTrusted(path, maxFileSize)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return BuiltIn(), nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fileError(path,
			"does not exist; create it (`mesos-docker-executor policy default` prints one), or leave the flag out for the built-in policy")
	case err != nil:
		return nil, fileError(path, "%v", err)
	}
	return ParseWith(path, data, now, func(profile string) ([]byte, error) {
		data, err := readTrusted(profile, maxProfileSize)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, errors.New("does not exist; create it, or remove the profile")
		}
		return data, err
	})
}

func fileError(path, format string, args ...any) error {
	e := &Error{Source: path}
	e.add(0, "", format, args...)
	return e
}

// readTrusted returns the content of a file that only root can have written.
func readTrusted(path string, limit int64) ([]byte, error) {
	// O_NONBLOCK: opening a FIFO would wait for a writer. It does nothing to regular files.
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
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, tooLarge(limit)
	}
	return data, nil
}

func tooLarge(limit int64) error {
	return fmt.Errorf("is larger than %d bytes; this is another kind of file", limit)
}

func checkTrust(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("is not a regular file but %s; name a file", info.Mode().Type())
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("its owner cannot be determined on this system")
	}
	foreign, writable := stat.Uid != 0, info.Mode().Perm()&0o022 != 0
	owner := fmt.Sprintf("belongs to user %d, not to root; run `chown root %s`", stat.Uid, path)
	mode := fmt.Sprintf("may be written by its group or others (mode %04o); run `chmod go-w %s`", info.Mode().Perm(), path)
	switch {
	case foreign && writable:
		return errors.New(owner + "; and " + mode)
	case foreign:
		return errors.New(owner)
	case writable:
		return errors.New(mode)
	}
	return nil
}
