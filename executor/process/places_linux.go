package process

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/sys/mountinfo"
)

// location is where a file is in its file system. It is the same for all mounts that show the file, by whatever path:
// a bind mount of /etc is another path, and the same location.
type location struct {
	major, minor int
	path         string // below the root of the file system
}

// shares reports whether one of the two is the other or lies below it.
func (l location) shares(other location) bool {
	return l.in(other) || other.in(l)
}

func (l location) in(other location) bool {
	return l.major == other.major && l.minor == other.minor && inside(l.path, other.path)
}

// locate finds the location of a path without symbolic links, in the file system that is mounted there or above it; false when
// there is none.
func locate(mounts []*mountinfo.Info, path string) (location, bool) {
	m := mountOf(mounts, path)
	if m == nil {
		return location{}, false
	}
	return location{m.Major, m.Minor, filepath.Join(m.Root, strings.TrimPrefix(path, m.Mountpoint))}, true
}

func mountOf(mounts []*mountinfo.Info, path string) (found *mountinfo.Info) {
	for _, m := range mounts {
		// Of several at one point, the last is on top.
		if inside(path, m.Mountpoint) && (found == nil || len(m.Mountpoint) >= len(found.Mountpoint)) {
			found = m
		}
	}
	return found
}

// place is a place of the host that is closed to tasks.
type place struct {
	name string // as the operator knows it
	real string // without symbolic links, as far as it exists
	at   location
	here bool // it exists, and at is known
}

// placesOf looks the places up. What is not there has no location, and nothing in it that could be shown. One that cannot be looked
// at, such as a mount whose server is gone, is taken for what its name says.
func placesOf(mounts []*mountinfo.Info, names []string) []place {
	places := make([]place, 0, len(names))
	for _, name := range names {
		p := place{name: name, real: name}
		real, err := filepath.EvalSymlinks(name)
		if err == nil {
			p.real = real
		}
		if !errors.Is(err, fs.ErrNotExist) {
			p.at, p.here = locate(mounts, p.real)
		}
		places = append(places, p)
	}
	return places
}

// check refuses a file that shows a closed place. shown are the mounts that the container will have of it: the first is the file's
// own, the rest is what is mounted in it. mounts are those of the host.
func (f *hostFile) check(mounts, shown []*mountinfo.Info) error {
	closed, open := placesOf(mounts, f.Closed), placesOf(mounts, f.Open)
	closed = slices.DeleteFunc(closed, func(c place) bool { // one place by two names, as /run and /var/run
		return slices.ContainsFunc(open, func(o place) bool { return o.real == c.real })
	})
	for _, c := range closed {
		if inside(f.real, c.real) || inside(c.real, f.real) {
			return fmt.Errorf("%s is %s, which would show %s; mount another folder", f.Path, f.real, c.name)
		}
	}
	opened, known := locate(mounts, f.inside)
	for _, m := range shown {
		at := location{m.Major, m.Minor, m.Root}
		if err := f.checkKind(m, shown[0]); err != nil {
			return err
		}
		for _, c := range closed {
			if c.here && at.shares(c.at) {
				return f.shows(m, shown[0], c.name)
			}
		}
		for _, o := range open {
			if o.here && at.shares(o.at) && !(known && at.in(opened)) && !inside(o.real, f.inside) {
				return f.shows(m, shown[0], o.name)
			}
		}
	}
	return nil
}

// shows names the mount that would show a place, as the host knows it.
func (f *hostFile) shows(m, own *mountinfo.Info, place string) error {
	if m == own {
		return fmt.Errorf("%s would show %s, which is mounted there under this other name; mount another folder", f.real, place)
	}
	return fmt.Errorf("%s would show %s, which is mounted in it at %s; mount another folder, or without what is mounted in it (bind-recursive=disabled)",
		f.real, place, f.named(m, own))
}

// named is the path of a mount in the file as the host knows it.
func (f *hostFile) named(m, own *mountinfo.Info) string {
	return filepath.Join(f.real, strings.TrimPrefix(m.Mountpoint, own.Mountpoint))
}

// kernelFileSystems are those in which the host is configured and watched. Their content is not the folder's.
const kernelFileSystems = " binfmt_misc bpf cgroup cgroup2 configfs debugfs devpts devtmpfs efivarfs fusectl nsfs proc pstore securityfs sysfs tracefs "

// checkKind refuses the kernel's file systems, but where the path says that it is one; cgroups wherever they are.
func (f *hostFile) checkKind(m, own *mountinfo.Info) error {
	named := slices.ContainsFunc([]string{"/dev", "/proc", "/sys"}, func(place string) bool { return inside(f.Path, place) })
	cgroup := m.FSType == "cgroup" || m.FSType == "cgroup2"
	if f.Lifted || !strings.Contains(kernelFileSystems, " "+m.FSType+" ") || named && !cgroup {
		return nil
	}
	return fmt.Errorf("at %s there is a file system of the kernel (%s), which only break_glass of the policy can open; mount another folder, or without what is mounted in it (bind-recursive=disabled)",
		f.named(m, own), m.FSType)
}

// below returns the mount at a point, or nil, and then those below it.
func below(mounts []*mountinfo.Info, point string) []*mountinfo.Info {
	found := []*mountinfo.Info{nil}
	for _, m := range mounts {
		switch {
		case m.Mountpoint == point:
			found[0] = m
		case inside(m.Mountpoint, point):
			found = append(found, m)
		}
	}
	return found
}
