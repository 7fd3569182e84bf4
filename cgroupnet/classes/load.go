package classes

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"unicode"
)

// DefaultPath is where classes.yaml is looked for when no flag names another.
const DefaultPath = "/etc/mesos-docker-executor/classes.yaml"

// maxFileSize is the size of classes.yaml in bytes beyond which it is something else: some fifty thousand lines.
const maxFileSize = 2 << 20

// Load reads classes.yaml. path is [DefaultPath] unless a flag named another file (named). A file that is missing at its default path
// means that class IDs are off ([None]); a file that was named must be there, and its path must be absolute, because the
// executor's working folder is the task's sandbox.
//
// Firewalls go by what the file says, so it has to be a regular file of root's that neither group nor others may write to, and not a
// symbolic link. It is opened once, and what was opened is what is checked and read. The folders above are not checked, as those of
// policy.yaml are not: keep them root's too.
//
// The error is an [*Error] naming every problem; the caller starts no task then.
func Load(path string, named bool) (*Registry, error) {
	if err := checkPath(path); err != nil {
		return nil, fileError(path, "the path %v", err)
	}
	data, err := readTrusted(path, maxFileSize)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !named:
		return None(path), nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fileError(path, "does not exist; create it, or leave the flag out for no class IDs")
	case err != nil:
		return nil, fileError(path, "%v", err)
	}
	return Parse(path, data)
}

func fileError(path, format string, args ...any) error {
	e := &Error{Source: path}
	e.add(0, "", format, args...)
	return e
}

// checkPath says what is wrong with an absolute path. It must be in its shortest form, so that it has one spelling.
func checkPath(p string) error {
	switch {
	case p == "":
		return errors.New("is empty; an absolute path is needed")
	case !strings.HasPrefix(p, "/"):
		return fmt.Errorf("%s is not an absolute path", quote(p))
	case strings.ContainsFunc(p, unicode.IsControl):
		return fmt.Errorf("%s contains a control character", quote(p))
	case path.Clean(p) != p:
		return fmt.Errorf("%s is not in its shortest form, which is %s", quote(p), quote(path.Clean(p)))
	}
	return nil
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
	if info.Size() > limit {
		return nil, tooLarge(limit)
	}
	// One byte more than its size, so that it is read in one piece; it may still grow.
	data := make([]byte, 0, info.Size()+1)
	for int64(len(data)) <= limit {
		n, err := file.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if errors.Is(err, io.EOF) {
			return data, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot be read: %w", err)
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
	return nil, tooLarge(limit)
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
