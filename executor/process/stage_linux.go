package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
)

// Stage is how Docker gets at folders of the sandbox that the task mounts elsewhere in its
// container: a bind mount of each, at a path that only root can change.
//
// The folders belong to the task's user. Docker takes the source of a mount as text and
// resolves it when the container is created and again when it is started: the user could put a symlink
// in the folder's place at any moment, and get any folder of the host. A staged folder is opened once,
// without following symlinks, and what was opened is mounted: replacing, moving or removing it later
// changes nothing of that.
//
// The mounts are on a small tmpfs of their own. So releasing it takes all of them away at once, and
// a Docker daemon in another mount namespace, which the mounts do not reach, does not find the
// sources at all and refuses to create the container, instead of mounting the empty mount points.
// That needs entries of HostConfig.Mounts, as the [Lease] does: a missing source of
// HostConfig.Binds is made by the daemon. The source stays private whatever the entry's propagation is.
//
// The daemon and the executor must be in the same mount namespace, or the daemon's must get the
// executor's mounts by propagation (mount_namespaces(7)). This is not checked here: the daemon may not
// be visible in /proc. In a mount namespace made by the agent (isolator filesystem/linux) the executor
// can stage, but the daemon does not get the mounts.
//
// The mounts outlive a crash of the executor: then they stay, at <dir>/<container id>.<attempt>,
// until they are unmounted by `umount -R`. A mere `rm -r` there would delete the files of the sandbox.
type Stage struct {
	path    string            // <dir>/<container id>.<attempt>; empty when nothing is staged
	sources map[string]string // by clean path relative to the sandbox

	mu       sync.Mutex
	released bool // guarded by mu
}

// StageSandboxDirs stages the folders, given as paths relative to the sandbox. Missing ones are
// made with their parents: new ones belong to the owner and group of the sandbox
// and have its permissions (less the umask). A path that is or passes through a symlink or a file, that contains
// "..", or that changes while it is walked, is refused; the error names it. Mounts of the host in a
// folder are staged with it.
//
// dir (for example /run/mesos-docker-executor/mounts) is made and checked as that of [NewLease] is. sandbox is an
// absolute path, not of a symlink. Something that has the name of this container and attempt already
// is an error (fs.ErrExist). On any error nothing stays but folders of the sandbox. No dirs: nothing is done.
//
// It needs CAP_SYS_ADMIN, and /proc. The mounts hold no file descriptor.
func StageSandboxDirs(dir, containerID string, attempt int, sandbox string, dirs []string) (*Stage, error) {
	s := &Stage{sources: map[string]string{}}
	if len(dirs) == 0 {
		return s, nil
	}
	if err := cgroupnet.CheckContainerID(containerID); err != nil {
		return nil, fmt.Errorf("stage folders of the sandbox: %w", err)
	}
	if attempt < 1 {
		return nil, fmt.Errorf("stage folders of the sandbox: attempt %d is not 1 or more", attempt)
	}
	if !filepath.IsAbs(sandbox) {
		return nil, fmt.Errorf("stage folders of the sandbox: sandbox %q is not an absolute path", sandbox)
	}
	if err := makeRootsFolder(dir); err != nil {
		return nil, fmt.Errorf("stage folders of the sandbox: %w", err)
	}
	path := filepath.Join(dir, attemptName(containerID, attempt))
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, fmt.Errorf("stage folders of the sandbox: %w; if no container %s exists any more, umount -R and rmdir it", err, containerID)
	}
	s.path = path
	if err := s.mount(filepath.Clean(sandbox), dirs); err != nil {
		return nil, errors.Join(fmt.Errorf("stage folders of the sandbox: %w", err), s.Release())
	}
	return s, nil
}

// stageOptions of the tmpfs: it holds nothing but mount points.
const stageOptions = "mode=0700,size=64k"

func (s *Stage) mount(sandbox string, dirs []string) error {
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC // of the tmpfs, not of what is mounted on it
	if err := unix.Mount("mesos-docker-executor", s.path, "tmpfs", flags, stageOptions); err != nil {
		return fmt.Errorf("mount a tmpfs at %s: %w", s.path, err)
	}
	for _, dir := range dirs {
		rel := filepath.Clean(dir)
		if s.sources[rel] != "" {
			continue
		}
		at := filepath.Join(s.path, strconv.Itoa(len(s.sources)))
		if err := stage(sandbox, dir, at); err != nil {
			return fmt.Errorf("folder %q: %w", dir, err)
		}
		s.sources[rel] = at
	}
	return nil
}

// stage mounts one folder of the sandbox at the mount point, which it makes.
func stage(sandbox, dir, at string) error {
	folder, err := openSandboxDir(sandbox, dir)
	if err != nil {
		return err
	}
	defer folder.Close()
	if err := os.Mkdir(at, 0o700); err != nil {
		return err
	}
	// The entries of this folder lead to the open file itself, not along a path (proc_pid_fd(5)). That works for mounts
	// with any kernel; open_tree(2) needs Linux 5.2.
	source := "/proc/thread-self/fd/" + strconv.Itoa(int(folder.Fd()))
	if err := unix.Mount(source, at, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("bind mount at %s: %w", at, err)
	}
	// Until now a mount of the host's in the folder would show in the sandbox, too, and the other way round.
	if err := unix.Mount("", at, "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil {
		return fmt.Errorf("make the mount at %s private: %w", at, err)
	}
	return nil
}

// Source returns the path that is to be given to Docker for a folder, in any spelling of its path
// relative to the sandbox; "" when it is not staged.
func (s *Stage) Source(rel string) string { return s.sources[filepath.Clean(rel)] }

// Release unmounts everything and removes the mount points. From then on a late create is
// refused ("bind source path does not exist") and a late start fails, as after [Lease.Revoke]. A container that
// was started keeps what it has: its mounts are its own copies. Releasing again is fine, also
// after somebody else unmounted or removed the folder.
func (s *Stage) Release() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.released || s.path == "" {
		return nil
	}
	// Not a mount point: EINVAL.
	if err := unix.Unmount(s.path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("release the staged folders: unmount %s: %w", s.path, err)
	}
	if err := unix.Rmdir(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("release the staged folders: %w", &fs.PathError{Op: "rmdir", Path: s.path, Err: err})
	}
	s.released = true
	return nil
}
