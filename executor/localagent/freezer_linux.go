package localagent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// cgroupRoot is the agent's --cgroups_root.
const cgroupRoot = "mesos"

// freezer returns the run's folder in the mounted v1 freezer hierarchy, "" if
// none is mounted.
func (a *Agent) freezer() (string, error) {
	mounts, err := cgroupMounts("cgroup")
	if err != nil {
		return "", err
	}
	for _, m := range mounts {
		if slices.Contains(strings.Split(m.VFSOptions, ","), "freezer") {
			return filepath.Join(m.Mountpoint, cgroupRoot, a.ids.ContainerID), nil
		}
	}
	return "", nil
}

func cgroupMounts(types ...string) ([]*mountinfo.Info, error) {
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter(types...))
	if err != nil {
		return nil, fmt.Errorf("look for cgroup hierarchies: %w", err)
	}
	return mounts, nil
}

// fork starts the command; a custom executor is born in its freezer cgroup.
//
// In cgroup v1 membership is per thread and a new process starts in the cgroup
// of the thread that forked it (cgroups(7)), so a thread of ours enters, forks
// and leaves. Moving the child after its start would leave it a moment
// outside, and clone3 into a cgroup exists for v2 only.
func (a *Agent) fork(cmd *exec.Cmd) error {
	if a.opts.Mode != Custom {
		return cmd.Start()
	}
	dir, err := a.freezer()
	if err != nil {
		return err
	}
	if dir == "" {
		return cmd.Start()
	}
	if err := makeCgroup(dir); err != nil {
		return err
	}
	result := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		home, err := threadFreezer(dir)
		if err == nil {
			err = enter(dir)
		}
		if err != nil {
			runtime.UnlockOSThread()
			result <- err
			return
		}
		err = cmd.Start()
		if back := enter(home); back != nil {
			// The thread stays locked, and ends with this goroutine.
			result <- errors.Join(err, back)
			return
		}
		runtime.UnlockOSThread()
		result <- err
	}()
	err = <-result
	if err != nil && cmd.Process != nil {
		_ = cmd.Process.Kill() // it runs, but we could not leave its cgroup
		_ = cmd.Wait()
	}
	return err
}

// makeCgroup makes the folder; another run's clean-up may take the empty
// parent away in between.
func makeCgroup(dir string) error {
	var err error
	for range 100 {
		if err = os.MkdirAll(dir, 0o755); !errors.Is(err, fs.ErrNotExist) {
			break
		}
	}
	if err != nil {
		return fmt.Errorf("make the executor's freezer cgroup: %w", err)
	}
	return nil
}

// enter moves the calling thread.
func enter(dir string) error {
	tid := unix.Gettid()
	if tid <= 0 {
		return fmt.Errorf("enter cgroup %s: thread id %d", dir, tid) // 0 would mean the writer itself
	}
	if err := os.WriteFile(filepath.Join(dir, "tasks"), []byte(strconv.Itoa(tid)), 0); err != nil {
		return fmt.Errorf("enter cgroup: %w", err)
	}
	return nil
}

// threadFreezer is the folder of the calling thread's freezer cgroup.
func threadFreezer(below string) (string, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/cgroup", unix.Gettid()))
	if err != nil {
		return "", fmt.Errorf("find our freezer cgroup: %w", err)
	}
	root := strings.TrimSuffix(filepath.Dir(below), "/"+cgroupRoot)
	for line := range strings.Lines(string(raw)) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) == 3 && slices.Contains(strings.Split(parts[1], ","), "freezer") {
			return filepath.Join(root, parts[2]), nil
		}
	}
	return "", errors.New("find our freezer cgroup: /proc lists none")
}

// killCgroup kills everything in the run's freezer cgroup and below, and
// removes the folders: freeze, so that nothing forks away, SIGKILL, thaw. It
// is what the linux launcher does when a run ends, however it ends.
func (a *Agent) killCgroup(ctx context.Context) error {
	if a.opts.Mode != Custom {
		return nil
	}
	dir, err := a.freezer()
	if err != nil || dir == "" {
		return err
	}
	for {
		pids, err := processesBelow(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("destroy the executor's cgroup: %w", err)
		}
		if len(pids) == 0 {
			break
		}
		if err := killFrozen(dir); err != nil {
			return fmt.Errorf("destroy the executor's cgroup: %w", err)
		}
		sleep(ctx, 10*time.Millisecond)
		if ctx.Err() != nil {
			return fmt.Errorf("destroy the executor's cgroup %s: %d processes left: %w", dir, len(pids), context.Cause(ctx))
		}
	}
	return removeTree(ctx, dir)
}

// killFrozen signals while nothing can fork. The thaw comes in any case: a
// frozen process cannot die.
func killFrozen(dir string) (err error) {
	state := filepath.Join(dir, "freezer.state")
	if err := os.WriteFile(state, []byte("FROZEN"), 0); err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, os.WriteFile(state, []byte("THAWED"), 0))
	}()
	pids, err := processesBelow(dir)
	for _, pid := range pids {
		_ = unix.Kill(pid, unix.SIGKILL) // frozen, hence still itself
	}
	return err
}

// processesBelow lists a cgroup and its descendants. A zombie that nobody
// reaped is not listed in v1; we ourselves never are a member for long, and
// must not be killed.
func processesBelow(dir string) ([]int, error) {
	var pids []int
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return ignoreGone(err, path, dir)
		}
		raw, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		if err != nil {
			return ignoreGone(err, path, dir)
		}
		for _, line := range strings.Fields(string(raw)) {
			if pid, err := strconv.Atoi(line); err == nil && pid > 0 && pid != os.Getpid() {
				pids = append(pids, pid)
			}
		}
		return nil
	})
	return pids, err
}

// ignoreGone lets a walk go on when a folder below vanished meanwhile.
func ignoreGone(err error, path, dir string) error {
	if path != dir && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV)) {
		return nil
	}
	return err
}

// removeTree removes the folders, deepest first. A cgroup is busy for a moment
// after its last process; a second is plenty.
func removeTree(ctx context.Context, dir string) error {
	var dirs []string
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return ignoreGone(err, path, dir)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	slices.Reverse(dirs)
	for _, d := range dirs {
		for range 100 {
			err = os.Remove(d)
			if err == nil || errors.Is(err, fs.ErrNotExist) || ctx.Err() != nil {
				break
			}
			sleep(ctx, 10*time.Millisecond)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove cgroup: %w", err)
		}
	}
	return nil
}

// lookForRoots remembers the hierarchies in which nobody uses the agent's root
// yet, for removeCgroups.
func (a *Agent) lookForRoots() error {
	if a.opts.Mode != Custom {
		return nil
	}
	mounts, err := cgroupMounts("cgroup", "cgroup2")
	for _, m := range mounts {
		root := filepath.Join(m.Mountpoint, cgroupRoot)
		if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
			a.newRoots = append(a.newRoots, root)
		}
	}
	return err
}

// removeCgroups removes what is left of /mesos/<container id> in every
// hierarchy: Docker makes the parents of a nested container there, also where
// the launcher does not manage the hierarchy. The agent's root goes as well
// where it was not there before, unless another run has come to use it.
func (a *Agent) removeCgroups() error {
	if a.opts.Mode != Custom {
		return nil
	}
	mounts, err := cgroupMounts("cgroup", "cgroup2")
	for _, m := range mounts {
		dir := filepath.Join(m.Mountpoint, cgroupRoot, a.ids.ContainerID)
		err = errors.Join(err, removeTree(context.WithoutCancel(a.life), dir))
	}
	for _, root := range a.newRoots {
		_ = os.Remove(root) // in use: EBUSY
	}
	return err
}
