package imageuse

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	version     = "1"
	versionFile = "version"
	unanswered  = "unanswered" // the time of a removal that the engine did not finish
	begun       = "begun"      // a clean-up, whose goal is not reached
)

// ErrVersion says that another version of this program keeps the record, in a form that this one does not know.
var ErrVersion = errors.New("another version of this program keeps the record")

// Folder is the open record. [Open] makes it.
type Folder struct {
	fd   int
	path string
}

// Open opens the record, and makes it if there is none. The parents of path are the operator's affair; it has to be absolute. Another
// version is [ErrVersion].
func Open(path string) (*Folder, error) {
	f, err := open(path)
	if err != nil {
		return nil, fmt.Errorf("record of image use: %w", err)
	}
	return f, nil
}

func open(path string) (*Folder, error) {
	if !filepath.IsAbs(path) {
		return nil, fmt.Errorf("folder %q is not an absolute path", path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	if err := os.Mkdir(path, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	f, err := openFolder(path)
	if err != nil {
		return nil, err
	}
	err = f.checkVersion()
	if errors.Is(err, fs.ErrNotExist) {
		if err = f.writeVersion(); err == nil {
			err = f.checkVersion() // somebody else's may have been there first
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// openFolder refuses a folder in which others than root can change something.
func openFolder(path string) (*Folder, error) {
	fd, err := again(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		err = &fs.PathError{Op: "open", Path: path, Err: err}
		if errors.Is(err, unix.ENOTDIR) { // as of a symlink, too (open(2), O_NOFOLLOW)
			err = fmt.Errorf("%w; set gc.directory to a folder that is no symlink", err)
		}
		return nil, err
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	switch {
	case err != nil:
	case st.Uid != 0:
		err = fmt.Errorf("folder %s belongs to user %d, not to root: chown it or set gc.directory", path, st.Uid)
	case st.Mode&0o022 != 0:
		err = fmt.Errorf("folder %s has mode %#o, others can change it: chmod go-w or set gc.directory", path, st.Mode&0o7777)
	}
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	return &Folder{fd, path}, nil
}

// Close closes it. Locks that it has given out are not affected.
func (f *Folder) Close() { unix.Close(f.fd) }

func (f *Folder) checkVersion() error {
	fd, err := f.open(versionFile, unix.O_RDONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	text := make([]byte, 64)
	n, err := unix.Read(fd, text)
	if err != nil {
		return f.failed(versionFile, err)
	}
	if got := strings.TrimSuffix(string(text[:n]), "\n"); got != version {
		return f.failed(versionFile, fmt.Errorf("%w: it is %q, and this program's is %q; use that version, or remove the folder while no gc runs", ErrVersion, got, version))
	}
	return nil
}

// writeVersion gives the file its name when it is complete, and never in place of another.
func (f *Folder) writeVersion() error {
	beside := "." + versionFile + "." + rand.Text() // what a killed process leaves is in nobody's way
	fd, err := f.open(beside, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return err
	}
	defer unix.Unlinkat(f.fd, beside, 0) //nolint:errcheck // as with one that is killed
	if _, err = unix.Write(fd, []byte(version+"\n")); err == nil {
		err = unix.Fsync(fd) // after a loss of power an empty one would be another version's
	}
	if err == nil {
		err = unix.UtimesNanoAt(f.fd, beside, make([]unix.Timespec, 2), unix.AT_SYMLINK_NOFOLLOW) // see Removals
	}
	if err = errors.Join(err, unix.Close(fd)); err != nil {
		return f.failed(beside, err)
	}
	if err := unix.Linkat(f.fd, beside, f.fd, versionFile, 0); err != nil && !errors.Is(err, fs.ErrExist) {
		return f.failed(versionFile, err)
	}
	return nil
}

// open opens a regular file of the folder; nothing in it can block.
func (f *Folder) open(name string, flags int) (int, error) {
	fd, err := again(func() (int, error) {
		return unix.Openat(f.fd, name, flags|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	})
	if err != nil {
		return -1, f.failed(name, err)
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	if err == nil && st.Mode&unix.S_IFMT != unix.S_IFREG {
		err = errors.New("is not a regular file: remove it")
	}
	if err != nil {
		unix.Close(fd)
		return -1, f.failed(name, err)
	}
	return fd, nil
}

func (f *Folder) failed(name string, err error) error {
	return fmt.Errorf("%s: %w", filepath.Join(f.path, name), err)
}

func again(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}

// digits returns the name of an image's file.
func digits(imageID string) (string, error) {
	hex, ok := strings.CutPrefix(imageID, "sha256:")
	if !ok || !isDigits(hex) {
		return "", fmt.Errorf("%q is not the ID of an image", imageID)
	}
	return hex, nil
}

func isDigits(s string) bool { return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == "" }
