package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// HostPath is a folder, file or socket of the host that a container gets, beside its sandbox.
type HostPath struct {
	// Path and Inside are absolute and clean. Inside is what the operator opened: Path itself, or a folder above it.
	Path, Inside string
	// Closed are places of the host no part of which may be seen in the container, by whatever name. Open are places that Path
	// shows by its own name: of them, what is inside of Inside may be seen.
	Closed, Open []string
	ReadOnly     bool
	// Recursive: with what is mounted in it.
	Recursive bool
	// Propagation is one of Docker's names ("rslave"); "" and "rprivate" keep later mounts of the host's out.
	Propagation string
	// Lifted allows sockets and the kernel's own file systems.
	Lifted bool
}

// hostFile is an open [HostPath]. It stays the file that was opened, wherever the path leads later.
type hostFile struct {
	HostPath
	fd     int    // O_PATH
	real   string // path without symbolic links
	inside string // the same of Inside
	dir    bool
	loose  string // a folder above it in which others than root can replace something; "" if there is none
}

// openHostPath walks to the path from "/", one folder at a time, and keeps hold of what it has reached: whoever renames
// something meanwhile cannot lead it out of where it is. (openat2(2) does the same in one call. This names the part that is in the
// way, follows root's links where that is safe, and needs no Linux 5.6.)
//
// A symbolic link is followed only in Inside, which the operator wrote, and only if all folders up to it are root's and writable by
// nobody else: /var/run leads to /run. Below Inside, where tasks and their users write, none is.
func openHostPath(h HostPath) (*hostFile, error) {
	if !filepath.IsAbs(h.Path) || filepath.Clean(h.Path) != h.Path || !inside(h.Path, h.Inside) {
		return nil, fmt.Errorf("%q is not a clean path in %q", h.Path, h.Inside)
	}
	w := &walk{fd: -1}
	defer func() { w.close() }()
	if err := w.root(); err != nil {
		return nil, err
	}
	if err := w.through(elements(h.Inside), ""); err != nil {
		return nil, err
	}
	f := &hostFile{HostPath: h, inside: w.at}
	if err := w.through(elements(strings.TrimPrefix(h.Path, h.Inside)), h.Inside); err != nil {
		return nil, err
	}
	switch kind := w.info.Mode & unix.S_IFMT; {
	case kind == unix.S_IFDIR, kind == unix.S_IFREG, kind == unix.S_IFSOCK && h.Lifted:
		f.dir = kind == unix.S_IFDIR
	case kind == unix.S_IFSOCK:
		return nil, fmt.Errorf("%s is a socket, which only break_glass of the policy can open", w.at)
	default:
		return nil, fmt.Errorf("%s is neither a folder nor a regular file; mount the folder that it is in, or ask for a device by `device`", w.at)
	}
	// It may have been moved while it was walked to.
	if now, err := os.Readlink(procFD(w.fd)); err != nil || now != w.at {
		return nil, fmt.Errorf("%s is being moved: it is %q now (%v); launch the task again when it is at rest", w.at, now, err)
	}
	f.fd, f.real, f.loose = w.fd, w.at, w.loose
	w.fd = -1
	return f, nil
}

func (f *hostFile) close() { unix.Close(f.fd) }

// procFD leads to the open file itself, not along a path (proc_pid_fd(5)).
func procFD(fd int) string { return "/proc/thread-self/fd/" + strconv.Itoa(fd) }

// walk is a walk along a path.
type walk struct {
	fd    int
	at    string // where it is, without symbolic links
	info  unix.Stat_t
	loose string // the first folder on the way, before the last one, that others than root can write to
	links int
}

func (w *walk) close() {
	if w.fd >= 0 {
		unix.Close(w.fd)
	}
	w.fd = -1
}

// root goes to "/".
func (w *walk) root() error {
	w.loose = ""
	return w.step("/", unix.AT_FDCWD, "/")
}

// step opens what has a name in a folder, and goes there if that is no symbolic link.
func (w *walk) step(at string, dir int, name string) error {
	const flags = unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(dir, name, flags|unix.O_DIRECTORY, 0) // with O_PATH alone nothing is mounted that autofs mounts on demand
	if err == unix.ENOTDIR {
		fd, err = unix.Openat(dir, name, flags, 0)
	}
	if err == unix.ENOENT {
		return fmt.Errorf("%s does not exist; make it on the host, or mount another path", at)
	}
	var info unix.Stat_t
	if err == nil {
		if err = unix.Fstat(fd, &info); err != nil {
			unix.Close(fd)
		}
	}
	if err != nil {
		return fmt.Errorf("%s cannot be opened: %w", at, err)
	}
	if info.Mode&unix.S_IFMT == unix.S_IFLNK {
		defer unix.Close(fd)
		return w.readLink(at, fd)
	}
	w.close()
	w.fd, w.at, w.info = fd, at, info
	return nil
}

// symbolicLink is what a step finds in place of a folder or file.
type symbolicLink struct{ at, target string }

func (l *symbolicLink) Error() string {
	return fmt.Sprintf("%s is a symbolic link to %q", l.at, l.target)
}

func (w *walk) readLink(at string, fd int) error {
	buffer := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(fd, "", buffer)
	if err != nil {
		return fmt.Errorf("%s cannot be read: %w", at, err)
	}
	return &symbolicLink{at, string(buffer[:n])}
}

// through goes on by these names. No symbolic link is followed below a folder that is given.
func (w *walk) through(names []string, below string) error {
	for len(names) > 0 {
		name := names[0]
		names = names[1:]
		if w.info.Mode&unix.S_IFMT != unix.S_IFDIR {
			return fmt.Errorf("%s is not a folder, so there is nothing in it; correct the path", w.at)
		}
		if w.loose == "" && (w.info.Uid != 0 || w.info.Mode&0o022 != 0) {
			w.loose = w.at
		}
		err := w.step(filepath.Join(w.at, name), w.fd, name)
		var link *symbolicLink
		if errors.As(err, &link) {
			names, err = w.follow(link, names, below)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// follow says by which names the walk goes on after a link. (".." in them is that of the folder where the link is: it and all above
// are root's.)
func (w *walk) follow(link *symbolicLink, names []string, below string) ([]string, error) {
	switch {
	case below != "":
		return nil, fmt.Errorf("%w, and none is followed below %s, which the policy opens; mount what it leads to by its own path", link, below)
	case w.loose != "":
		return nil, fmt.Errorf("%w, and not followed, since others than root can write to %s; have the policy name the path that it leads to", link, w.loose)
	}
	if w.links++; w.links > maxLinks {
		return nil, fmt.Errorf("%w, and there were %d before it on the way", link, maxLinks)
	}
	if filepath.IsAbs(link.target) {
		if err := w.root(); err != nil {
			return nil, err
		}
	}
	return append(elements(link.target), names...), nil
}

// inside reports whether a clean absolute path is the folder or lies below it.
func inside(path, folder string) bool {
	return path == folder || strings.HasPrefix(path, strings.TrimSuffix(folder, "/")+"/")
}
