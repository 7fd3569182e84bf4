package classproof

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"mesos-docker-executor/cgroupnet"
)

// netCLS returns the folder of a cgroup in the hierarchy of classes.
func netCLS(groups []cgroupnet.Hierarchy, cgroup string) string {
	for _, h := range groups {
		if h.Has("net_cls") {
			return h.Folder(cgroup)
		}
	}
	return "" // excluded by TestMain, which has a driver
}

// own is the cgroup that runc makes for the container, below the leaf.
func (k *task) own() string { return path.Join(k.leaf.Path, k.id) }

// writeClass gives a class to a cgroup of the task, without an executor's care.
func (k *task) writeClass(cgroup string, class uint32) error {
	file := filepath.Join(netCLS(k.groups, cgroup), "net_cls.classid")
	f, err := os.OpenFile(file, os.O_WRONLY, 0) // never makes a file: on a folder that is no cgroup one would be made
	if err != nil {
		return err
	}
	_, err = f.WriteString(strconv.FormatUint(uint64(class), 10))
	return errors.Join(err, f.Close())
}

// processes returns the container's processes.
func (k *task) processes() (pids []int, err error) {
	text, err := os.ReadFile(filepath.Join(netCLS(k.groups, k.own()), "cgroup.procs"))
	if err != nil {
		return nil, err
	}
	for _, field := range strings.Fields(string(text)) {
		pid, err := strconv.Atoi(field)
		if err != nil {
			return nil, err
		}
		pids = append(pids, pid)
	}
	return pids, nil
}
