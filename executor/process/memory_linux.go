package process

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"mesos-docker-executor/cgroupnet"
)

// Memory reads the memory cgroup of a container. Its files are open from the start,
// so that reading takes no look-up of a folder that runc removes soon after the container's
// death. What was read stays known after that.
//
// With cgroup v1 it reads by itself as soon as the kernel announces that the memory is used up,
// which is before the kill. With cgroup v2 the leaf counts the kills of all cgroups below it, and
// outlives them. Where that is too late or not there, the kernel's log may tell.
type Memory struct {
	oom, limit, peak *os.File // of the container's cgroup; peak may be nil
	leafOOM          *os.File // v2: memory.events of the leaf; may be nil
	cgroup           string   // its path below the root of the hierarchy

	events   *os.File       // v1: the eventfd; may be nil
	watching sync.WaitGroup // the goroutine that reads events
	closed   chan struct{}

	mu   sync.Mutex // guards seen
	seen MemoryReport
}

// MemoryReport is what the container's memory cgroup tells.
type MemoryReport struct {
	OOMKills uint64 // processes of the container killed by the OOM killer, for whichever limit, the host's included
	Limit    uint64 // bytes; 0 = none, or unknown where the kill is known from the kernel's log alone
	Peak     uint64 // bytes, highest use so far; 0 = unknown (cgroup v2 before Linux 5.19, or a kill known from elsewhere)
}

// ErrCgroupGone says that the container's memory cgroup was removed: what it counted
// cannot be known any more.
var ErrCgroupGone = errors.New("the container's memory cgroup was removed")

// OpenMemory opens the files of the container's memory cgroup. Call it when the init
// process is there ([Leaf.WatchInit]); it does not wait. The error is
// [ErrCgroupGone] when there is no such cgroup (or not any more).
//
// Files: memory.oom_control, memory.limit_in_bytes and memory.max_usage_in_bytes of
// v1 (Documentation/admin-guide/cgroup-v1/memory.rst; oom_kill since Linux 4.17),
// memory.events, memory.max and memory.peak of v2 (Documentation/admin-guide/cgroup-v2.rst).
// The counter of v1 is that of the cgroup that the victim was in; that of v2 has those below it in it.
func (l *Leaf) OpenMemory(dockerID string) (*Memory, error) {
	v1, err := l.containerDirs(dockerID, func(h cgroupnet.Hierarchy) bool { return !h.Unified && h.Has("memory") })
	if err != nil {
		return nil, fmt.Errorf("open memory cgroup: %w", err)
	}
	v2, err := l.containerDirs(dockerID, func(h cgroupnet.Hierarchy) bool { return h.Unified && h.Has("memory") })
	if err != nil {
		return nil, fmt.Errorf("open memory cgroup: %w", err)
	}
	for _, dir := range v1 {
		m, err := openMemory(dir, path.Join(l.parent, filepath.Base(dir)), "memory.oom_control", "memory.limit_in_bytes", "memory.max_usage_in_bytes")
		if err == nil {
			// Without the announcement (kernels with PREEMPT_RT have none) there is what Read finds.
			_ = m.watch(dir)
		}
		if !gone(err) {
			return m, err
		}
	}
	for _, dir := range v2 {
		m, err := openMemory(dir, path.Join(l.parent, filepath.Base(dir)), "memory.events", "memory.max", "memory.peak")
		if err == nil {
			err = m.openLeaf(filepath.Dir(dir))
		}
		if !gone(err) {
			return m, err
		}
	}
	return nil, fmt.Errorf("open memory cgroup: %w", ErrCgroupGone)
}

func openMemory(dir, cgroup, oom, limit, peak string) (*Memory, error) {
	m := &Memory{cgroup: cgroup, closed: make(chan struct{})}
	var err error
	if m.oom, err = os.Open(filepath.Join(dir, oom)); err != nil {
		return nil, err
	}
	if m.limit, err = os.Open(filepath.Join(dir, limit)); err != nil {
		m.Close()
		return nil, err
	}
	if m.peak, err = os.Open(filepath.Join(dir, peak)); err != nil && !gone(err) {
		m.Close()
		return nil, err
	}
	_, _ = m.readAndRemember() // the limit is needed when the cgroup is gone; an error will come again
	return m, nil
}

// openLeaf opens the counters of the leaf. It may have none: then those of the container have to do.
func (m *Memory) openLeaf(dir string) error {
	var err error
	if m.leafOOM, err = os.Open(filepath.Join(dir, "memory.events")); err != nil && !gone(err) {
		m.Close()
		return err
	}
	return nil
}

// Read reads the present values. Do it as soon as the death of the container is
// seen ([Init.Dead]), before waiting for anything else: the daemon removes the cgroup
// about 20 ms after the death, and the kernel answers ENODEV then also on files that were opened before.
//
// From then on Read returns what was last read, when that has a kill in it, else what the leaf
// or the kernel's log has of one. When nobody tells of a kill the error is [ErrCgroupGone], as
// there may have been one after all, and only Docker's own OOMKilled is left to ask.
func (m *Memory) Read() (MemoryReport, error) {
	r, err := m.readAndRemember()
	if gone(err) {
		return m.remains(err)
	}
	if err != nil {
		return MemoryReport{}, fmt.Errorf("read memory cgroup: %w", err)
	}
	return r, nil
}

// remains returns what is known of a cgroup that is gone.
func (m *Memory) remains(cause error) (MemoryReport, error) {
	r := m.best()
	if r.OOMKills > 0 {
		return r, nil
	}
	if m.leafOOM != nil {
		// Zero proves nothing: a hierarchy mounted with memory_localevents does not count what is below.
		if kills, err := readKey(m.leafOOM, "oom_kill"); err == nil && kills > 0 {
			return MemoryReport{OOMKills: kills, Limit: r.Limit}, nil
		}
	}
	log, err := readKernelLog(m.cgroup)
	if log.kills == 0 {
		return MemoryReport{}, fmt.Errorf("read memory cgroup: %w (%v)", ErrCgroupGone, errors.Join(cause, err))
	}
	r.OOMKills = log.kills
	if log.own {
		r.Peak = 0 // more than was last read
	}
	return r, nil
}

// readAndRemember reads the present values; the numbers only grow, but for the limit.
func (m *Memory) readAndRemember() (MemoryReport, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, err := m.read()
	if err == nil {
		m.seen = r
	}
	return r, err
}

// best returns what was last read.
func (m *Memory) best() MemoryReport {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seen
}

func (m *Memory) read() (r MemoryReport, err error) {
	if r.OOMKills, err = readKey(m.oom, "oom_kill"); err != nil {
		return r, err
	}
	if r.Limit, err = readBytes(m.limit); err != nil {
		return r, err
	}
	if m.peak != nil {
		r.Peak, err = readBytes(m.peak)
	}
	return r, err
}

// readAll reads the file from its beginning.
func readAll(f *os.File) (string, error) {
	var buf [4096]byte // a cgroup file of this kind has some 100 bytes
	n, err := f.ReadAt(buf[:], 0)
	if n > 0 {
		return string(buf[:n]), nil
	}
	return "", err
}

// readKey reads the value of one key of a file with a key and a number in each line.
func readKey(f *os.File, key string) (uint64, error) {
	text, err := readAll(f)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); len(fields) == 2 && fields[0] == key {
			return strconv.ParseUint(fields[1], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s: no %s (Linux 4.17 is needed)", f.Name(), key)
}

// readBytes reads a number of bytes; no limit is "max" in v2, and in v1 the largest
// signed number rounded down to whole pages.
func readBytes(f *os.File) (uint64, error) {
	text, err := readAll(f)
	if err != nil {
		return 0, err
	}
	text = strings.TrimSpace(text)
	if text == "max" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if n >= math.MaxInt64-uint64(os.Getpagesize()) {
		n = 0
	}
	return n, err
}

// Close ends the goroutine and closes the files. Call it once.
func (m *Memory) Close() error {
	close(m.closed)
	var errs []error
	if m.events != nil {
		errs = append(errs, m.events.Close())
		m.watching.Wait()
	}
	for _, f := range []*os.File{m.oom, m.limit, m.peak, m.leafOOM} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
