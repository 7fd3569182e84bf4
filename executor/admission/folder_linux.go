package admission

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// folder is the open shared folder. No symlink is followed in it or to it; those on the way to its parent are
// the operator's (/var/run). Nothing in it can block: a file of another type is refused.
type folder struct {
	fd   int
	path string
}

// openFolder opens the folder, and makes it and its parents if it shall. Without that, a missing one is [fs.ErrNotExist].
func openFolder(path string, create bool) (*folder, error) {
	if !filepath.IsAbs(path) || filepath.Clean(path) == "/" {
		return nil, fmt.Errorf("folder %q cannot be used: set run_directory to an absolute path", path)
	}
	parent, name := filepath.Split(filepath.Clean(path))
	up, err := openDirectory(unix.AT_FDCWD, parent, 0)
	if create && errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(parent, 0o755); err == nil {
			up, err = openDirectory(unix.AT_FDCWD, parent, 0)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", parent, err)
	}
	defer unix.Close(up)
	if err := checkRoots(up, unix.S_ISVTX); err != nil {
		return nil, fmt.Errorf("folder %s %w", parent, err)
	}
	fd, err := openDirectory(up, name, unix.O_NOFOLLOW)
	if create && errors.Is(err, fs.ErrNotExist) {
		if err = unix.Mkdirat(up, name, 0o700); err == nil || errors.Is(err, fs.ErrExist) {
			fd, err = openDirectory(up, name, unix.O_NOFOLLOW)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("folder %s: %w", path, err)
	}
	if err := checkRoots(fd, 0); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("folder %s %w", path, err)
	}
	return &folder{fd, path}, nil
}

func openDirectory(at int, name string, flag int) (int, error) {
	return openAgain(at, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC|flag, 0)
}

// openAgain opens until no signal interrupts it, as package os does.
func openAgain(at int, name string, flags int, mode uint32) (int, error) {
	for {
		fd, err := unix.Openat(at, name, flags, mode)
		if !errors.Is(err, unix.EINTR) {
			return fd, err
		}
	}
}

// checkRoots refuses a folder in which others than root can make, exchange or remove something. The
// sticky bit allows others to write if it is among the modes given (inode(7)).
func checkRoots(fd int, sticky uint32) error {
	st := unix.Stat_t{}
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if st.Uid != 0 {
		return fmt.Errorf("belongs to user %d, not to root: chown it or set run_directory", st.Uid)
	}
	if st.Mode&0o022 != 0 && st.Mode&sticky == 0 {
		return fmt.Errorf("has mode %#o, others can change it: chmod go-w or set run_directory", st.Mode&0o7777)
	}
	return nil
}

func (f *folder) close() { unix.Close(f.fd) }

// open opens a regular file of the folder. The caller closes it.
func (f *folder) open(name string, flags int) (int, error) {
	fd, err := openAgain(f.fd, name, flags|unix.O_CLOEXEC|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return -1, f.failed(name, err)
	}
	st := unix.Stat_t{}
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

func (f *folder) failed(name string, err error) error {
	return fmt.Errorf("%s: %w", filepath.Join(f.path, name), err)
}

// read returns a file's contents, of at most so many bytes.
func (f *folder) read(name string, limit int) ([]byte, error) {
	fd, err := f.open(name, unix.O_RDONLY)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	data := make([]byte, limit+1)
	for n := 0; ; {
		got, err := unix.Read(fd, data[n:])
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return nil, f.failed(name, err)
		case got == 0:
			return data[:n], nil
		default:
			if n += got; n > limit {
				return nil, f.failed(name, fmt.Errorf("is larger than %d bytes: remove it", limit))
			}
		}
	}
}

// replace writes a file beside the one of that name and puts it in its place. Only one process at a time may; what
// one that died has left beside it is removed. Nothing is flushed to the disk.
func (f *folder) replace(name string, data []byte) error {
	beside := name + ".new"
	if err := unix.Unlinkat(f.fd, beside, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f.failed(beside, err)
	}
	fd, err := f.open(beside, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if err != nil {
		return err
	}
	n, err := unix.Write(fd, data)
	if err == nil && n < len(data) {
		err = unix.ENOSPC // what a short write to a file means
	}
	err = errors.Join(err, unix.Close(fd))
	if err == nil {
		err = unix.Renameat(f.fd, beside, f.fd, name)
	}
	if err != nil {
		return f.failed(beside, errors.Join(err, unix.Unlinkat(f.fd, beside, 0)))
	}
	return nil
}
