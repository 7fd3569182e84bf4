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

// maxLinks is how many symlinks may be on the way, as for the kernel (path_resolution(7)).
const maxLinks = 40

// makeRootsFolder makes a folder of mode 0700 and its missing parents, of 0755, and proves that only
// root can change where its path leads. It walks from "/": each folder on the way must be
// root's and not writable by others, except for a sticky one such as /tmp, where nobody else
// can rename or remove what is root's (inode(7)). A symlink on the way must be root's as well
// (/var/run on most hosts); what it leads through is walked by the same rules. The folder
// itself must be neither a symlink nor writable by others, sticky or not.
func makeRootsFolder(dir string) error {
	if !filepath.IsAbs(dir) {
		return fmt.Errorf("folder %q is not an absolute path", dir)
	}
	rest := elements(filepath.Clean(dir))
	if len(rest) == 0 {
		return errors.New("/ cannot be used as the folder: set run_directory")
	}
	if err := checkRoots("/", false); err != nil {
		return err
	}
	at, links := "/", 0 // at never contains a symlink
	for len(rest) > 0 {
		name, last := rest[0], len(rest) == 1
		rest = rest[1:]
		if name == ".." { // of a symlink's target
			at = filepath.Dir(at)
			continue
		}
		next := filepath.Join(at, name)
		mode := fs.FileMode(0o755)
		if last {
			mode = 0o700
		}
		if err := os.Mkdir(next, mode); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		target, err := os.Readlink(next)
		if err != nil || last { // no symlink, or one that is refused
			if err := checkRoots(next, last); err != nil {
				return err
			}
			at = next
			continue
		}
		if links++; links > maxLinks {
			return fmt.Errorf("folder %s: more than %d symlinks on the way", dir, maxLinks)
		}
		if err := checkOwner(next); err != nil {
			return err
		}
		if filepath.IsAbs(target) {
			at = "/"
		}
		rest = append(elements(target), rest...)
	}
	return nil
}

// elements splits a path and leaves ".." as it is: after a symlink it means something else than in the text.
func elements(path string) []string {
	return slices.DeleteFunc(strings.Split(path, "/"), func(name string) bool { return name == "" || name == "." })
}

// checkRoots refuses what is no folder, or is one where others than root can put or replace something. A
// sticky one is fine unless strict.
func checkRoots(dir string, strict bool) error {
	st, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !st.IsDir() {
		return fmt.Errorf("%s is not a folder (%s): remove it or set run_directory", dir, st.Mode().Type())
	}
	if err := checkOwner(dir); err != nil {
		return err
	}
	if st.Mode().Perm()&0o022 != 0 && (strict || st.Mode()&fs.ModeSticky == 0) {
		return fmt.Errorf("folder %s has mode %#o, others can change it: chmod go-w or set run_directory", dir, st.Mode().Perm())
	}
	return nil
}

func checkOwner(name string) error {
	st, err := os.Lstat(name)
	if err != nil {
		return err
	}
	if sys, ok := st.Sys().(*syscall.Stat_t); !ok || sys.Uid != 0 {
		return fmt.Errorf("%s does not belong to root: chown it or set run_directory", name)
	}
	return nil
}
