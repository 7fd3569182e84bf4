package admission

import (
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sys/unix"
)

func (s *shared) kept() ([]byte, error) {
	dir, err := openFolder(s.dir, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer dir.close()
	return s.loadKept(dir)
}

func (s *shared) loadKept(dir *folder) ([]byte, error) {
	text, err := dir.read(s.info, maxKept)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

func (s *shared) keep(f func(before []byte) (after []byte)) error {
	return s.locked(func(dir *folder) error {
		before, err := s.loadKept(dir)
		if err != nil {
			return err
		}
		after := f(before)
		switch {
		case after == nil:
			return nil
		case len(after) > maxKept:
			return dir.failed(s.info, fmt.Errorf("%d bytes are more than are kept (%d)", len(after), maxKept))
		}
		return dir.replace(s.info, after)
	})
}

// locked calls f with the folder while no other executor changes the engine's files.
func (s *shared) locked(f func(*folder) error) error {
	dir, err := openFolder(s.dir, true)
	if err != nil {
		return err
	}
	defer dir.close()
	fd, err := dir.open(s.locks, unix.O_RDWR|unix.O_CREAT)
	if err != nil {
		return err
	}
	defer unix.Close(fd) // and with it the lock
	if err := s.lock(fd); err != nil {
		return dir.failed(s.locks, err)
	}
	defer lockByte(fd, unix.F_UNLCK, changeByte)
	return f(dir)
}
