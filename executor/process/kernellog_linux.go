package process

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/sys/unix"
)

// kernelLog is the device that gives the kernel's messages, one with each read (Documentation/ABI/testing/dev-kmsg).
const kernelLog = "/dev/kmsg"

// oomRecord is what the kernel's log says of the OOM killer in one cgroup.
type oomRecord struct {
	kills uint64
	own   bool // a limit of the cgroup or of one above was the cause, not the whole host
}

// readKernelLog looks for processes of the cgroup that the OOM killer chose. It reads all that
// the kernel still has, some thousand messages in a few milliseconds. The kernel leaves the
// message out when there are more than ten within five seconds on the host.
func readKernelLog(cgroup string) (oomRecord, error) {
	var found oomRecord
	fd, err := unix.Open(kernelLog, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return found, fmt.Errorf("open %s: %w", kernelLog, err)
	}
	defer unix.Close(fd)
	buffer := make([]byte, 8192)           // the longest message
	for messages := 0; messages < 1<<17; { // a flood of new ones is not followed for ever
		n, err := unix.Read(fd, buffer)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return found, nil
		case errors.Is(err, unix.EPIPE), errors.Is(err, unix.EINTR): // EPIPE: overwritten meanwhile; the next one is there
			continue
		case err != nil:
			return found, fmt.Errorf("read %s: %w", kernelLog, err)
		}
		messages++
		if own, ok := parseOOM(string(buffer[:n]), cgroup); ok {
			found.kills++
			found.own = found.own || own
		}
	}
	return found, nil
}

// parseOOM understands the kernel's message about a process that the OOM killer chose (mm/oom_kill.c, dump_oom_victim; Linux 5.0):
//
//	4,1234,5678,-;oom-kill:constraint=CONSTRAINT_MEMCG,...,task_memcg=/leaf/id,task=sh,pid=42,uid=0
//
// ok is false for all others, and for cgroups that are not the one or below it. The path may have more in front, when
// ours begins at the root of a cgroup namespace. The first number is 8 times the facility, and the priority: who
// writes to the log from outside of the kernel cannot have facility 0.
func parseOOM(message, cgroup string) (own, ok bool) {
	head, text, _ := strings.Cut(message, ";")
	priority, _, _ := strings.Cut(head, ",")
	if len(priority) != 1 || priority > "7" {
		return false, false
	}
	rest, ok := strings.CutPrefix(text, "oom-kill:constraint=")
	if !ok {
		return false, false
	}
	_, victim, ok := strings.Cut(rest, ",task_memcg=")
	if !ok {
		return false, false
	}
	victim, _, _ = strings.Cut(victim, ",task=")
	in := strings.HasSuffix(victim, cgroup) || strings.Contains(victim, cgroup+"/")
	return strings.HasPrefix(rest, "CONSTRAINT_MEMCG,"), in
}
