package session

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const pidFile = "libprocess.pid" // src/slave/paths.cpp: LIBPROCESS_PID_FILE, in pids/ of the run

// checkpointPID writes <work_dir>/meta/slaves/.../runs/<container>/pids/libprocess.pid for the
// run of this sandbox. No symlink below <work_dir> is followed, and an existing file is not touched.
func checkpointPID(sandbox, pid string) error {
	workDir, run, err := splitRun(sandbox)
	if err != nil {
		return err
	}
	dir, err := os.OpenRoot(workDir)
	if err != nil {
		return err
	}
	defer func() { dir.Close() }()
	path := slices.Concat([]string{"meta"}, run, []string{"pids"})
	for _, name := range path {
		next, err := enter(dir, name)
		if name == "pids" && errors.Is(err, fs.ErrNotExist) {
			// The agent creates it for forked.pid, right after it has started us.
			if err = dir.Mkdir(name, 0o755); err == nil || errors.Is(err, fs.ErrExist) {
				next, err = enter(dir, name)
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("no checkpoints of this run at %s (%w): is checkpointing on for the framework, and no folder in the agent's --work_dir a symbolic link?",
				filepath.Join(workDir, filepath.Join(path...)), err)
		}
		if err != nil {
			return err
		}
		dir.Close()
		dir = next
	}
	return writeOnce(dir, pidFile, pid)
}

// splitRun takes the path of a run's sandbox apart: the agent's work directory and the elements
// below it (src/slave/paths.cpp). The work directory may contain such a path itself, so only
// the end of the path counts.
func splitRun(sandbox string) (workDir string, run []string, err error) {
	elements := strings.Split(filepath.Clean(sandbox), string(filepath.Separator))
	at := len(elements) - 8
	if !filepath.IsAbs(sandbox) || at < 1 {
		return "", nil, notRun(sandbox)
	}
	run = elements[at:]
	for i, name := range []string{"slaves", "frameworks", "executors", "runs"} {
		if run[2*i] != name || run[2*i+1] == "" {
			return "", nil, notRun(sandbox)
		}
	}
	return string(filepath.Separator) + filepath.Join(elements[:at]...), run, nil
}

func notRun(sandbox string) error {
	return fmt.Errorf("sandbox %q is not <work_dir>/slaves/<id>/frameworks/<id>/executors/<id>/runs/<id>", sandbox)
}

// enter opens a folder inside a folder and makes sure that it is one and no symlink to one. [os.Root]
// alone would follow a symlink that stays inside; comparing what the name was with what was
// opened leaves no moment for an exchange.
func enter(dir *os.Root, name string) (*os.Root, error) {
	before, err := dir.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !before.IsDir() {
		return nil, fmt.Errorf("%s is not a folder", filepath.Join(dir.Name(), name))
	}
	next, err := dir.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	opened, err := next.Stat(".")
	if err == nil && !os.SameFile(before, opened) {
		err = fmt.Errorf("%s was exchanged while it was opened", filepath.Join(dir.Name(), name))
	}
	if err != nil {
		next.Close()
		return nil, err
	}
	return next, nil
}

// writeOnce makes a file with this content appear at once and whole. A hard link, unlike a
// rename, never replaces what is already there.
func writeOnce(dir *os.Root, name, content string) error {
	temporary := "." + name + "." + rand.Text()
	f, err := dir.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer dir.Remove(temporary)
	_, err = f.WriteString(content)
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	err = dir.Link(temporary, name)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s exists", ErrRegistered, filepath.Join(dir.Name(), name))
	}
	return err
}
