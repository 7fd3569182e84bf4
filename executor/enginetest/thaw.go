//go:build linux

package enginetest

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// thawAll lets everything of the engine go on that a test has frozen, so that it can be stopped.
func (e *Engine) thawAll() {
	// Failures: it has ended meanwhile, which is what we want.
	_ = e.setPidsMax("max")
	for _, pid := range e.shims() {
		for _, below := range descendants(pid) {
			thaw(below)
		}
		_ = signalIf(pid, unix.SIGCONT, e.isShim)
	}
	_ = e.ThawContainerd()
	for _, pid := range processes() {
		if e.isDaemon(pid) {
			_ = signalIf(pid, unix.SIGCONT, e.isDaemon)
		}
	}
}

// kill sends SIGKILL and wakes a process that is frozen by a freezer, where the signal would wait.
func kill(pid int) {
	_ = unix.Kill(pid, unix.SIGKILL) // ESRCH: gone already
	thaw(pid)
}

// thaw thaws the cgroups of a process and those above them: a process is frozen as long as any of them is.
func thaw(pid int) {
	groups, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	for line := range strings.Lines(string(groups)) {
		// ID:CONTROLLERS:PATH, cgroups(7)
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) < 3 {
			continue
		}
		switch part[1] {
		case "freezer":
			thawUp("cgroup", part[2], "freezer.state", "THAWED")
		case "":
			thawUp("cgroup2", part[2], "cgroup.freeze", "0")
		}
	}
}

// thawUp writes to a file of a cgroup and of all above it but the root, which has none.
func thawUp(fsType, group, file, text string) {
	mounts, _ := mountinfo.GetMounts(mountinfo.FSTypeFilter(fsType))
	for _, m := range mounts {
		if fsType == "cgroup" && !strings.Contains(","+m.VFSOptions+",", ",freezer,") {
			continue
		}
		for at := group; at != "/" && at != "."; at = path.Dir(at) {
			// Not there: the cgroup has gone, or the mount shows another part of the hierarchy.
			_ = writeExisting(filepath.Join(m.Mountpoint, at, file), text)
		}
	}
}

// writeExisting writes to a file of the kernel.
func writeExisting(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(text)
	return err
}
