package hostcheck

import (
	"errors"
	"testing"

	"mesos-docker-executor/cgroupnet"
)

func TestKernel(t *testing.T) {
	unmounted := cgroupnet.Support{Mode: "legacy", Kernel: true, Problem: &cgroupnet.UnsupportedError{Kind: cgroupnet.LackMount, Missing: "net_cls is mounted nowhere", Remedy: "mount it"}}
	fit := []string{
		"ok version: Linux 6.18.1", "ok exit status: PIDFD_INFO_EXIT", "ok openat2: there", "ok cgroups: v1, and v2 beside it",
		"ok net_cls: mounted at /sys/fs/cgroup/net_cls,net_prio", "ok inotify: 12 of root's 1024 instances in use",
	}
	with := func(other map[int]string) []string { return changed(fit, other) }
	for _, c := range []struct {
		name   string
		change func(*Kernel)
		want   []string
	}{
		{"all is there", func(*Kernel) {}, fit},
		{"not root", func(k *Kernel) { k.Root = false }, append([]string{"warn user: not root"}, fit[:5]...)},
		{"no pidfd", func(k *Kernel) { *k = Kernel{Release: "4.19.0", Root: true, Classes: k.Classes} },
			append([]string{"fail version: Linux 4.19.0 has no pidfd"}, with(map[int]string{5: "ok inotify: 0 of root's instances"})[3:]...)},
		{"before 6.15", func(k *Kernel) { k.ExitStatus, k.Openat2 = false, false },
			with(map[int]string{1: "ok exit status: no PIDFD_INFO_EXIT", 2: "ok openat2: not there"})},
		{"v2 only", func(k *Kernel) {
			k.Classes = cgroupnet.Support{Mode: "unified", Problem: &cgroupnet.UnsupportedError{Missing: "it has cgroup v2 only", Remedy: "boot it"}}
		}, with(map[int]string{3: "warn cgroups: v2 only", 4: "ok net_cls: it has cgroup v2 only, and class IDs are off"})},
		{"no cgroups", func(k *Kernel) { k.Classes.Mode, k.CgroupsErr = "unavailable", cgroupnet.ErrNoHierarchy },
			with(map[int]string{3: "fail cgroups: no task can be placed or found: no cgroup hierarchy is mounted"})},
		{"cgroups elsewhere", func(k *Kernel) { k.Classes.Mode, k.CgroupDir = "unavailable", "/cgroup/cpu" },
			with(map[int]string{3: "warn cgroups: not mounted at /sys/fs/cgroup, where Docker and the agent look for them, but elsewhere, such as at /cgroup/cpu"})},
		{"a class file that was not read", func(k *Kernel) { k.Classes, k.ClassIDs = unmounted, "" },
			with(map[int]string{3: "ok cgroups: v1", 4: "warn net_cls: whether tasks need it is not known"})},
		{"classes are required", func(k *Kernel) { k.Classes, k.ClassIDs = unmounted, ClassesRequired },
			with(map[int]string{3: "ok cgroups: v1", 4: "fail net_cls: net_cls is mounted nowhere; no task with a class can start"})},
		{"classes are preferred", func(k *Kernel) { k.Classes, k.ClassIDs = unmounted, ClassesPreferred },
			with(map[int]string{3: "ok cgroups: v1", 4: "warn net_cls: net_cls is mounted nowhere; tasks run without a class"})},
		{"nobody knows", func(k *Kernel) { k.ClassesErr = errors.New("no /proc") }, with(map[int]string{4: "warn net_cls: not known: no /proc"})},
		{"few inotify instances", func(k *Kernel) { k.ClassIDs, k.Inotify.Most = ClassesRequired, 60 }, with(map[int]string{5: "warn inotify: each task with a class takes one"})},
		{"few, and no classes", func(k *Kernel) { k.Inotify.Most = 60 }, with(map[int]string{5: "ok inotify: 12 of root's 60"})},
		{"no inotify instance", func(k *Kernel) { k.Inotify.None = true }, with(map[int]string{5: "warn inotify: none is left"})},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := Kernel{
				Release: "6.18.1", Root: true, Pidfd: true, ExitStatus: true, Openat2: true, Inotify: Inotify{InUse: 12, Most: 1024},
				Classes:  cgroupnet.Support{Mode: "hybrid", Kernel: true, NetCLS: &cgroupnet.Hierarchy{Dir: "/sys/fs/cgroup/net_cls,net_prio"}},
				ClassIDs: ClassesOff,
			}
			c.change(&k)
			expect(t, k.Lines(), c.want...)
		})
	}
}
