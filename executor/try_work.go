package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/localagent"
)

// workPrefix begins the names of the work directories; kept ones have keptPrefix, and are never swept.
const (
	workPrefix = "mesos-docker-executor-try-"
	keptPrefix = "mesos-docker-executor-kept-"
)

// workDir is a folder in the temporary folder. It is locked for as long as its process lives, however that ends (flock(2)):
// an unlocked one was left by a try that was killed.
type workDir struct {
	path string
	lock *os.File
}

// openWork makes a work directory, and first removes those that were left.
func openWork(ctx context.Context, keep bool) (*workDir, error) {
	left, err := filepath.Glob(filepath.Join(os.TempDir(), workPrefix+"*"))
	for _, path := range left {
		err = errors.Join(err, sweepWork(ctx, path))
	}
	if err != nil {
		say(fmt.Sprintf("try: what an earlier try left behind stays: %v", err))
	}
	prefix := workPrefix
	if keep {
		prefix = keptPrefix
	}
	for {
		path, err := os.MkdirTemp("", prefix)
		if err != nil {
			return nil, fmt.Errorf("cannot make a work directory: %w", err)
		}
		work, err := lockWork(path, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue // another try swept it before it was locked
		}
		if err != nil {
			return nil, fmt.Errorf("cannot lock the work directory: %w", errors.Join(err, os.Remove(path)))
		}
		return work, nil
	}
}

// lockWork locks a folder of ours. With LOCK_NB as flag a folder in use is EWOULDBLOCK.
func lockWork(path string, flag int) (*workDir, error) {
	lock, err := os.OpenFile(path, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err = unix.Flock(int(lock.Fd()), unix.LOCK_EX|flag); err == nil {
		_, err = os.Lstat(path) // whoever had the lock may have removed it
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return &workDir{path, lock}, nil
}

func (w *workDir) remove() error {
	defer w.lock.Close() // last, or another process takes it for one that was left
	return os.RemoveAll(w.path)
}

// sweepWork removes a folder that was left, unless it is in use or somebody else's.
func sweepWork(ctx context.Context, path string) error {
	if !ours(path) {
		return nil
	}
	work, err := lockWork(path, unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	err = localagent.Sweep(ctx, filepath.Join(path, agentFolder))
	if err == nil {
		return work.remove()
	}
	work.lock.Close()
	if errors.Is(err, localagent.ErrExecutorLives) {
		return nil // the next one's turn
	}
	return err
}

// ours tells whether a path is a folder of this user: anybody may make one in /tmp.
func ours(path string) bool {
	var stat unix.Stat_t
	return unix.Lstat(path, &stat) == nil && stat.Mode&unix.S_IFMT == unix.S_IFDIR && int(stat.Uid) == os.Geteuid()
}
