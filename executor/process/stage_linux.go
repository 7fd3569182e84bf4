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
// container, and at paths of the host that the policy opens: a bind mount of each, at a path that only root can change.
//
// The folders belong to the task's user, and paths of the host may lie in folders of other users. Docker takes the source of a
// mount as text and resolves it when the container is created and again when it is started: the user could put a symlink
// in the folder's place at any moment, and get any folder of the host. A staged folder is opened once,
// without following symlinks, and what was opened is mounted: replacing, moving or removing it later
// changes nothing of that.
//
// The mounts are on a small tmpfs of their own. So releasing it takes all of them away at once, and
// a Docker daemon in another mount namespace, which the mounts do not reach, does not find the
// sources at all and refuses to create the container, instead of mounting the empty mount points.
// That needs entries of HostConfig.Mounts, as the [Lease] does: a missing source of
// HostConfig.Binds is made by the daemon. Folders of the sandbox stay private whatever the entry's propagation is.
//
// The daemon and the executor must be in the same mount namespace or, for folders of the sandbox, the daemon's must get the
// executor's mounts by propagation (mount_namespaces(7)). For those this is not checked: the daemon may not
// be visible in /proc. In a mount namespace made by the agent (isolator filesystem/linux) the executor
// can stage, but the daemon does not get the mounts. Paths of the host can do without, see [StageOptions].
//
// The mounts outlive a crash of the executor: then they stay, at <dir>/<container id>.<attempt>,
// until a sweep releases them (or `umount -R` after `mount --make-rprivate`: it would unmount on the host what is in a mount that
// is shared). A mere `rm -r` there would delete the files of the sandbox.
type Stage struct {
	path    string            // <dir>/<container id>.<attempt>; empty when nothing is staged
	sources map[string]string // of the sandbox, by clean path relative to it
	hosts   []string          // sources of the host's paths, as they were given

	mu       sync.Mutex
	released bool // guarded by mu
}

// StageOptions say what is to be staged for one attempt to start a container.
type StageOptions struct {
	// Dir (for example /run/mesos-docker-executor/mounts) is made and checked as that of [NewLease] is.
	Dir         string
	ContainerID string
	Attempt     int // 1 or more

	// SandboxDirs are paths relative to the sandbox, an absolute path that is not of a symlink. Missing ones are
	// made with their parents: new ones belong to the owner and group of the sandbox
	// and have its permissions (less the umask). A path that is or passes through a symlink or a file, that contains
	// "..", or that changes while it is walked, is refused; the error names it. Mounts of the host in a
	// folder are staged with it.
	Sandbox     string
	SandboxDirs []string

	// HostPaths must exist. Where staging is impossible, because CAP_SYS_ADMIN is missing or Daemon is in another mount namespace, those
	// are let through as they are whose folders above are all root's and writable by nobody else.
	HostPaths []HostPath
	// Opening, if not nil, is called with each folder and path before that is opened, which takes for ever where a file system does
	// not answer.
	Opening func(path string)
	// Daemon is the PID of dockerd. When it is 0, not known, the mounts are taken for visible to it: if they are not, it refuses
	// to create the container.
	Daemon int
}

func (o StageOptions) opening(path string) {
	if o.Opening != nil {
		o.Opening(path)
	}
}

// NewStage stages folders of the sandbox and paths of the host. Something that has the name of this container and attempt already
// is an error (fs.ErrExist). On any error nothing stays but folders of the sandbox. Nothing to stage: nothing is done.
//
// It needs CAP_SYS_ADMIN, and /proc. The mounts hold no file descriptor. It has no time limit: see Opening.
func NewStage(o StageOptions) (*Stage, error) {
	s := &Stage{sources: map[string]string{}}
	if len(o.SandboxDirs) == 0 && len(o.HostPaths) == 0 {
		return s, nil
	}
	if err := cgroupnet.CheckContainerID(o.ContainerID); err != nil {
		return nil, fmt.Errorf("stage mounts: %w", err)
	}
	if o.Attempt < 1 {
		return nil, fmt.Errorf("stage mounts: attempt %d is not 1 or more", o.Attempt)
	}
	if len(o.SandboxDirs) > 0 && !filepath.IsAbs(o.Sandbox) {
		return nil, fmt.Errorf("stage mounts: sandbox %q is not an absolute path", o.Sandbox)
	}
	if err := makeRootsFolder(o.Dir); err != nil {
		return nil, fmt.Errorf("stage mounts: %w", err)
	}
	path := filepath.Join(o.Dir, attemptName(o.ContainerID, o.Attempt))
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, fmt.Errorf("stage mounts: %w; if no container %s exists any more, mount --make-rprivate, umount -R and rmdir it", err, o.ContainerID)
	}
	s.path = path
	err := s.mount(o)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("stage mounts: %w", err), s.Release())
	}
	return s, nil
}

// stageOptions of the tmpfs: it holds nothing but mount points.
const stageOptions = "mode=0700,size=64k"

func (s *Stage) mount(o StageOptions) error {
	const flags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC // of the tmpfs, not of what is mounted on it
	err := unix.Mount("mesos-docker-executor", s.path, "tmpfs", flags, stageOptions)
	if errors.Is(err, unix.EPERM) && len(o.SandboxDirs) == 0 {
		return s.hostPaths(o, "the executor has no CAP_SYS_ADMIN")
	}
	if err != nil {
		return fmt.Errorf("mount a tmpfs at %s: %w", s.path, err)
	}
	for _, dir := range o.SandboxDirs {
		rel := filepath.Clean(dir)
		if s.sources[rel] != "" {
			continue
		}
		o.opening(filepath.Join(o.Sandbox, rel))
		at := filepath.Join(s.path, strconv.Itoa(len(s.sources)))
		if err := stage(filepath.Clean(o.Sandbox), dir, at); err != nil {
			return fmt.Errorf("folder %q: %w", dir, err)
		}
		s.sources[rel] = at
	}
	return s.hostPaths(o, hidden(o.Daemon))
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
	// This works for mounts with any kernel; open_tree(2) needs Linux 5.2.
	if err := unix.Mount(procFD(int(folder.Fd())), at, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
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

// HostSource returns the path that is to be given to Docker for one of the host's paths, by its index.
func (s *Stage) HostSource(i int) string { return s.hosts[i] }

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
	if err := s.unshare(); err != nil {
		return fmt.Errorf("release the staged folders: %w", err)
	}
	// Not a mount point: EINVAL, or EPERM without CAP_SYS_ADMIN, by which there was none. Rmdir tells the difference.
	if err := unix.Unmount(s.path, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW); err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("release the staged folders: unmount %s: %w", s.path, err)
	}
	if err := unix.Rmdir(s.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("release the staged folders: %w", &fs.PathError{Op: "rmdir", Path: s.path, Err: err})
	}
	s.released = true
	return nil
}
