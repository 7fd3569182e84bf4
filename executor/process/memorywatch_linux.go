package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// The kernel announces out-of-memory in a v1 cgroup before it chooses whom to kill, counts the
// kill, and then sends SIGKILL (mm/memcontrol-v1.c, memcg1_oom_prepare; mm/oom_kill.c,
// __oom_kill_process). So what is read after the announcement may be too early, and is read again
// after these pauses, about a second in all: the kernel may take long to find a victim, or there
// is none (oom_kill_disable).
const (
	oomPause     = time.Millisecond
	oomPauseMost = 512 * time.Millisecond
)

// watch asks for an announcement of each out-of-memory of a v1 cgroup, by an eventfd
// (Documentation/admin-guide/cgroup-v1/memory.rst, "OOM Control"), and starts the goroutine that
// reads the counters then. It costs that and one descriptor, and wakes up for nothing else but the
// removal of the cgroup.
func (m *Memory) watch(dir string) error {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return fmt.Errorf("eventfd: %w", err)
	}
	events := os.NewFile(uintptr(fd), "eventfd")
	registration := strconv.Itoa(fd) + " " + strconv.Itoa(int(m.oom.Fd()))
	if err := writeFile(filepath.Join(dir, "cgroup.event_control"), registration); err != nil {
		events.Close()
		return fmt.Errorf("watch for out-of-memory: %w", err)
	}
	m.events = events
	m.watching.Go(m.readAtEvents)
	return nil
}

// readAtEvents ends with Close, or with the cgroup.
func (m *Memory) readAtEvents() {
	var counter [8]byte
	for {
		if _, err := m.events.Read(counter[:]); err != nil || !m.readUntilCounted() {
			return
		}
	}
}

// readUntilCounted reads until a kill more than before is counted, or none is to be expected any more. It returns false when
// nothing can be read any more.
func (m *Memory) readUntilCounted() bool {
	before := m.best().OOMKills
	for pause := oomPause; ; pause *= 2 {
		r, err := m.readAndRemember()
		if err != nil {
			return false
		}
		if r.OOMKills > before || pause > oomPauseMost {
			return true
		}
		select {
		case <-time.After(pause):
		case <-m.closed:
			return false
		}
	}
}
