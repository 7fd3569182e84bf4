package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// openSandboxDir makes a folder, given as a path relative to the sandbox, with its parents, and returns it open; the caller
// closes it. New ones belong to the owner and group of the sandbox and have its permissions (less the umask); existing ones
// are left as they are.
//
// The sandbox belongs to the task's user, who may put anything there at any time, while
// the executor is root. So a path that is or passes through a symlink or a file, that contains "..", or
// that changes while it is walked, is refused; the error names the folder. No call can reach out of
// the sandbox. The open folder stays the one that was checked, wherever its name leads later.
func openSandboxDir(sandbox, dir string) (*os.File, error) {
	if !filepath.IsLocal(dir) || slices.Contains(strings.Split(dir, "/"), "..") || strings.ContainsRune(dir, 0) {
		return nil, errors.New("not a path inside the sandbox; give one relative to it, without '..'")
	}
	if st, err := os.Lstat(sandbox); err != nil {
		return nil, err
	} else if !st.IsDir() {
		return nil, fmt.Errorf("the sandbox %s is not a folder", sandbox)
	}
	current, err := os.OpenRoot(sandbox)
	if err != nil {
		return nil, err
	}
	defer func() { current.Close() }()
	owner, err := current.Stat(".")
	if err != nil {
		return nil, err
	}
	walked := ""
	for _, name := range elements(dir) {
		walked = filepath.Join(walked, name)
		next, err := enter(current, name, owner)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", walked, err)
		}
		current.Close()
		current = next
	}
	return current.Open(".")
}

// enter opens a folder of the current one, and makes it before that when missing.
func enter(current *os.Root, name string, owner fs.FileInfo) (*os.Root, error) {
	err := current.Mkdir(name, owner.Mode().Perm())
	made := err == nil
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	seen, err := current.Lstat(name)
	switch {
	case err != nil:
		return nil, err
	case seen.Mode()&fs.ModeSymlink != 0:
		return nil, errors.New("is a symlink; the task's folders must not pass through symlinks, remove it")
	case !seen.IsDir():
		return nil, errors.New("is there already and is not a folder; remove it")
	}
	next, err := current.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	if err := claim(next, seen, owner, made); err != nil {
		next.Close()
		return nil, err
	}
	return next, nil
}

// claim makes sure that the open folder is the one that was looked at, and gives a new
// one to the sandbox's owner. It does so through the open folder: by its name, the owner might
// have put a hard link to somebody's file in its place.
func claim(dir *os.Root, seen, owner fs.FileInfo, made bool) error {
	self, err := dir.Open(".")
	if err != nil {
		return err
	}
	defer self.Close()
	st, err := self.Stat()
	if err != nil {
		return err
	}
	if !os.SameFile(st, seen) {
		return errors.New("changed while it was looked at; somebody is replacing it")
	}
	if !made {
		return nil
	}
	sys, ok := owner.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("the sandbox has no owner")
	}
	return self.Chown(int(sys.Uid), int(sys.Gid))
}
