package admission

import (
	"golang.org/x/sys/unix"
)

// queueByte of a lock file is behind those of the slots: whoever waits shares a lock on it.
const queueByte = maxSlots

// slotFile has a byte for each slot.
type slotFile struct {
	dir    *folder
	name   string
	limit  int
	random func() float64
	fd     int
	kept   bool // the descriptor is the holder's
}

func openSlots(dir, name string, limit int, random func() float64) (slots, error) {
	at, err := openFolder(dir, true)
	if err != nil {
		return nil, err
	}
	fd, err := at.open(name, unix.O_RDWR|unix.O_CREAT)
	if err != nil {
		at.close()
		return nil, err
	}
	return &slotFile{dir: at, name: name, limit: limit, random: random, fd: fd}, nil
}

// take looks at all slots, from one at random: the first ones would else be the only ones to be looked at.
func (s *slotFile) take() (leave func(), err error) {
	first := int(s.random() * float64(s.limit))
	for i := range s.limit {
		at := int64((first + i) % s.limit)
		free, err := lockByte(s.fd, unix.F_WRLCK, at)
		if err != nil {
			return nil, s.dir.failed(s.name, err)
		}
		if !free {
			continue
		}
		if _, err := lockByte(s.fd, unix.F_UNLCK, queueByte); err != nil {
			return nil, s.dir.failed(s.name, err)
		}
		s.kept = true
		return func() { unlock(s.fd, at) }, nil
	}
	return nil, nil
}

func (s *slotFile) awaited() (bool, error) {
	yes, err := locked(s.fd, queueByte)
	if err != nil {
		return false, s.dir.failed(s.name, err)
	}
	return yes, nil
}

func (s *slotFile) queue() error {
	if _, err := lockByte(s.fd, unix.F_RDLCK, queueByte); err != nil {
		return s.dir.failed(s.name, err)
	}
	return nil
}

func (s *slotFile) close() {
	s.dir.close()
	if !s.kept {
		unlock(s.fd, queueByte)
	}
}
