//go:build linux

package enginetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// Options are what an engine can lack. The zero value is an engine that lacks nothing.
type Options struct {
	Args     []string // added to dockerd's command line
	DataSize int64    // bytes; not 0: the data root is a tmpfs of this size. The images need some 16 MiB.
	Inodes   int64    // of that tmpfs; 0 for the kernel's choice. The images need about 1,500.
	Pids     bool     // dockerd, its containerd and the shims are in a cgroup for [Engine.LimitPids]
}

// DataRoot is the folder of images and containers: whoever fills its disk, fills it for the engine.
func (e *Engine) DataRoot() string { return filepath.Join(e.Dir, "data") }

// mountDataRoot makes the data root a small tmpfs, if that is asked for. It is unmounted by Stop as everything below Dir is.
func (e *Engine) mountDataRoot() error {
	if e.options.DataSize == 0 {
		return nil
	}
	if err := os.Mkdir(e.DataRoot(), 0o711); err != nil {
		return err
	}
	limits := fmt.Sprintf("mode=711,size=%d", e.options.DataSize)
	if e.options.Inodes > 0 {
		limits += fmt.Sprintf(",nr_inodes=%d", e.options.Inodes)
	}
	if err := unix.Mount("tmpfs", e.DataRoot(), "tmpfs", 0, limits); err != nil {
		return fmt.Errorf("mount a tmpfs of %s as data root: %w", limits, err)
	}
	return nil
}

// filler is the file that FillDisk writes.
func (e *Engine) filler() string { return filepath.Join(e.DataRoot(), "filler") }

// FillDisk takes all free space of a data root of limited size; [Engine.EmptyDisk] gives it back.
func (e *Engine) FillDisk() error {
	if e.options.DataSize == 0 {
		return errors.New("fill the data root: it has no size of its own, see Options.DataSize")
	}
	f, err := os.OpenFile(e.filler(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	page := make([]byte, 4096)
	for {
		if _, err := f.Write(page); errors.Is(err, unix.ENOSPC) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// EmptyDisk gives back what [Engine.FillDisk] has taken.
func (e *Engine) EmptyDisk() error { return os.Remove(e.filler()) }

// pidsGroup is the cgroup of the daemon's processes.
func (e *Engine) pidsGroup() (string, error) {
	mounts, err := mountinfo.GetMounts(mountinfo.FSTypeFilter("cgroup"))
	if err != nil {
		return "", err
	}
	for _, m := range mounts {
		if strings.Contains(","+m.VFSOptions+",", ",pids,") {
			return filepath.Join(m.Mountpoint, e.cgroupParent, "daemon"), nil
		}
	}
	return "", errors.New("there is no hierarchy of cgroup v1 with the controller pids, which Options.Pids needs")
}

// enterPidsGroup moves the calling thread, and so the process that it starts, into the daemon's cgroup. Version 1 of cgroups
// lets single threads move (file tasks, cgroups(7)).
func (e *Engine) enterPidsGroup() error {
	if !e.options.Pids {
		return nil
	}
	group, err := e.pidsGroup()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(group, 0o755); err != nil {
		return err
	}
	return writeExisting(filepath.Join(group, "tasks"), strconv.Itoa(unix.Gettid()))
}

// leavePidsGroup moves the calling thread out of the daemon's cgroup, into the root of the hierarchy.
func (e *Engine) leavePidsGroup() {
	group, err := e.pidsGroup()
	if !e.options.Pids || err != nil {
		return
	}
	// A failure shows when the cgroup cannot be removed.
	_ = writeExisting(filepath.Join(group, "..", "..", "tasks"), strconv.Itoa(unix.Gettid()))
}

// Pids counts the processes and threads of dockerd, containerd and the shims of an engine with Options.Pids.
func (e *Engine) Pids() (int, error) {
	group, err := e.pidsGroup()
	if err != nil {
		return 0, err
	}
	text, err := os.ReadFile(filepath.Join(group, "pids.current"))
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(strings.TrimSpace(string(text)))
}

// LimitPids lets the processes that [Engine.Pids] counts become no more than limit (pids.max): with their present number, the
// engine can start no thread and no process. A negative limit is none. Stop takes it away.
func (e *Engine) LimitPids(limit int) error {
	if limit < 0 {
		return e.setPidsMax("max")
	}
	return e.setPidsMax(strconv.Itoa(limit))
}

// SaysNoThread reports whether a message of the engine says that a thread or process could not be made (EAGAIN): in the words of
// Go, or of the C library that dockerd, containerd and their shims may be linked with, which begins them with a capital letter.
func SaysNoThread(message string) bool {
	return strings.Contains(strings.ToLower(message), "resource temporarily unavailable")
}

// Recover takes the limit of [Engine.LimitPids] away and brings back what died of it: without a thread that it needs, dockerd or
// containerd ends as any Go program does. It reports whether one of them did.
func (e *Engine) Recover(ctx context.Context) (died bool, err error) {
	containerd, _ := e.ContainerdPID() // 0 when it is dead already
	if err := e.LimitPids(-1); err != nil {
		return false, err
	}
	c, err := e.api()
	if err != nil {
		return false, err
	}
	defer c.Close()
	if _, down := c.Ping(ctx); down != nil && poll(sweepLimit, e.Died) {
		return true, e.Restart(ctx)
	}
	// dockerd notices a dead containerd, and starts another one, within seconds; a moment later that one serves. Of one that does
	// not, info has no commit (moby, daemon/info_unix.go).
	now, err := e.AwaitContainerd(ctx, 0)
	if err != nil {
		return true, err
	}
	if !poll(sweepLimit, func() bool {
		info, err := c.Info(ctx)
		return err == nil && info.ContainerdCommit.ID != "N/A"
	}) {
		return true, errors.New("the private engine's containerd does not serve")
	}
	return now != containerd, nil
}

func (e *Engine) setPidsMax(limit string) error {
	if !e.options.Pids {
		return errors.New("the daemon has no cgroup of its own, see Options.Pids")
	}
	group, err := e.pidsGroup()
	if err != nil {
		return err
	}
	return writeExisting(filepath.Join(group, "pids.max"), limit)
}

// Goroutines is dockerd's number of goroutines, as info tells it: it hangs with a frozen daemon or containerd, until ctx ends.
func (e *Engine) Goroutines(ctx context.Context) (int, error) {
	c, err := e.api()
	if err != nil {
		return 0, err
	}
	defer c.Close()
	info, err := c.Info(ctx)
	return info.NGoroutines, err
}

// Files is dockerd's number of open files. It needs no answer of the daemon.
func (e *Engine) Files() (int, error) {
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", e.PID))
	return len(open), err
}
