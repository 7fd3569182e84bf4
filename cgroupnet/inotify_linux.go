package cgroupnet

import (
	"errors"
	"os"
	"path"

	"golang.org/x/sys/unix"
)

// newInotify returns an inotify instance (inotify(7)) whose reads wait in the runtime's poller.
func newInotify() (*os.File, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, os.NewSyscallError("inotify_init1", err)
	}
	return os.NewFile(uintptr(fd), "inotify"), nil
}

// marks are the watches of an inotify instance. A cgroup filesystem reports what programs do, as others do: writes to an interface file, and
// folders that are made, removed and renamed in a folder. It does not report to a removed folder's own watch, nor does that end by
// itself (both seen on Linux 6.18), so the folder above is watched, and watches of what is gone are removed here.
type marks struct {
	events    *os.File
	hierarchy Hierarchy
	set       map[string]int // watch descriptors by path below the mount point
}

func newMarks(events *os.File, h Hierarchy) *marks {
	return &marks{events: events, hierarchy: h, set: map[string]int{}}
}

// renew calls look, which is to call the function that it gets with the leaf and each cgroup below. Then all of them are watched, and
// nothing else but the folder above the leaf.
func (m *marks) renew(leaf string, look func(visit func(cgroup string) error) error) error {
	now := map[string]int{}
	if err := m.add(now, path.Dir(leaf), unix.IN_DELETE|unix.IN_MOVED_FROM|unix.IN_ONLYDIR); err != nil {
		return err
	}
	err := look(func(cgroup string) error {
		return errors.Join(
			m.add(now, cgroup, unix.IN_CREATE|unix.IN_DELETE|unix.IN_MOVE|unix.IN_ONLYDIR),
			m.add(now, path.Join(cgroup, classFile), unix.IN_MODIFY),
		)
	})
	for name, wd := range m.set {
		if now[name] != wd {
			m.control(func(fd int) error {
				_, err := unix.InotifyRmWatch(fd, uint32(wd)) // fails if the kernel did it already
				return err
			})
		}
	}
	m.set = now
	return err
}

// add watches a folder or file, again if it is watched already; one that is gone is left out.
func (m *marks) add(now map[string]int, name string, mask uint32) error {
	return m.control(func(fd int) error {
		wd, err := unix.InotifyAddWatch(fd, m.hierarchy.Folder(name), mask|unix.IN_DONT_FOLLOW)
		switch {
		case gone(err):
			return nil
		case err != nil: // fs.inotify.max_user_watches are used up
			return errNoEvents
		}
		now[name] = wd
		return nil
	})
}

func (m *marks) control(do func(fd int) error) error {
	conn, err := m.events.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := conn.Control(func(fd uintptr) { failed = do(int(fd)) }); err != nil {
		return err
	}
	return failed
}
