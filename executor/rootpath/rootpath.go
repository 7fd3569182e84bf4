// Package rootpath says whether a path of the host is root's alone: whether
// nobody else can have put there what is there, or can put something else in its
// place. It is for paths that may come from a task while what they lead to is to
// be believed. It only looks; every call may block as long as a file system does.
//
// Ownership does not tell everything, because root in a container is root to the
// file system. So these places are left out whoever owns them: the agent's
// work_dir (sandboxes and persistent volumes), /proc (the root folders of other
// processes) and the folders in which Docker and containerd keep the files of
// containers. What remains is a folder of the host that an operator lends to
// containers with root in them: nothing shows that it is lent.
package rootpath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Check returns nil if the path is root's alone: where is absolute, in its
// shortest form and without symbolic links, and what is there does not count,
// only the folders above it. workDir is the agent's, resolved; empty: there is
// none. The error continues a sentence that begins with the path, and names a
// remedy.
//
// Once it is nil it stays so until root changes something: each folder is looked
// at from above, so nobody else can exchange those below it.
func Check(where, workDir string) error {
	for _, dir := range []string{workDir, "/proc"} {
		if dir != "" && within(where, dir) {
			return fmt.Errorf("is below %s, where tasks can write; keep it in a folder of root's", dir)
		}
	}
	holder := filepath.Dir(where)
	for _, folder := range parents(where) {
		if err := checkFolder(folder, folder == holder); err != nil {
			return fmt.Errorf("is below %s, which %w; keep it in a folder of root's", folder, err)
		}
	}
	return nil
}

// Resolve follows the symbolic links of a path and applies [Check] to what they
// lead to, which must be root's too. It returns the path without links; with an
// error, the path as it was.
func Resolve(path, workDir string) (string, error) {
	where, err := filepath.EvalSymlinks(path)
	if err != nil {
		var errno syscall.Errno
		if errors.As(err, &errno) {
			err = errno // without the path
		}
		return path, fmt.Errorf("cannot be resolved: %w", err)
	}
	if err := Check(where, workDir); err != nil {
		return path, err
	}
	info, err := os.Lstat(where)
	if err != nil {
		return path, fmt.Errorf("cannot be looked at: %w", err)
	}
	if err := checkOwner(info); err != nil {
		return path, err
	}
	return where, nil
}

// within reports whether a path is dir or below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// parents are the folders above a path, "/" first.
func parents(path string) []string {
	var list []string
	for path != "/" && path != "." {
		path = filepath.Dir(path)
		list = append([]string{path}, list...)
	}
	return list
}

// checkFolder wants a folder in which nobody but root can make, exchange or
// remove entries; holder is the one that has the file itself. In one above it,
// the sticky bit does: what is root's there stays (inode(7)).
func checkFolder(path string, holder bool) error {
	info, err := os.Lstat(path)
	if err != nil {
		return errors.New("cannot be looked at")
	}
	if !info.IsDir() {
		return errors.New("is no folder")
	}
	if err := checkOwner(info); err != nil {
		return err
	}
	if info.Mode().Perm()&0o022 != 0 && (holder || info.Mode()&fs.ModeSticky == 0) {
		return fmt.Errorf("its group or others may write to (mode %04o)", info.Mode().Perm())
	}
	for _, name := range storage() {
		if _, err := os.Lstat(filepath.Join(path, name)); err == nil {
			return fmt.Errorf("holds the files of containers (it has %s)", name)
		}
	}
	return nil
}

// storage are names by which the data folders of Docker (the first since version
// 23) and containerd are known, wherever they are.
func storage() []string {
	return []string{"engine-id", "overlay2", "io.containerd.metadata.v1.bolt"}
}

func checkOwner(info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return errors.New("has an owner that cannot be determined on this system")
	case stat.Uid != 0:
		return fmt.Errorf("belongs to user %d, not to root", stat.Uid)
	}
	return nil
}
