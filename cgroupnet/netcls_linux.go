package cgroupnet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/containerd/cgroups/v3"
	"golang.org/x/sys/unix"
)

// netCLS is the driver for the v1 controller net_cls.
type netCLS struct {
	hierarchy Hierarchy
}

func (d netCLS) Name() string { return "net_cls" }

func (d netCLS) Assign(leaf Placement, class uint32) error {
	if err := checkClass(class); err != nil {
		return err
	}
	root, err := openHierarchy(d.hierarchy)
	if err != nil {
		return err
	}
	defer root.Close()
	file, err := root.OpenFile(path.Join(relative(leaf.Path), "net_cls.classid"), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %w", d.hierarchy.Folder(leaf.Path), ErrLeafGone)
	} else if err != nil {
		return err
	}
	defer file.Close()
	found, err := readClass(file)
	if err != nil || found == class {
		return err
	}
	if found != 0 {
		return &ForeignClassError{Folder: d.hierarchy.Folder(leaf.Path), Found: found, Want: class, Nested: path.Base(leaf.Path) == "task"}
	}
	if _, err := fmt.Fprintf(file, "%d", class); err != nil {
		return err
	}
	if found, err = readClass(file); err == nil && found != class {
		return fmt.Errorf("%s: read back 0x%08x instead of 0x%08x", file.Name(), found, class)
	}
	return err
}

func readClass(file *os.File) (uint32, error) {
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return 0, err
	}
	text, err := io.ReadAll(file)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	return uint32(n), err
}

func (d netCLS) Verify(leaf Placement, class uint32, pids ...int) error {
	for _, pid := range pids {
		if pid <= 0 {
			return fmt.Errorf("%d is no process id", pid)
		}
	}
	for _, pid := range pids {
		paths, _, err := cgroups.ParseCgroupFileUnified(fmt.Sprintf("/proc/%d/cgroup", pid))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
			continue
		} else if err != nil {
			return err
		}
		found, err := d.class(paths["net_cls"])
		if err != nil {
			return err
		}
		if !inside(paths["net_cls"], leaf.Path) || found != class {
			return &MisplacedError{PID: pid, Cgroup: paths["net_cls"], Leaf: leaf.Path, Found: found, Want: class}
		}
	}
	return nil
}

func (d netCLS) class(cgroup string) (uint32, error) {
	file, err := os.Open(d.hierarchy.Folder(path.Join(cgroup, "net_cls.classid")))
	if err != nil {
		return 0, err
	}
	defer file.Close()
	return readClass(file)
}

func (d netCLS) Watch(ctx context.Context, leaf Placement, class uint32, lost func(Loss)) error {
	<-ctx.Done()
	return nil
}

// ListTagged returns the cgroups that have a network class, in the order of their paths. A cgroup whose parent has the same
// class belongs to its parent's row. Below each of the roots ([PlaceInput.Root]) every leaf has a row of its own, also one without a class.
func ListTagged(s Support, roots ...string) ([]Tagged, error) {
	if err := s.problem(); err != nil {
		return nil, err
	}
	d := netCLS{hierarchy: *s.NetCLS}
	var rows []Tagged
	err := fs.WalkDir(os.DirFS(d.hierarchy.Dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return nil
		}
		class, err := d.class("/" + name)
		if err != nil || class == 0 {
			return nil
		}
		text, err := os.ReadFile(d.hierarchy.Folder("/" + name + "/cgroup.procs"))
		if err != nil {
			return nil
		}
		row := Tagged{Path: "/" + name, Class: class}
		for _, field := range strings.Fields(string(text)) {
			if pid, err := strconv.Atoi(field); err == nil {
				row.PIDs = append(row.PIDs, pid)
			}
		}
		i := slices.IndexFunc(rows, func(r Tagged) bool { return r.Class == class && inside(row.Path, r.Path) })
		if i >= 0 {
			rows[i].PIDs = append(rows[i].PIDs, row.PIDs...)
			return nil
		}
		rows = append(rows, row)
		return nil
	})
	return rows, err
}
