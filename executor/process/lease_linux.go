package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
)

// Lease is the only way by which Docker gets at the sandbox for one attempt to start a
// container: a symlink in a folder that only root can change, given to Docker as the
// source of a bind mount.
//
// A request to create or start a container that timed out at our side may still be
// carried out, minutes later. When the executor gives up it revokes the lease; then a late
// create is refused ("bind source path does not exist") and a late start fails, because both the
// daemon and the runtime resolve the source again. It must be an entry of HostConfig.Mounts: for one
// of HostConfig.Binds the daemon makes a missing source itself. A start whose runtime resolved the
// source already is not stopped by this; kill the leaf as well.
//
// The lease outlives a crash of the executor; the sandbox itself does not depend on it.
type Lease struct {
	Path    string // <dir>/<container id>.<attempt>
	Attempt int    // the number in Path
}

// maxAttempts bounds the search for an unused attempt number.
const maxAttempts = 1000

// LeasePath is where [NewLease] makes the lease of an attempt.
func LeasePath(dir, containerID string, attempt int) string {
	return filepath.Join(dir, attemptName(containerID, attempt))
}

// attemptName is unique: no container id has a dot ([cgroupnet.CheckContainerID]).
func attemptName(containerID string, attempt int) string {
	return fmt.Sprintf("%s.%d", containerID, attempt)
}

// NewLease makes the lease. dir (for example /run/mesos-docker-executor/leases) is made
// with mode 0700 if missing, its parents with 0755; it is refused when it is a
// symlink, not root's, or writable by others. So are the folders above it, but a sticky one
// such as /tmp and a symlink of root's such as /var/run are fine there. attempt is 1 or more; a number whose lease is left over
// from earlier is never used again, since something of that attempt may still come:
// then the next free number is taken. sandbox is the absolute path of a folder
// that exists; that folder itself must not be a symlink.
func NewLease(dir, containerID string, attempt int, sandbox string) (*Lease, error) {
	if err := cgroupnet.CheckContainerID(containerID); err != nil {
		return nil, fmt.Errorf("make sandbox lease: %w", err)
	}
	if attempt < 1 {
		return nil, fmt.Errorf("make sandbox lease: attempt %d is not 1 or more", attempt)
	}
	if !filepath.IsAbs(sandbox) {
		return nil, fmt.Errorf("make sandbox lease: sandbox %q is not an absolute path", sandbox)
	}
	sandbox = filepath.Clean(sandbox)
	st, err := os.Lstat(sandbox)
	if err == nil && !st.IsDir() {
		err = fmt.Errorf("sandbox %s is not a folder", sandbox)
	}
	if err != nil {
		return nil, fmt.Errorf("make sandbox lease: %w", err)
	}
	if err := makeRootsFolder(dir); err != nil {
		return nil, fmt.Errorf("make sandbox lease: %w", err)
	}
	for n := attempt; n < attempt+maxAttempts; n++ {
		path := LeasePath(dir, containerID, n)
		err := os.Symlink(sandbox, path)
		if err == nil {
			return &Lease{Path: path, Attempt: n}, nil
		}
		if !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("make sandbox lease: %w", err)
		}
	}
	return nil, fmt.Errorf("make sandbox lease: %d leases of container %s are left in %s; remove them when no container of that name exists", maxAttempts, containerID, dir)
}

// Revoke removes the lease. Revoking it again, or after somebody else removed it, is
// fine.
func (l *Lease) Revoke() error {
	err := unix.Unlink(l.Path) // never a folder
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("revoke sandbox lease: %w", &fs.PathError{Op: "unlink", Path: l.Path, Err: err})
	}
	return nil
}
