package process

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"mesos-docker-executor/cgroupnet"
)

// Memory reads the memory cgroup of a container. Its files are open from the start,
// so that reading takes no look-up of a folder that runc removes soon after the container's
// death.
type Memory struct {
	oom, limit, peak *os.File
}

// MemoryReport is what the container's memory cgroup tells.
type MemoryReport struct {
	OOMKills uint64 // processes of the container killed by the OOM killer, for whichever limit, the host's included
	Limit    uint64 // bytes; 0 = none
	Peak     uint64 // bytes, highest use so far; 0 = unknown (cgroup v2 before Linux 5.19)
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
// memory.events, memory.max and memory.peak of v2. Both counters are those
// of the cgroup that the victim was in.
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
		m, err := openMemory(dir, "memory.oom_control", "memory.limit_in_bytes", "memory.max_usage_in_bytes")
		if !gone(err) {
			return m, err
		}
	}
	for _, dir := range v2 {
		m, err := openMemory(dir, "memory.events", "memory.max", "memory.peak")
		if !gone(err) {
			return m, err
		}
	}
	return nil, fmt.Errorf("open memory cgroup: %w", ErrCgroupGone)
}

func openMemory(dir, oom, limit, peak string) (*Memory, error) {
	m := &Memory{}
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
	return m, nil
}

// Read reads the present values. Do it as soon as the death of the container is
// seen ([Init.Dead]), before waiting for anything else: the daemon removes the cgroup
// about 20 ms after the death. Then the error is [ErrCgroupGone], since the kernel
// answers ENODEV also on files that were opened before, and only Docker's own OOMKilled is
// left to ask.
func (m *Memory) Read() (MemoryReport, error) {
	r, err := m.read()
	if gone(err) {
		err = fmt.Errorf("%w (%v)", ErrCgroupGone, err)
	}
	if err != nil {
		return MemoryReport{}, fmt.Errorf("read memory cgroup: %w", err)
	}
	return r, nil
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

// Close closes the files.
func (m *Memory) Close() error {
	var errs []error
	for _, f := range []*os.File{m.oom, m.limit, m.peak} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
