package localagent

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// signalTree signals the process and its descendants, as os::killtree does
// for the Docker containerizer. Descendants are signalled through a pidfd that
// was opened before their parent was looked at once more, so that a pid in new
// hands is left alone.
func (p *process) signalTree(sig syscall.Signal) {
	descendants := descendantsOf(p.Pid)
	_ = p.Signal(sig) // gone already: fine
	for _, child := range descendants {
		fd, err := unix.PidfdOpen(child.pid, 0)
		if err != nil {
			continue
		}
		if now, ok := readStat(child.pid); ok && now.start == child.start {
			_ = unix.PidfdSendSignal(fd, sig, nil, 0)
		}
		unix.Close(fd)
	}
}

// stat is what identifies a process in /proc.
type stat struct {
	pid, parent int
	start       string // in clock ticks since boot
}

func descendantsOf(root int) []stat {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	children := make(map[int][]stat)
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		if s, ok := readStat(pid); ok {
			children[s.parent] = append(children[s.parent], s)
		}
	}
	var found []stat
	for queue := []int{root}; len(queue) > 0; queue = queue[1:] {
		for _, child := range children[queue[0]] {
			found = append(found, child)
			queue = append(queue, child.pid)
		}
	}
	return found
}

// readStat reads /proc/<pid>/stat: fields 4 (ppid) and 22 (starttime), counted
// behind the command name, which may hold anything (proc_pid_stat(5)).
func readStat(pid int) (stat, bool) {
	raw, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	end := bytes.LastIndexByte(raw, ')')
	if err != nil || end < 0 {
		return stat{}, false
	}
	fields := strings.Fields(string(raw[end+1:]))
	if len(fields) < 20 {
		return stat{}, false
	}
	parent, err := strconv.Atoi(fields[1])
	return stat{pid: pid, parent: parent, start: fields[19]}, err == nil
}
