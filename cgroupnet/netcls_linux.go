package cgroupnet

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// classFile is the interface file of the controller. It takes decimal, octal and hexadecimal numbers, 0x100000000 as 0, and gives decimal
// ones. A write also re-tags the open sockets of the processes in the cgroup (net/core/netclassid_cgroup.c).
const classFile = "net_cls.classid"

// netCLS is the driver for the v1 controller net_cls.
type netCLS struct {
	hierarchy Hierarchy

	// These are other ones in tests.
	newEvents func() (*os.File, error)
	lookEvery time.Duration
}

func newNetCLS(h Hierarchy) netCLS {
	return netCLS{hierarchy: h, newEvents: newInotify, lookEvery: LookEvery}
}

func (d netCLS) Name() string { return "net_cls" }

func (d netCLS) Assign(leaf Placement, class uint32) error {
	if err := d.assign(leaf, class); err != nil {
		return fmt.Errorf("give the leaf its network class: %w", err)
	}
	return nil
}

func (d netCLS) assign(leaf Placement, class uint32) error {
	root, err := d.open(leaf, class)
	if err != nil {
		return err
	}
	defer root.Close()

	file, err := openClass(root, leaf.Path, os.O_RDWR)
	if gone(err) {
		return fmt.Errorf("%s: %w", d.hierarchy.Folder(leaf.Path), ErrLeafGone)
	} else if err != nil {
		return err
	}
	defer file.Close()
	found, err := readClass(file)
	if err == nil && found == 0 {
		err = writeClass(file, class)
	}
	switch {
	case gone(err):
		return fmt.Errorf("%s: %w", d.hierarchy.Folder(leaf.Path), ErrLeafGone)
	case err != nil:
		return err
	case found == 0 || found == class:
		return nil
	}
	above, err := classOf(root, path.Dir(leaf.Path))
	return &ForeignClassError{Folder: d.hierarchy.Folder(leaf.Path), Found: found, Want: class, Inherited: err == nil && above == found}
}

// open makes sure that leaf and class can be each other's, and that no cgroup is meant that the calling process is in, and
// opens the hierarchy.
func (d netCLS) open(leaf Placement, class uint32) (*os.Root, error) {
	if err := checkClass(class); err != nil {
		return nil, err
	}
	if err := checkPath(leaf.Path); err != nil {
		return nil, err
	}
	self, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil, err
	}
	if own, _ := d.hierarchy.ownCgroup(string(self)); inside(own, leaf.Path) {
		return nil, fmt.Errorf("%s: the executor itself is in this cgroup, whose class is not the task's", d.hierarchy.Folder(leaf.Path))
	}
	return openHierarchy(d.hierarchy)
}

// openClass opens the class file of a cgroup, and nothing else of its name: each element of the path has to be a folder of the same
// filesystem as the mount point. A cgroup filesystem itself takes neither files nor symbolic links.
func openClass(root *os.Root, cgroup string, flag int) (*os.File, error) {
	top, err := root.Stat(".")
	if err != nil {
		return nil, err
	}
	name := "."
	for element := range strings.SplitSeq(relative(cgroup), "/") {
		name = path.Join(name, element)
		st, err := root.Lstat(name)
		if err != nil {
			return nil, err
		}
		if !st.IsDir() || !sameDevice(st, top) {
			return nil, fmt.Errorf("%s: %w", path.Join(root.Name(), name), ErrNotCgroup)
		}
	}
	file, err := root.OpenFile(path.Join(name, classFile), flag, 0)
	if err != nil {
		return nil, err
	}
	if st, err := file.Stat(); err != nil || !st.Mode().IsRegular() || !sameDevice(st, top) {
		file.Close()
		return nil, fmt.Errorf("%s: %w", file.Name(), cmp.Or(err, ErrNotCgroup))
	}
	return file, nil
}

func sameDevice(a, b fs.FileInfo) bool {
	x, ok := a.Sys().(*syscall.Stat_t)
	y, also := b.Sys().(*syscall.Stat_t)
	return ok && also && x.Dev == y.Dev
}

// classOf reads the class of a cgroup.
func classOf(root *os.Root, cgroup string) (uint32, error) {
	file, err := openClass(root, cgroup, os.O_RDONLY)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return readClass(file)
}

func readClass(file *os.File) (uint32, error) {
	var buffer [32]byte
	n, err := file.ReadAt(buffer[:], 0)
	if n == 0 && err != nil {
		return 0, err
	}
	text := strings.TrimSuffix(string(buffer[:n]), "\n")
	class, err := strconv.ParseUint(text, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("%s: %q is no class", file.Name(), text)
	}
	return uint32(class), nil
}

// writeClass writes the class and reads it back.
func writeClass(file *os.File, class uint32) error {
	if _, err := file.WriteAt(strconv.AppendUint(nil, uint64(class), 10), 0); err != nil {
		return err
	}
	found, err := readClass(file)
	if err == nil && found != class {
		err = fmt.Errorf("%s: 0x%08x was written, and is 0x%08x", file.Name(), class, found)
	}
	return err
}

// children lists the cgroups directly below one, by name.
func children(root *os.Root, cgroup string) ([]string, error) {
	entries, err := fs.ReadDir(root.FS(), cmp.Or(relative(cgroup), "."))
	var names []string
	for _, entry := range entries {
		if entry.IsDir() {
			names = append(names, entry.Name())
		}
	}
	return names, err
}

// gone recognizes that a cgroup was removed, before it was opened or since.
func gone(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) }
