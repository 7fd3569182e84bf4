package process

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// WatchHostInit is [Leaf.WatchInit] for a container in the host's PID namespace, where no process is number 1.
//
// The init process is the one that the file init.pid in the container's bundle names: the runtime writes it (containerd,
// cmd/containerd-shim-runc-v2/process/init.go) before it begins to wait for the start. As long as there is no such file nothing of the task's
// has run, and all that is in the cgroup are the stages of runc, of which the one named [runcInitStage] becomes the container's program
// (runc, libcontainer/nsenter/nsexec.c). That one is there 250 ms before the program, and the file 20 ms.
//
// When the init dies the kernel does not end the other processes of the container: [Leaf.Kill] does.
func (l *Leaf) WatchHostInit(ctx context.Context, dockerID string) (*Init, error) {
	isInit := func(pid int, group []int) (bool, error) { return isHostInit(pid, group, dockerID) }
	return l.watch(ctx, dockerID, func(dir string) (*Init, error) {
		group, err := readPIDs(dir)
		if err != nil {
			return nil, err
		}
		for _, pid := range group {
			if is, err := isInit(pid, group); err != nil && !gone(err) {
				return nil, err
			} else if is {
				return openInit(pid, dir, isInit)
			}
		}
		return nil, nil
	})
}

// runcInitStage is the name that runc gives to the last of its stages.
const runcInitStage = "runc:[2:INIT]"

// isHostInit reports whether the process is the init, of those in the container's cgroup.
//
// Its parent is the shim or, until the container is created, runc, neither of which is in the cgroup. So are the parents of the
// task's orphans and of a docker exec. But no process of the task's can put itself into the shim's place.
func isHostInit(pid int, group []int, dockerID string) (bool, error) {
	if pid <= 0 {
		return false, nil
	}
	st, err := readStat(pid) // before init.pid, see below
	if err != nil || slices.Contains(group, st.parent) {
		return false, err
	}
	bundle, err := (&Init{PID: pid, StartTime: st.startTime}).bundle(dockerID)
	if bundle == "" || err != nil {
		return false, err
	}
	text, err := os.ReadFile(filepath.Join(bundle, "init.pid"))
	switch {
	case err == nil:
		return strings.TrimSpace(string(text)) == strconv.Itoa(pid), nil
	case errors.Is(err, fs.ErrNotExist): // so the name that it had before was runc's, as no program had run
		return st.comm == runcInitStage && st.flags&flagForkNoExec != 0, nil
	}
	return false, err
}

// bundle finds the container's bundle by the shim that is an ancestor of the process; "" when there is none (any more).
func (i *Init) bundle(dockerID string) (string, error) {
	line, err := i.ancestors()
	if errors.Is(err, ErrNoShim) || errors.Is(err, errAncestors) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	at := slices.IndexFunc(line, func(pid int) bool { return isShim(pid, dockerID) })
	if at < 0 {
		return "", nil
	}
	for _, dir := range bundles(line[at], dockerID) {
		if _, err := os.Lstat(filepath.Join(dir, "config.json")); err == nil {
			return dir, nil
		}
	}
	return "", nil
}
