package cgroupnet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/cgroups/v3"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Remedies, for several reasons.
const (
	mountIt   = "mount it before Docker starts its first container: systemctl enable --now mesos-docker-executor-net-cls.service (packaging/)"
	switchOff = "or set class_ids: preferred in its class file, so that tasks run untagged, or off"
)

// Probe finds out what the host offers for network classes. It only reads. An error means that it could not find out.
//
// [Support.Mode] is looked up once in a process's life.
func Probe() (Support, error) {
	s := Support{Mode: modeName(cgroups.Mode())}
	table, err := os.ReadFile("/proc/cgroups")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return s, fmt.Errorf("list cgroup controllers: %w", err)
	}
	parameters, err := os.ReadFile("/proc/cmdline")
	if err != nil {
		return s, fmt.Errorf("read the kernel's parameters: %w", err)
	}
	s.Problem = kernelLack(string(table), string(parameters))
	s.Kernel = s.Problem == nil
	if !s.Kernel {
		return s, nil
	}
	if s.Mode == "unified" {
		s.Problem = &UnsupportedError{
			Kind: LackV1, Missing: "it has cgroup v2 only, where there is no net_cls",
			Remedy: "boot it with systemd.unified_cgroup_hierarchy=0 if its systemd still can, " + switchOff,
		}
		return s, nil
	}
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup", "cgroup2"))
	if err != nil {
		return s, fmt.Errorf("list cgroup mounts: %w", err)
	}
	s.NetCLS, s.Problem = netCLSMount(mounts, runcRoot(mounts), visible)
	if s.Problem != nil && s.Problem.Kind == LackMount {
		s.Problem = imitation(runcRoot(mounts), s.Problem)
	}
	return s, nil
}

// Driver returns the driver for the host. The error is an [*UnsupportedError], but for a Support that is not from [Probe].
func (s Support) Driver() (Driver, error) {
	if err := s.problem(); err != nil {
		return nil, err
	}
	return newNetCLS(*s.NetCLS), nil
}

// problem is the error of a host without a usable hierarchy, nil of one with it.
func (s Support) problem() error {
	switch {
	case s.NetCLS != nil:
		return nil
	case s.Problem != nil:
		return s.Problem
	}
	return errors.New("the host was not probed for network classes")
}

func modeName(mode cgroups.CGMode) string {
	switch mode {
	case cgroups.Legacy:
		return "legacy"
	case cgroups.Hybrid:
		return "hybrid"
	case cgroups.Unified:
		return "unified"
	}
	return "unavailable"
}

// kernelLack looks for the controller in the text of /proc/cgroups, whose lines have name, hierarchy, number of cgroups and enabled
// (cgroups(7)); and in the kernel's parameters for what that table does not show: cgroup_no_v1 keeps a controller that is
// enabled from being mounted (kernel/cgroup/cgroup-v1.c).
func kernelLack(table, parameters string) *UnsupportedError {
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) != 4 || fields[0] != "net_cls" {
			continue
		}
		parameter := ""
		if fields[3] == "0" {
			parameter = "cgroup_disable"
		}
		for _, p := range strings.Fields(parameters) {
			names, ok := strings.CutPrefix(p, "cgroup_no_v1=")
			if list := strings.Split(names, ","); ok && (slices.Contains(list, "all") || slices.Contains(list, "net_cls")) {
				parameter = "cgroup_no_v1"
			}
		}
		if parameter == "" {
			return nil
		}
		return &UnsupportedError{
			Kind: LackEnabled, Missing: "the kernel's parameter " + parameter + "= switches the controller net_cls off",
			Remedy: "boot it without that, " + switchOff,
		}
	}
	return &UnsupportedError{
		Kind: LackController, Missing: "its kernel has no controller net_cls (CONFIG_CGROUP_NET_CLASSID)",
		Remedy: "boot a kernel that has it, " + switchOff,
	}
}

// runcRoot is the folder where runc looks for the hierarchies of v1: /sys/fs/cgroup where that is a tmpfs, else the folder of
// the first cgroup mount (runc 1.1, libcontainer/cgroups/fs/paths.go). It takes a mount point's last element only, so one that is
// deeper is not found either. With net_cls mounted outside, a container of runc 1.1.5 was seen to stay in the root cgroup of net_cls.
func runcRoot(mounts []*mountinfo.Info) string {
	const usual = "/sys/fs/cgroup"
	var st unix.Statfs_t
	if err := unix.Statfs(usual, &st); err != nil || st.Type != unix.TMPFS_MAGIC {
		if len(mounts) > 0 {
			return filepath.Dir(mounts[0].Mountpoint)
		}
	}
	return usual
}

// netCLSMount picks the mount of net_cls that can be used, or says why none can.
func netCLSMount(mounts []*mountinfo.Info, root string, visible func(*mountinfo.Info) bool) (*Hierarchy, *UnsupportedError) {
	best := &UnsupportedError{Kind: LackMount, Missing: "the net_cls hierarchy is mounted nowhere", Remedy: mountIt}
	nearest := 0
	for _, m := range mounts {
		names := controllers(m.VFSOptions)
		if m.FSType != "cgroup" || !slices.Contains(names, "net_cls") {
			continue
		}
		near, why := 0, &UnsupportedError{}
		switch {
		case m.Root != "/":
			near, why = 1, &UnsupportedError{
				Kind: LackWhole, Missing: fmt.Sprintf("at %s only the part %s of the net_cls hierarchy is mounted", m.Mountpoint, m.Root),
				Remedy: "run the agent in the host's mount and cgroup namespaces, not in a container of its own",
			}
		case !visible(m):
			near, why = 2, &UnsupportedError{
				Kind: LackVisible, Missing: "another mount hides the net_cls hierarchy at " + m.Mountpoint,
				Remedy: "unmount what is on top of it; see /proc/self/mountinfo",
			}
		case path.Dir(m.Mountpoint) != root:
			near, why = 3, &UnsupportedError{
				Kind: LackPlace, Missing: fmt.Sprintf("the net_cls hierarchy is mounted at %s, and runc looks for it directly below %s", m.Mountpoint, root),
				Remedy: fmt.Sprintf("mount it there, too: mount -t cgroup -o %[1]s cgroup %[2]s/%[1]s", strings.Join(names, ","), root),
			}
		case readOnly(m):
			near, why = 4, &UnsupportedError{
				Kind: LackWritable, Missing: "the net_cls hierarchy is mounted read-only at " + m.Mountpoint,
				Remedy: "mount -o remount,bind,rw " + m.Mountpoint,
			}
		default:
			return &Hierarchy{Dir: m.Mountpoint, Controllers: names}, nil
		}
		if near > nearest {
			nearest, best = near, why
		}
	}
	return nil, best
}

// readOnly reports whether the mount, or the filesystem as a whole, takes no writes.
func readOnly(m *mountinfo.Info) bool {
	return slices.Contains(strings.Split(m.Options, ","), "ro") || slices.Contains(strings.Split(m.VFSOptions, ","), "ro")
}

// imitation looks for a plain folder that something has written into as if net_cls were mounted there; of an unmounted
// hierarchy there is an empty one, or none.
func imitation(root string, unmounted *UnsupportedError) *UnsupportedError {
	for _, name := range []string{"net_cls", "net_cls,net_prio", "net_prio,net_cls"} {
		dir := filepath.Join(root, name)
		if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
			return &UnsupportedError{
				Kind: LackImitated, Missing: fmt.Sprintf("%s is a plain folder with %s in it, and no cgroup filesystem", dir, entries[0].Name()),
				Remedy: "remove what is in it, find out what writes there, and " + mountIt,
			}
		}
	}
	return unmounted
}
