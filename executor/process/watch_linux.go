package process

import (
	"context"
	"fmt"
	"os"
	"slices"
	"time"

	"mesos-docker-executor/cgroupnet"
)

// The time between two looks into the container's cgroup: init is in it some
// milliseconds after it was made, and 200 ms or more before the container's program runs
// (runc 1.1). A start that takes longer than watchEager hangs, on a host that is busy
// enough: looking every 2 ms takes a tenth of a core.
//
// Until the cgroup is made, which the kernel announces, a look now and then is enough: it
// is there for a kernel that does not.
const (
	watchPause   = 2 * time.Millisecond
	watchEager   = 5 * time.Second
	watchPatient = 20 * time.Millisecond
	watchUnmade  = 100 * time.Millisecond
)

// WatchInit waits until the init process of the container is there, and returns it
// with its pidfd open. Call it beside the start request: it returns as soon as runc has
// made the process, before the container's own program begins to run; afterwards a
// short program may have come and gone. It also finds the init process of a container
// that runs already.
//
// The init process is the one of the cgroup <leaf>/<docker id> that is number 1 of its
// own PID namespace. Before it execs the container's program it is called "runc init";
// that exec keeps the process, the pidfd stays good. A container in the host's PID namespace
// has no such process: see [Leaf.WatchHostInit].
//
// WatchInit blocks until ctx ends, and looks once more then; its error wraps context.Cause(ctx). Other errors
// mean that no later try would do better (no PID namespaces, no pidfd, no cgroup
// hierarchy).
func (l *Leaf) WatchInit(ctx context.Context, dockerID string) (*Init, error) {
	return l.watch(ctx, dockerID, findInit)
}

// watch looks into the container's cgroup until find finds the init process there, which returns nil as long as it does not.
func (l *Leaf) watch(ctx context.Context, dockerID string, find func(dir string) (*Init, error)) (*Init, error) {
	dirs, err := l.watchDirs(dockerID)
	if err != nil {
		return nil, fmt.Errorf("watch for the container's init process: %w", err)
	}
	made, stop := watchMade(dirs)
	defer stop()
	patience := time.NewTimer(watchEager)
	defer patience.Stop()
	pause, unmade := watchPause, true
	for ended := false; ; {
		unmade = unmade && !anyExists(dirs)
		for _, dir := range dirs {
			init, err := find(dir)
			if err != nil {
				return nil, fmt.Errorf("watch for the container's init process: %w", err)
			}
			if init != nil {
				return init, nil
			}
		}
		if ended {
			return nil, fmt.Errorf("no init process of the container appeared in %s: %w", dirs[0], context.Cause(ctx))
		}
		next := pause
		if unmade && made != nil {
			next = watchUnmade
		}
		select {
		case _, more := <-made:
			unmade = false
			if !more { // the clock alone is left
				made = nil
			}
		case <-time.After(next):
		case <-patience.C:
			pause = watchPatient
		case <-ctx.Done(): // on a host so busy that this is the first look since start was answered, it counts
			ended = true
		}
	}
}

// anyExists reports whether one of the folders is there.
func anyExists(dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool {
		_, err := os.Lstat(dir)
		return err == nil
	})
}

// watchDirs chooses the hierarchies to look into: runc joins the first-stage process
// to all of them before that clones the init process (runc 1.1, libcontainer/process_linux.go,
// initProcess.start), so that one is as good as the other. The v1 freezer and
// the unified hierarchy are those that runc never does without; the first other one stands in when
// a host has neither.
func (l *Leaf) watchDirs(dockerID string) ([]string, error) {
	dirs, err := l.containerDirs(dockerID, func(h cgroupnet.Hierarchy) bool {
		return h.Unified || h.Has("freezer")
	})
	if err == nil && len(dirs) == 0 && len(l.hierarchies) > 0 {
		dirs, err = l.containerDirs(dockerID, func(h cgroupnet.Hierarchy) bool {
			return h.Dir == l.hierarchies[0].Dir
		})
	}
	if err == nil && len(dirs) == 0 {
		err = cgroupnet.ErrNoHierarchy
	}
	return dirs, err
}

// findInit looks once for the init process in the cgroup; nil when it is not there.
func findInit(dir string) (*Init, error) {
	pids, err := readPIDs(dir)
	if err != nil {
		return nil, err
	}
	// A container may make PID namespaces of its own, with more processes that are
	// number 1: the one in the fewest namespaces is the container's.
	best, depth := 0, 0
	for _, pid := range pids {
		if pid <= 0 {
			continue
		}
		ids, err := namespaceIDs(pid)
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n := len(ids); n > 1 && ids[n-1] == 1 && (best == 0 || n < depth) {
			best, depth = pid, n
		}
	}
	if best == 0 {
		return nil, nil
	}
	return openInit(best, dir, isNumberOne)
}

// isNumberOne reports whether the process is number 1 of a PID namespace other than ours.
func isNumberOne(pid int, _ []int) (bool, error) {
	ids, err := namespaceIDs(pid)
	return err == nil && len(ids) > 1 && ids[len(ids)-1] == 1, err
}

// openInit opens the pidfd of the process and proves that it is the one that was seen
// in the cgroup: a process id may be given to another process once its process is
// dead and reaped. The id is looked up in the cgroup a second time, after the pidfd was
// opened, and the pidfd's process is alive after that: so from the opening on the
// id meant one process, and that one is in the cgroup and, by isInit, the init. nil when it is not so (any
// more); the caller looks again.
func openInit(pid int, dir string, isInit func(pid int, group []int) (bool, error)) (*Init, error) {
	file, err := openPidfd(pid)
	if file == nil {
		return nil, err
	}
	st, err := readStat(pid)
	if err == nil {
		var pids []int
		is := false
		if pids, err = readPIDs(dir); err == nil && slices.Contains(pids, pid) {
			is, err = isInit(pid, pids)
		}
		if err == nil && is && !isOver(file) {
			return &Init{PID: pid, StartTime: st.startTime, pidfd: file}, nil
		}
	}
	file.Close()
	if err != nil && !gone(err) {
		return nil, err
	}
	return nil, nil
}
