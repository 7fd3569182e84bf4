package hostcheck

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/process"
)

// lookAtKernel tries what it asks for, with nothing but this process.
func lookAtKernel(proc string) Kernel {
	k := Kernel{Release: release(), Root: os.Geteuid() == 0}
	if fd, err := unix.PidfdOpen(os.Getpid(), 0); err == nil {
		k.Pidfd = true
		unix.Close(fd)
		k.ExitStatus = process.StatusByPidfd()
	}
	fd, err := unix.Openat2(unix.AT_FDCWD, "/", &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_SYMLINKS})
	if err == nil {
		k.Openat2 = true
		unix.Close(fd)
	}
	k.Inotify = inotifyInstances(proc)
	hierarchies, err := cgroupnet.Hierarchies()
	if k.CgroupsErr = err; err == nil {
		k.CgroupDir = hierarchies[0].Dir
	}
	k.Classes, k.ClassesErr = cgroupnet.Probe()
	return k
}

func release() string {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return "of unknown release"
	}
	return unix.ByteSliceToString(name.Release[:])
}

// inotifyInstances counts root's, by the files that processes have open: the kernel tells no number. One that several
// processes share is counted for each of them.
func inotifyInstances(proc string) Inotify {
	var i Inotify
	if fd, err := unix.InotifyInit1(unix.IN_CLOEXEC); errors.Is(err, unix.EMFILE) {
		i.None = true
	} else if err == nil {
		unix.Close(fd)
	}
	text, err := os.ReadFile("/proc/sys/fs/inotify/max_user_instances")
	if err == nil {
		i.Most, _ = strconv.Atoi(strings.TrimSpace(string(text))) // 0 is "not known"
	}
	folders, _ := filepath.Glob(proc + "/[0-9]*") // the pattern is good
	for _, folder := range folders {
		var st unix.Stat_t
		if unix.Stat(folder, &st) != nil || st.Uid != 0 {
			continue
		}
		i.InUse += instancesOf(folder)
	}
	return i
}

// instancesOf counts those of one process. What ends meanwhile, or cannot be seen, has none.
func instancesOf(folder string) (n int) {
	files, err := os.ReadDir(folder + "/fd")
	if err != nil {
		return 0
	}
	for _, f := range files {
		if target, err := os.Readlink(folder + "/fd/" + f.Name()); err == nil && target == "anon_inode:inotify" {
			n++
		}
	}
	return n
}
