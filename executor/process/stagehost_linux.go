package process

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

// hostPaths finds a source for each path of the host: a mount of what was opened. unable says why there can be no mounts; "" if
// there can.
func (s *Stage) hostPaths(o StageOptions, unable string) error {
	for i, h := range o.HostPaths {
		o.opening(h.Path)
		source, err := s.hostPath(h, i, o.Daemon, unable)
		if err != nil {
			return err
		}
		s.hosts = append(s.hosts, source)
	}
	return nil
}

func (s *Stage) hostPath(h HostPath, i, daemon int, unable string) (string, error) {
	f, err := openHostPath(h)
	if err != nil {
		return "", &HostPathError{i, err}
	}
	defer f.close()
	source := f.real
	if unable != "" {
		err = f.asItIs(daemon, unable)
	} else {
		source = filepath.Join(s.path, hostPrefix+strconv.Itoa(i))
		err = f.stage(source)
	}
	if err != nil {
		return "", &HostPathError{i, err}
	}
	return source, nil
}

// hostPrefix begins the names of the mount points for paths of the host.
const hostPrefix = "host"

// HostPathError says which of [StageOptions.HostPaths] cannot be mounted, and why.
type HostPathError struct {
	Index int
	Err   error
}

func (e *HostPathError) Error() string { return e.Err.Error() }
func (e *HostPathError) Unwrap() error { return e.Err }

// stage mounts the open file at the mount point, which it makes, and then looks at what that shows: the mounts there are copies that
// nobody changes any more, so what is checked is what the container gets.
func (f *hostFile) stage(at string) error {
	if err := makeMountPoint(at, f.dir); err != nil {
		return err
	}
	flags := uintptr(unix.MS_BIND)
	if f.Recursive {
		flags |= unix.MS_REC
	}
	if err := unix.Mount(procFD(f.fd), at, "", flags, ""); err != nil {
		return fmt.Errorf("%s: bind mount at %s: %w", f.real, at, err)
	}
	if kind := propagation(f.Propagation); kind != 0 {
		if err := unix.Mount("", at, "", kind|unix.MS_REC, ""); err != nil {
			return fmt.Errorf("%s: set the propagation of the mount at %s: %w", f.real, at, err)
		}
	}
	mounts, err := mountinfo.GetMounts(nil)
	if err != nil {
		return fmt.Errorf("%s: %w", f.real, err)
	}
	shown := below(mounts, at)
	if shown[0] == nil || strings.HasSuffix(shown[0].Root, "//deleted") {
		return fmt.Errorf("%s was removed while it was mounted; launch the task again when it is at rest", f.real)
	}
	if err := f.check(mounts, shown); err != nil {
		return err
	}
	if !f.ReadOnly {
		return nil
	}
	return makeReadOnly(shown)
}

func makeMountPoint(at string, dir bool) error {
	if dir {
		return os.Mkdir(at, 0o700)
	}
	file, err := os.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return file.Close()
}

// propagation is the type that a mount needs for the engine to make one of its own with this propagation; 0 if it stays as it is,
// of the group of the host's mount.
func propagation(name string) uintptr {
	switch name {
	case "shared", "rshared":
		return 0
	case "slave", "rslave":
		return unix.MS_SLAVE
	}
	return unix.MS_PRIVATE
}

// unshare takes our mounts of the host's paths out of the groups of the host's: unmounting one with what is mounted in it would
// unmount that on the host, too. The tmpfs that they are on stays in its group, since another namespace of the daemon's is to lose it.
func (s *Stage) unshare() error {
	entries, err := os.ReadDir(s.path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		at := filepath.Join(s.path, entry.Name())
		if !strings.HasPrefix(entry.Name(), hostPrefix) {
			continue
		}
		// Not a mount point: EINVAL.
		if err := unix.Mount("", at, "", unix.MS_PRIVATE|unix.MS_REC, ""); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("make the mount at %s private: %w", at, err)
		}
	}
	return nil
}

// makeReadOnly makes each of the mounts read-only: engines before Docker 25 make only the first one so, and the copies that the
// container gets keep what these have.
func makeReadOnly(mounts []*mountinfo.Info) error {
	for _, m := range mounts {
		flags := uintptr(unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY) // what is not repeated is lost, but for the times of access
		options := strings.Split(m.Options, ",")
		for name, flag := range map[string]uintptr{
			"nosuid": unix.MS_NOSUID, "nodev": unix.MS_NODEV, "noexec": unix.MS_NOEXEC, "nosymfollow": unix.MS_NOSYMFOLLOW,
		} {
			if slices.Contains(options, name) {
				flags |= flag
			}
		}
		if err := unix.Mount("", m.Mountpoint, "", flags, ""); err != nil {
			return fmt.Errorf("make the mount at %s read-only: %w", m.Mountpoint, err)
		}
	}
	return nil
}

// hidden says why the daemon does not get our mounts as they are; "" when it does, or when nobody knows. A namespace that gets them by
// propagation has copies, which are not read-only and take part in the host's later mounts, whatever is done to ours.
func hidden(daemon int) string {
	if daemon == 0 {
		return ""
	}
	our, err := os.Stat("/proc/thread-self/ns/mnt")
	if err != nil {
		return ""
	}
	their, err := os.Stat(procFile(daemon, "ns/mnt"))
	if err != nil || os.SameFile(our, their) { // no permission, see sameFile, or a daemon that has ended
		return ""
	}
	return "the engine is in another mount namespace"
}

// sameFile reports whether the two are one file, or whether it is not known: no one may look at another's root without the
// capabilities that it has (ptrace(2), access mode checking).
func sameFile(ours, theirs string) bool {
	our, err := os.Stat(ours)
	if err != nil {
		return false
	}
	their, err := os.Stat(theirs)
	return os.IsPermission(err) || err == nil && os.SameFile(our, their)
}

// mountsOf reads the mounts that the daemon's containers have; our own when it is not known.
func mountsOf(daemon int) ([]*mountinfo.Info, error) {
	if daemon == 0 {
		return mountinfo.GetMounts(nil)
	}
	file, err := os.Open(procFile(daemon, "mountinfo"))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return mountinfo.GetMountsFromReader(file, nil)
}

// asItIs lets the file be mounted by its path. That takes a path that only root can make lead elsewhere.
func (f *hostFile) asItIs(daemon int, unable string) error {
	remedy := fmt.Sprintf("%s; run the executor as root in the engine's mount namespace (agent without the filesystem/linux isolator)", unable)
	if f.loose != "" {
		return fmt.Errorf("%s cannot be mounted safely: others than root can write to %s, and %s", f.real, f.loose, remedy)
	}
	if daemon != 0 && !sameFile(f.real, filepath.Join(procFile(daemon, "root"), f.real)) {
		return fmt.Errorf("%s is another file for the engine: %s", f.real, remedy)
	}
	mounts, err := mountsOf(daemon)
	if err != nil {
		return fmt.Errorf("%s: %w", f.real, err)
	}
	at := mountOf(mounts, f.real)
	if at == nil {
		return fmt.Errorf("%s is in no mount that is known: %s", f.real, remedy)
	}
	own := *at
	own.Root, own.Mountpoint = filepath.Join(at.Root, strings.TrimPrefix(f.real, at.Mountpoint)), f.real
	shown := []*mountinfo.Info{&own}
	if f.Recursive {
		shown = append(shown, below(mounts, f.real)[1:]...)
	}
	if f.ReadOnly && len(shown) > 1 {
		return fmt.Errorf("%s has mounts in it, which might stay writable: mount it without them (bind-recursive=disabled), or %s", f.real, remedy)
	}
	return f.check(mounts, shown)
}
