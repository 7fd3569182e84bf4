package cgroupnet

import (
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
)

// PlaceInput is all that [Place] decides by.
type PlaceInput struct {
	// Root is the cgroup below which leaves are made, for example
	// /mesos-docker-executor: absolute, clean, not "/".
	Root string

	// ContainerID is the Mesos container id of the executor.
	ContainerID string

	// SelfFreezer is the executor's own cgroup in the v1 freezer hierarchy, as
	// [SelfFreezer] returns it; empty on a host without that hierarchy.
	SelfFreezer string

	// CgroupDriver is the Docker engine's: "cgroupfs", "systemd" or "none".
	CgroupDriver string

	// Custom says that the Mesos containerizer runs the executor (as opposed to the
	// Docker containerizer), so that the agent's launcher made its cgroups.
	Custom bool

	// Class is the task's network class ID; 0 means none.
	Class uint32
}

// Placement says where a task's leaf cgroup is. The zero value is no placement.
type Placement struct {
	// Parent is the value for Docker's HostConfig.CgroupParent: the leaf's path
	// (cgroupfs driver) or the name of its slice (systemd driver).
	Parent string `json:"parent"`

	// Path is the leaf's folder below the mount point of each hierarchy.
	Path string `json:"path"`

	// Keep is the nearest folder above Path that [Remove] never removes.
	Keep string `json:"keep"`

	// Systemd says that systemd makes the leaf's folders, but for that in the net_cls hierarchy, which [Prepare] makes.
	Systemd bool `json:"systemd,omitempty"`
}

// ErrNoCgroupDriver says that the Docker engine does not use cgroups at all
// (rootless without delegation): no task can be placed or found there.
var ErrNoCgroupDriver = errors.New("the docker engine has no cgroup driver; run it as root, with cgroupfs or systemd")

// Place decides where the leaf of a task is:
//
//   - below the executor's own cgroup, <SelfFreezer>/task, in custom mode when the
//     engine uses the cgroupfs driver and the last element of SelfFreezer is the container
//     id: then the agent's linux launcher made that cgroup, and kills what is in it and below it when it
//     destroys the executor (Mesos: src/linux/cgroups.cpp, destroy). The name "task" is of no
//     account as long as it is not "mesos": on recovery the agent takes
//     <cgroups root>/<x> for a container of its own, and <x>/mesos/<y> for a nested one
//     (Mesos: containerizer/mesos/paths.cpp, parseCgroupPath), everything else is ignored;
//   - else <Root>/<class as 8 hex digits>/<container id>;
//   - with the systemd driver, where Docker takes slice names only, the slice
//     <root>-<class>-<container id>.slice; see [Placement.Systemd].
//
// In a slice's name each '-' is a level: a-b-c.slice has the folder
// /a.slice/a-b.slice/a-b-c.slice (systemd.slice(5)). So the root's last
// element and the container id are escaped, '-' as \x2d; no two ids have the same
// slice. The systemd form follows the documentation of systemd and runc; no test runs it yet.
func Place(in PlaceInput) (Placement, error) {
	if err := CheckContainerID(in.ContainerID); err != nil {
		return Placement{}, err
	}
	if err := checkPath(in.Root); err != nil {
		return Placement{}, fmt.Errorf("cgroup root: %w", err)
	}
	switch in.CgroupDriver {
	case "cgroupfs":
	case "systemd":
		return placeSlice(in)
	case "none", "":
		return Placement{}, ErrNoCgroupDriver
	default:
		return Placement{}, fmt.Errorf("unknown cgroup driver %q of the docker engine: cgroupfs and systemd are supported", in.CgroupDriver)
	}

	own := in.SelfFreezer != "" && path.Base(in.SelfFreezer) == in.ContainerID
	if in.Custom && own {
		if err := checkPath(in.SelfFreezer); err != nil {
			return Placement{}, fmt.Errorf("own freezer cgroup: %w", err)
		}
		return Placement{
			Parent: in.SelfFreezer + "/task",
			Path:   in.SelfFreezer + "/task",
			Keep:   path.Dir(in.SelfFreezer),
		}, nil
	}
	if own && path.Dir(in.SelfFreezer) == in.Root {
		return Placement{}, fmt.Errorf("cgroup root %s is also the agent's --cgroups_root, whose unknown children the agent destroys when it restarts: choose another one", in.Root)
	}
	leaf := path.Join(in.Root, fmt.Sprintf("%08x", in.Class), in.ContainerID)
	return Placement{Parent: leaf, Path: leaf, Keep: in.Root}, nil
}

func placeSlice(in PlaceInput) (Placement, error) {
	base := escape(path.Base(in.Root))
	class := fmt.Sprintf("%s-%08x", base, in.Class)
	task := class + "-" + escape(in.ContainerID)
	if n := len(task + ".slice"); n > maxUnitName {
		return Placement{}, fmt.Errorf("the slice's name has %d bytes, at most %d are allowed: choose a cgroup root with a shorter last element", n, maxUnitName)
	}
	return Placement{
		Parent:  task + ".slice",
		Path:    path.Join("/", base+".slice", class+".slice", task+".slice"),
		Keep:    path.Join("/", base+".slice"),
		Systemd: true,
	}, nil
}

// maxUnitName is the most bytes that the name of a systemd unit may have (systemd.unit(5)).
const maxUnitName = 255

// escape writes each byte that is not allowed between the '-' of a slice's name as \xHH, the
// way of systemd-escape(1). It can be undone, so it keeps names apart.
func escape(name string) string {
	var b strings.Builder
	for _, c := range []byte(name) {
		if isAlnum(c) || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return b.String()
}

// unescape undoes escape; what escape does not write stays as it is.
func unescape(name string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(name, `\x`)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		if n, err := strconv.ParseUint(rest[:min(2, len(rest))], 16, 8); err == nil && len(rest) >= 2 {
			b.WriteByte(byte(n))
			name = rest[2:]
		} else {
			b.WriteString(`\x`)
			name = rest
		}
	}
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// maxContainerID is more than three times the length of a UUID.
const maxContainerID = 128

// CheckContainerID reports whether id can be used as the name of a cgroup, or as the part before a dot of a
// file's name: 1 to 128 ASCII letters, digits, '-' and '_', beginning with a letter or digit. Mesos
// makes container ids from random UUIDs, but a custom launch reads its own from the environment.
//
// The names of the interface files that a parent cgroup may have are refused (cgroups(7)): most of
// them, such as cgroup.procs and freezer.state, have a dot; those of v1 without one are listed.
func CheckContainerID(id string) error {
	if id == "" {
		return errors.New("container id is empty")
	}
	if len(id) > maxContainerID {
		return fmt.Errorf("container id has %d bytes, at most %d are allowed", len(id), maxContainerID)
	}
	for i, c := range []byte(id) {
		if !isAlnum(c) && (i == 0 || c != '-' && c != '_') {
			return fmt.Errorf("container id %q: byte %d is not allowed there; letters and digits are, after the first also '-' and '_'", id, i)
		}
	}
	switch id {
	case "tasks", "notify_on_release", "release_agent":
		return fmt.Errorf("container id %q is the name of a cgroup interface file", id)
	}
	return nil
}

// checkPath accepts the path of a cgroup below the root of its hierarchy.
func checkPath(p string) error {
	switch {
	case !path.IsAbs(p):
		return fmt.Errorf("cgroup path %q is not absolute", p)
	case path.Clean(p) != p:
		return fmt.Errorf("cgroup path %q is not clean; write %q", p, path.Clean(p))
	case p == "/":
		return errors.New("the root cgroup cannot be used")
	case strings.ContainsAny(p, "\x00\n"):
		return fmt.Errorf("cgroup path %q contains a control character", p)
	}
	return nil
}

// inside reports whether cgroup is dir or below it.
func inside(cgroup, dir string) bool {
	return cgroup == dir || strings.HasPrefix(cgroup, dir+"/")
}
