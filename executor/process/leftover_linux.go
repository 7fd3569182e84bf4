package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/regular"
)

// Leftover is a lease or stage as a sweep finds it: by its name, <container id>.<attempt>, in the folder of all of them.
type Leftover struct {
	Path        string
	ContainerID string
	Made        time.Time
}

// ListLeases lists the leases in a folder, what [NewLease] makes there and nothing else. The folder is checked as there; a
// missing one has none.
func ListLeases(dir string) ([]Leftover, error) { return listLeftovers(dir, fs.ModeSymlink) }

// ListStages does the same for what [NewStage] makes.
func ListStages(dir string) ([]Leftover, error) { return listLeftovers(dir, fs.ModeDir) }

func listLeftovers(dir string, kind fs.FileMode) ([]Leftover, error) {
	names, _, err := readRootsFolder(dir)
	if err != nil {
		return nil, err
	}
	var found []Leftover
	for _, name := range names {
		id, number, _ := strings.Cut(name, ".")
		attempt, err := strconv.Atoi(number)
		if err != nil || attempt < 1 || cgroupnet.CheckContainerID(id) != nil || attemptName(id, attempt) != name {
			continue
		}
		path := filepath.Join(dir, name)
		if st, err := os.Lstat(path); err == nil && st.Mode().Type() == kind {
			found = append(found, Leftover{Path: path, ContainerID: id, Made: st.ModTime()})
		}
	}
	return found, nil
}

// RevokeLease revokes a lease that [ListLeases] found.
func RevokeLease(l Leftover) error { return (&Lease{Path: l.Path}).Revoke() }

// ReleaseStage releases a stage that [ListStages] found. No file of a sandbox is removed, whatever is mounted there: when
// the unmounting leaves the folder in use or not empty, it stays.
func ReleaseStage(l Leftover) error { return (&Stage{path: l.Path}).Release() }

// RemoveUnfinished removes what [ListClaims] found unfinished, unless its process lives: then it is [ErrClaimHeld].
func RemoveUnfinished(path string) error {
	file, err := regular.Open(unix.AT_FDCWD, path, unix.O_RDONLY|unix.O_NOFOLLOW, nil)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer file.Close()
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return ErrClaimHeld
	} else if err != nil {
		return &fs.PathError{Op: "lock", Path: path, Err: err}
	}
	if err := unix.Unlink(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &fs.PathError{Op: "unlink", Path: path, Err: err}
	}
	return nil
}
