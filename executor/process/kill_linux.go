package process

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// KillLimit is how long [Leaf.Kill] tries.
	KillLimit = 2 * time.Second

	// freezeLimit is how long one round waits for the freezer. A process in an
	// uninterruptible sleep does not freeze.
	freezeLimit = 200 * time.Millisecond

	// settleLimit is how long one round waits for the killed processes to be gone
	// before the next one begins.
	settleLimit = 200 * time.Millisecond

	// killPause is the time between two looks at the cgroup.
	killPause = 2 * time.Millisecond

	// killBatch bounds the pidfds that are open at a time.
	killBatch = 128
)

// ErrOwnCgroup says that the calling process itself is in the leaf. Nothing was
// killed.
var ErrOwnCgroup = errors.New("the executor itself is in the leaf cgroup, which is not killed then")

// AliveError says that processes of the leaf survived SIGKILL, which processes in an
// uninterruptible sleep (state D) do until the kernel lets go of them.
type AliveError struct {
	Processes []Process
	After     time.Duration // since the kill began
	Freezer   string        // folder of a frozen v1 cgroup that holds them although Kill thawed the leaf, "" if none
	Cause     error         // what went wrong on the way, may be nil
}

func (e *AliveError) Error() string {
	list := make([]string, len(e.Processes))
	for i, p := range e.Processes {
		list[i] = p.String()
	}
	s := fmt.Sprintf("still alive %v after SIGKILL: process %s", e.After.Round(time.Millisecond), strings.Join(list, ", process "))
	if e.Freezer != "" {
		s += "; frozen: write THAWED to " + filepath.Join(e.Freezer, "freezer.state")
	}
	if e.Cause != nil {
		s += " (" + e.Cause.Error() + ")"
	}
	return s
}

func (e *AliveError) Unwrap() error { return e.Cause }

// Kill ends every process of the leaf and of all cgroups below it and returns when
// they are dead (zombies count as dead). A leaf without processes, or that
// does not exist, is fine. Kill blocks for about [KillLimit] at most; then its error is an
// [*AliveError]. Calling it again is always right. There is no context: what has to be
// killed has to be killed also when the caller's own has ended.
//
// The first round writes cgroup.kill in the unified hierarchy, which takes all processes and
// no fork escapes (cgroups-v2, Linux 5.14; there on hybrid hosts as well, as runc joins
// that hierarchy too). Where this is not possible or leaves something over, the
// next rounds freeze the leaf in the v1 freezer so that nothing forks, send SIGKILL to each
// process, and thaw it.
//
// Every round thaws the whole leaf in the v1 freezer, also after an error: a process
// that is frozen there (docker pause) does not die of SIGKILL until then.
func (l *Leaf) Kill() error {
	began := time.Now()
	for gentle := true; ; gentle = false {
		pids, err := l.pids()
		if err != nil {
			return fmt.Errorf("kill the leaf: %w", err)
		}
		if pids[os.Getpid()] {
			return fmt.Errorf("kill the leaf: %w", ErrOwnCgroup)
		}
		if len(pids) == 0 {
			return l.thaw() // what joins later must be able to die
		}
		failed := l.killRound(gentle)
		left, err := l.settle()
		switch {
		case err != nil:
			return fmt.Errorf("kill the leaf: %w", errors.Join(err, failed))
		case len(left) == 0:
			return nil
		case time.Since(began) >= KillLimit:
			return &AliveError{Processes: left, After: time.Since(began), Freezer: l.holder(), Cause: failed}
		}
	}
}

func (l *Leaf) killRound(gentle bool) error {
	err := l.cgroupKill()
	if gentle && err == nil {
		return l.thaw()
	}
	if errors.Is(err, errNoCgroupKill) {
		err = nil
	}
	frozen := l.freeze()
	signalled := l.signalAll(unix.SIGKILL)
	return errors.Join(err, frozen, signalled, l.thaw())
}

// errNoCgroupKill says that the leaf is in no hierarchy with cgroup.kill.
var errNoCgroupKill = errors.New("no cgroup.kill in the leaf")

func (l *Leaf) cgroupKill() error {
	err := errNoCgroupKill
	for _, h := range l.hierarchies {
		if h.Unified {
			err = writeFile(filepath.Join(h.Folder(l.parent), "cgroup.kill"), "1")
		}
	}
	if gone(err) {
		return errNoCgroupKill
	}
	return err
}

// signalAll sends the signal to each process of the leaf. A process id may pass to
// another process between reading it and using it; so pidfds are opened first, and only
// those are used whose id the leaf still lists afterwards (see [openInit]).
func (l *Leaf) signalAll(sig unix.Signal) error {
	pids, err := l.pids()
	if err != nil {
		return err
	}
	var errs []error
	for batch := range slices.Chunk(slices.Collect(maps.Keys(pids)), killBatch) {
		errs = append(errs, l.signalBatch(batch, sig))
	}
	return errors.Join(errs...)
}

func (l *Leaf) signalBatch(pids []int, sig unix.Signal) error {
	fds := make(map[int]int)
	defer func() {
		for _, fd := range fds {
			unix.Close(fd)
		}
	}()
	for _, pid := range pids {
		if pid <= 0 {
			continue // kill(2) would take it for a group of processes
		}
		fd, err := unix.PidfdOpen(pid, 0)
		if errors.Is(err, unix.ESRCH) || errors.Is(err, unix.EINVAL) {
			continue
		}
		if err != nil {
			return fmt.Errorf("pidfd_open: %w", err)
		}
		fds[pid] = fd
	}
	still, err := l.pids()
	if err != nil {
		return err
	}
	var errs []error
	for pid, fd := range fds {
		if !still[pid] || pid == os.Getpid() {
			continue
		}
		if err := unix.PidfdSendSignal(fd, sig, nil, 0); err != nil && !errors.Is(err, unix.ESRCH) {
			errs = append(errs, fmt.Errorf("send %s to process %d: %w", SignalName(sig), pid, err))
		}
	}
	return errors.Join(errs...)
}

// settle waits until the leaf has no live processes and returns those that are left
// after settleLimit.
func (l *Leaf) settle() ([]Process, error) {
	end := time.Now().Add(settleLimit)
	for {
		left, err := l.Processes()
		if err != nil || len(left) == 0 || !time.Now().Before(end) {
			return left, err
		}
		time.Sleep(killPause)
	}
}
