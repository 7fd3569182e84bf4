package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
)

// freezerDirs lists the leaf and the cgroups below it in the v1 freezer hierarchy; none
// on a host without it. (Processes frozen by cgroup.freeze of v2 do die of SIGKILL.)
func (l *Leaf) freezerDirs() ([]string, error) {
	for _, h := range l.hierarchies {
		if !h.Unified && h.Has("freezer") {
			return l.subtree(h)
		}
	}
	return nil, nil
}

// freeze freezes the whole leaf and waits, at most freezeLimit, until it is. What
// does not freeze in time is an error, but not one to stop for.
func (l *Leaf) freeze() error {
	dirs, err := l.freezerDirs()
	if err != nil || len(dirs) == 0 {
		return err
	}
	state := filepath.Join(dirs[0], "freezer.state") // goes for the cgroups below, too
	if err := writeFile(state, "FROZEN"); err != nil {
		if gone(err) {
			return nil
		}
		return fmt.Errorf("freeze the leaf: %w", err)
	}
	end := time.Now().Add(freezeLimit)
	for {
		text, err := os.ReadFile(state)
		switch {
		case gone(err):
			return nil
		case err != nil:
			return fmt.Errorf("freeze the leaf: %w", err)
		case strings.TrimSpace(string(text)) == "FROZEN":
			return nil
		case !time.Now().Before(end):
			return fmt.Errorf("the leaf is not frozen after %v", freezeLimit)
		}
		time.Sleep(killPause)
	}
}

// thaw thaws the leaf and each cgroup below it: one that was frozen by itself (docker
// pause) is not thawed with its parent.
func (l *Leaf) thaw() error {
	dirs, err := l.freezerDirs()
	errs := []error{err}
	for _, dir := range dirs {
		if err := writeFile(filepath.Join(dir, "freezer.state"), "THAWED"); err != nil && !gone(err) {
			errs = append(errs, fmt.Errorf("thaw the leaf: %w", err))
		}
	}
	return errors.Join(errs...)
}

// writeFile writes to an interface file of a cgroup, and to nothing else: never to a
// file that it would create, never to one that is not on a cgroup filesystem.
func writeFile(name, text string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(f.Fd()), &st); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if st.Type != unix.CGROUP_SUPER_MAGIC && st.Type != unix.CGROUP2_SUPER_MAGIC {
		return fmt.Errorf("%s: %w", name, cgroupnet.ErrNotCgroup)
	}
	_, err = f.WriteString(text)
	return err
}

// holder returns the folder of the highest cgroup, the leaf's or above, that is frozen in the v1
// freezer and so keeps processes of the leaf from dying; "" when there is none.
func (l *Leaf) holder() string {
	dirs, err := l.freezerDirs()
	if err != nil {
		return ""
	}
	for _, dir := range dirs {
		held := ""
		for isFrozen(dir) { // the root of the hierarchy has no state
			held, dir = dir, filepath.Dir(dir)
		}
		if held != "" {
			return held
		}
	}
	return ""
}

func isFrozen(dir string) bool {
	text, err := os.ReadFile(filepath.Join(dir, "freezer.state"))
	return err == nil && strings.TrimSpace(string(text)) != "THAWED"
}
