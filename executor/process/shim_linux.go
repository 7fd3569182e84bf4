package process

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Shim is the containerd shim of a container: the process that started the container's
// init, gets its exit status from the kernel, and tells it to who asks. It runs on when dockerd and
// containerd hang or are gone, and answers without them.
//
// The pidfd that it holds means this one process for ever, like that of [Init].
type Shim struct {
	PID       int    // in our PID namespace
	StartTime uint64 // clock ticks after boot, field 22 of proc_pid_stat(5)

	dockerID string
	address  shimAddress
	init     *Init
	pidfd    *os.File
}

// ErrNoShim says that the container has no shim, or none any more. A container whose shim died runs on,
// until containerd notices and kills it.
var ErrNoShim = errors.New("the container has no containerd shim (any more)")

// ErrShimForgot says that the shim does not know the container any more: containerd had it delete what it
// knew.
var ErrShimForgot = errors.New("the shim does not know the container any more")

const (
	// shimPrefix begins the name of every shim's program (containerd, runtime/v2/README.md, "Binary Naming").
	shimPrefix = "containerd-shim"

	// ancestry is how far above the init process the shim is at most. It is the parent,
	// as the nearest subreaper; but while the container is created, runc is in between.
	ancestry = 4

	// ancestryTries is how often the ancestors are looked up again after they changed meanwhile.
	ancestryTries = 5
)

// Shim finds the shim of the container whose init process is held, without a daemon: the nearest
// ancestor whose program is a shim and whose command line has -id and the container's id. It does
// not wait, and may be called as soon as there is an init process. The error is [ErrNoShim]
// when no ancestor is that: the shim died, so that its children have another parent, or the
// runtime has no shim. Close the Shim after use.
func (i *Init) Shim(dockerID string) (*Shim, error) {
	if _, err := childNames(dockerID); err != nil {
		return nil, fmt.Errorf("find the container's shim: %w", err)
	}
	for range ancestryTries {
		s, err := i.findShim(dockerID)
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, errAncestors) {
			return nil, fmt.Errorf("find the container's shim: %w", err)
		}
	}
	return nil, fmt.Errorf("find the container's shim: %w", errAncestors)
}

// errAncestors says that another process became the parent during the look-up.
var errAncestors = errors.New("the ancestors of the container's init process keep changing")

func (i *Init) findShim(dockerID string) (*Shim, error) {
	line, err := i.ancestors()
	if err != nil {
		return nil, err
	}
	at := slices.IndexFunc(line, func(pid int) bool { return isShim(pid, dockerID) })
	if at < 0 {
		return nil, i.unchanged(line, ErrNoShim)
	}
	pidfd, err := openPidfd(line[at])
	if err != nil {
		return nil, err
	}
	if pidfd == nil {
		return nil, errAncestors
	}
	s := &Shim{PID: line[at], dockerID: dockerID, init: i, pidfd: pidfd}
	if err := s.prove(line[:at+1]); err != nil {
		pidfd.Close()
		return nil, err
	}
	return s, nil
}

// prove makes sure that the pidfd is that of the shim, and reads its address. A process keeps its parent until that dies:
// when the line of ancestors is the same before and after the pidfd was opened, and the
// pidfd's process is alive, its id meant one process all the while.
func (s *Shim) prove(line []int) error {
	st, err := readStat(s.PID)
	if err != nil || !isShim(s.PID, s.dockerID) {
		return s.init.unchanged(line, errors.Join(ErrNoShim, err))
	}
	s.StartTime = st.startTime
	var addressErr error
	s.address, addressErr = readShimAddress(s.PID, s.dockerID)
	if err := s.init.unchanged(line, nil); err != nil {
		return err
	}
	if s.dead() {
		return ErrNoShim
	}
	return addressErr
}

// ancestors lists the ids of the init process's parent, of that one's parent and so on.
func (i *Init) ancestors() ([]int, error) {
	st, err := readStat(i.PID)
	if gone(err) || err == nil && st.startTime != i.StartTime {
		return nil, fmt.Errorf("%w: its init process is gone", ErrNoShim)
	}
	var line []int
	for err == nil && len(line) < ancestry && st.parent > 1 {
		line = append(line, st.parent)
		st, err = readStat(st.parent)
	}
	if gone(err) {
		return nil, errAncestors
	}
	return line, err
}

// unchanged returns err when the ancestors are still the same, else errAncestors or what went wrong.
func (i *Init) unchanged(line []int, err error) error {
	now, lookUp := i.ancestors()
	switch {
	case lookUp != nil:
		return lookUp
	case len(now) < len(line) || !slices.Equal(now[:len(line)], line):
		return errAncestors
	}
	return err
}

// isShim reports whether the process runs a shim's program for the container.
func isShim(pid int, dockerID string) bool {
	program, err := os.Readlink(procFile(pid, "exe"))
	if err != nil || !strings.HasPrefix(filepath.Base(program), shimPrefix) {
		return false
	}
	id, _ := shimFlag(pid, "id")
	return id == dockerID
}

// shimFlag returns the value of a flag on the command line of the process. Shims use Go's package flag.
func shimFlag(pid int, name string) (value string, ok bool) {
	text, err := os.ReadFile(procFile(pid, "cmdline"))
	if err != nil {
		return "", false
	}
	words := strings.Split(string(bytes.TrimSuffix(text, []byte{0})), "\x00")
	for n, word := range words {
		flag := strings.TrimPrefix(strings.TrimPrefix(word, "-"), "-")
		if n == 0 || flag == word {
			continue
		}
		if flag == name && n+1 < len(words) {
			return words[n+1], true
		}
		if value, ok := strings.CutPrefix(flag, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

// The pauses of [Shim.Wait] between two tries.
const (
	shimPause     = 10 * time.Millisecond
	shimPauseMost = time.Second
)

// Wait blocks until the shim says that the init process exited, and returns what it says. The shim
// knows it as soon as it has reaped the process, and tells only one number: see [Exit.Code].
//
// It blocks as long as the shim is stopped or wedged, too: ctx ends it, and the error wraps
// context.Cause(ctx). Other errors mean that this shim will never tell: [ErrNoShim] when it
// died, [ErrShimForgot] when it was asked too late. Wait only asks for what the shim knows, and
// changes nothing for containerd. It needs the Init open: with that closed it takes the process for dead.
func (s *Shim) Wait(ctx context.Context) (Exit, error) {
	for pause := shimPause; ; pause = min(2*pause, shimPauseMost) {
		// Read before the question: that it has no such container, from before the death, is no answer, the
		// container is being created.
		over := s.init.over()
		code, err := s.address.wait(ctx, s.dockerID)
		var refused *ttrpcError
		switch {
		case err == nil && code <= 255:
			return Exit{Status: unix.WaitStatus(code << 8), Known: true, Source: SourceShim}, nil
		case err == nil:
			err = fmt.Errorf("it says %d, which is no exit status", code)
		case ctx.Err() != nil:
			err = context.Cause(ctx)
		case s.dead():
			err = fmt.Errorf("%w: it died", ErrNoShim)
		case errors.As(err, &refused) && !refused.notYet():
		case errors.As(err, &refused) && over:
			err = fmt.Errorf("%w (%v)", ErrShimForgot, refused)
		case errors.Is(err, errTTRPC):
		default: // created just now, or the connection failed
			select {
			case <-time.After(pause):
				continue
			case <-ctx.Done():
				err = context.Cause(ctx)
			}
		}
		return Exit{}, fmt.Errorf("wait for the shim, process %d: %w", s.PID, err)
	}
}

// Kill sends SIGKILL to the shim itself: the last rung for a container whose dead init the shim
// does not reap, because it is stopped or wedged. The init process is then reaped by another
// process (the nearest subreaper above the shim, else process 1), which makes the status known to
// [Init.Wait], and the engine lets go of the container. The shim's own account of the exit is lost,
// and Docker's will be 137 whatever the status was: read [Init.Zombie] first. The error is
// os.ErrProcessDone when the shim is gone.
func (s *Shim) Kill() error {
	if s.dead() { // a signal to one that is not reaped would be no error
		return os.ErrProcessDone
	}
	err := sendSignal(s.pidfd, unix.SIGKILL)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		err = fmt.Errorf("send SIGKILL to the shim, process %d: %w", s.PID, err)
	}
	return err
}

// Process describes the shim for messages; ok is false when it is dead.
func (s *Shim) Process() (p Process, ok bool) {
	st, err := readStat(s.PID)
	if err != nil || st.startTime != s.StartTime || st.dead() {
		return Process{}, false
	}
	return st.describe(s.PID), true
}

// Stopped reports whether the shim is stopped by a signal or a debugger (state T or t). A shim that is wedged otherwise looks like any
// that sleeps.
func (s *Shim) Stopped() bool {
	p, ok := s.Process()
	return ok && (p.State == "T" || p.State == "t")
}

// dead reports whether the shim is dead; after Close it is taken for dead.
func (s *Shim) dead() bool { return isOver(s.pidfd) }

// Close closes the pidfd. A Wait that goes on ends at its next try.
func (s *Shim) Close() error { return s.pidfd.Close() }
