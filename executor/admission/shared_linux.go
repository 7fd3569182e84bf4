package admission

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"golang.org/x/sys/unix"
)

// changeLimit is how long a change waits for the others', which take microseconds each. On a host with
// hundreds of runnable processes, one that has the lock may lose its core for a while.
const changeLimit = 5 * time.Second

// Bytes of an engine's lock file.
const (
	changeByte = 0 // whoever changes the state, or the text that is kept
	turnByte   = 1 // the first turn's
)

// shared is the store of all executors of the host, in files.
type shared struct {
	dir, state, locks, info string
	random                  func() float64
}

func newShared(dir, name string, random func() float64) *shared {
	return &shared{dir: dir, state: name + ".json", locks: name + ".lock", info: name + ".info.json", random: random}
}

func (s *shared) read() (State, error) {
	dir, err := openFolder(s.dir, false)
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, nil
	}
	if err != nil {
		return State{}, err
	}
	defer dir.close()
	return s.load(dir)
}

func (s *shared) load(dir *folder) (State, error) {
	data, err := dir.read(s.state, maxState)
	if errors.Is(err, fs.ErrNotExist) {
		return State{}, nil
	}
	if err != nil {
		return State{}, err
	}
	state, err := parseState(data)
	if err != nil {
		return State{}, dir.failed(s.state, fmt.Errorf("%w; remove it if no other version of this program runs here", err))
	}
	return state, nil
}

func (s *shared) change(f func(State) State) (after State, err error) {
	err = s.locked(func(dir *folder) error {
		before, err := s.load(dir)
		if err != nil {
			return err
		}
		if after = f(before); after == before {
			return nil
		}
		data, err := formatState(after)
		if err != nil {
			return err
		}
		return dir.replace(s.state, data)
	})
	if err != nil {
		return State{}, err
	}
	return after, nil
}

// lock waits for the others that change the state.
func (s *shared) lock(fd int) error {
	for end := time.Now().Add(changeLimit); ; {
		free, err := lockByte(fd, unix.F_WRLCK, changeByte)
		if free || err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("somebody has kept it locked for %s: is a process stopped?", changeLimit)
		}
		time.Sleep(time.Duration((0.5 + s.random()) * float64(time.Millisecond)))
	}
}

func (s *shared) turn(number uint32) (release func(), err error) {
	dir, err := openFolder(s.dir, true)
	if err != nil {
		return nil, err
	}
	defer dir.close()
	fd, err := dir.open(s.locks, unix.O_RDWR|unix.O_CREAT)
	if err != nil {
		return nil, err
	}
	at := turnByte + int64(number)
	free, err := lockByte(fd, unix.F_WRLCK, at)
	if err != nil || !free {
		unix.Close(fd)
		return nil, err
	}
	return func() { unlock(fd, at) }, nil
}
