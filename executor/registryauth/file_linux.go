package registryauth

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/regular"
)

// readSandboxFile reads a file of the sandbox, given by the elements of its path. The sandbox belongs to the task's user: no element may be
// a symlink, and the file must be regular and have no other name, as a hard link can make any file of the file
// system appear in the sandbox. What was checked is what is read.
func readSandboxFile(sandbox string, elements []string) ([]byte, error) {
	dir, err := unix.Open(sandbox, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("the sandbox cannot be opened: %w", err)
	}
	defer func() { unix.Close(dir) }()
	for _, name := range elements[:len(elements)-1] {
		next, err := unix.Openat(dir, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		if err != nil {
			return nil, explainOpen(name, err)
		}
		unix.Close(dir)
		dir = next
	}
	name := elements[len(elements)-1]
	return readWhole(dir, name, regular.OneName)
}

// readHostFile reads the operator's docker config: a regular file of root's that nobody else may write to, not a symlink. As
// with config.yaml, the folders above it are the operator's to keep.
func readHostFile(path string) ([]byte, error) {
	return readWhole(unix.AT_FDCWD, path, func(st unix.Stat_t) error {
		if st.Uid != 0 || st.Mode&0o022 != 0 {
			return fmt.Errorf("belongs to user %d and has mode %04o; it must be root's, and nobody else may write to it", st.Uid, st.Mode&0o7777)
		}
		return nil
	})
}

// explainOpen keeps ENOENT findable and says what the others mean (open(2), ENOTDIR for a symlink with O_DIRECTORY).
func explainOpen(name string, err error) error {
	if err == unix.ELOOP || err == unix.ENOTDIR {
		return fmt.Errorf("%s is or passes through a symlink or a file that is no folder; put the file itself there", name)
	}
	return fmt.Errorf("%s cannot be opened: %w", name, err)
}

// readWhole opens, checks and reads a file. name is in the open folder dir.
func readWhole(dir int, name string, check func(unix.Stat_t) error) ([]byte, error) {
	f, err := regular.Open(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW, check)
	if errno := unix.Errno(0); errors.As(err, &errno) {
		return nil, explainOpen(name, err)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if len(data) > maxConfig {
		return nil, fmt.Errorf("is larger than %d bytes", maxConfig)
	}
	return data, nil
}
