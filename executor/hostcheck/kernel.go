package hostcheck

import (
	"fmt"

	"mesos-docker-executor/cgroupnet"
)

// Kernel is what the kernel offers.
type Kernel struct {
	Release    string // uname -r
	Root       bool   // whether the look-ups were made as root, without whom much cannot be seen
	Pidfd      bool   // pidfd_open(2), Linux 5.3
	ExitStatus bool   // PIDFD_INFO_EXIT, Linux 6.15
	Openat2    bool   // openat2(2), Linux 5.6

	Inotify Inotify

	CgroupDir  string // where the first cgroup hierarchy that executors find is mounted
	CgroupsErr error  // why they find none

	Classes    cgroupnet.Support
	ClassesErr error // why it is not known
	ClassIDs   ClassIDs
}

// Inotify are the inotify(7) instances of root's, which only root can count.
type Inotify struct {
	InUse int  // about
	Most  int  // fs.inotify.max_user_instances; 0 if it is not known
	None  bool // no more is to be had
}

// ClassIDs is what the class file demands.
type ClassIDs string

// What it can demand.
const (
	ClassesOff       ClassIDs = "off" // or there is no file
	ClassesPreferred ClassIDs = "preferred"
	ClassesRequired  ClassIDs = "required"
)

// on reports whether tasks may have a class. Of a file that cannot be read nothing is known.
func (c ClassIDs) on() bool { return c == ClassesPreferred || c == ClassesRequired }

// fewInstances is how many inotify instances are to be left over where each task takes one.
const fewInstances = 50

// Lines are about the kernel and its cgroups.
func (k Kernel) Lines() Lines {
	l := &lines{subject: "kernel"}
	if !k.Root {
		l.warn("user", "not root: processes, claims and cgroups of others cannot be looked at", "run doctor as root, as executors do")
	}
	k.pidfd(l)
	k.cgroups(l)
	k.netCLS(l)
	k.inotify(l)
	return l.all
}

func (k Kernel) pidfd(l *lines) {
	if !k.Pidfd {
		l.fail("version", fmt.Sprintf("Linux %s has no pidfd, by which executors see that a container ends", k.Release), "boot Linux 5.3 or newer")
		return
	}
	l.ok("version", "Linux "+k.Release)
	if k.ExitStatus {
		l.ok("exit status", "PIDFD_INFO_EXIT: the kernel itself tells it")
	} else {
		l.ok("exit status", "no PIDFD_INFO_EXIT, which Linux 6.15 has: the container's shim tells it, and if that dies it is unknown")
	}
	if k.Openat2 {
		l.ok("openat2", "there")
	} else {
		l.ok("openat2", "not there (Linux 5.6): paths are walked folder by folder, as everywhere")
	}
}

func (k Kernel) cgroups(l *lines) {
	const mountThem = "mount the v1 hierarchies below /sys/fs/cgroup, as systemd or cgroupfs-mount do"
	switch mode := k.Classes.Mode; {
	case k.CgroupsErr != nil:
		l.fail("cgroups", fmt.Sprintf("no task can be placed or found: %v", k.CgroupsErr), mountThem)
	case mode == "legacy":
		l.ok("cgroups", "v1")
	case mode == "hybrid":
		l.ok("cgroups", "v1, and v2 beside it without controllers (hybrid)")
	case mode == "unified":
		l.warn("cgroups", "v2 only: the agent's Docker containerizer does not start, and there are no class IDs",
			"boot with systemd.unified_cgroup_hierarchy=0 if systemd still can; custom mode is not tested with v2")
	default:
		l.warn("cgroups", "not mounted at /sys/fs/cgroup, where Docker and the agent look for them, but elsewhere, such as at "+k.CgroupDir, mountThem)
	}
}

// netCLS weighs what is missing by what the class file demands.
func (k Kernel) netCLS(l *lines) {
	if k.ClassesErr != nil {
		l.warn("net_cls", fmt.Sprintf("not known: %v", k.ClassesErr), "run doctor as root, with /proc and /sys mounted")
		return
	}
	problem := k.Classes.Problem
	if problem == nil {
		text := "mounted"
		if k.Classes.NetCLS != nil {
			text = "mounted at " + k.Classes.NetCLS.Dir
		}
		l.ok("net_cls", text)
		return
	}
	switch k.ClassIDs {
	case ClassesRequired:
		l.fail("net_cls", problem.Missing+"; no task with a class can start", problem.Remedy)
	case ClassesPreferred:
		l.warn("net_cls", problem.Missing+"; tasks run without a class", problem.Remedy)
	case ClassesOff:
		l.ok("net_cls", problem.Missing+", and class IDs are off")
	default:
		l.warn("net_cls", problem.Missing+"; whether tasks need it is not known, as the class file was not read", problem.Remedy)
	}
}

// inotify instances are what watches on class IDs take, one for each task.
func (k Kernel) inotify(l *lines) {
	if !k.Root {
		return
	}
	i := k.Inotify
	text := fmt.Sprintf("%d of root's instances in use", i.InUse)
	if i.Most > 0 {
		text = fmt.Sprintf("%d of root's %d instances in use", i.InUse, i.Most)
	}
	remedy := "raise fs.inotify.max_user_instances: packaging/60-mesos-docker-executor.conf goes to /etc/sysctl.d"
	switch {
	case i.None && k.ClassIDs.on():
		l.warn("inotify", text+", none is left: executors look at class IDs every 30 s only", remedy)
	case i.None:
		l.warn("inotify", text+", none is left", remedy)
	case k.ClassIDs.on() && i.Most > 0 && i.Most-i.InUse < fewInstances:
		l.warn("inotify", fmt.Sprintf("%s: each task with a class takes one", text), remedy)
	default:
		l.ok("inotify", text)
	}
}
