package engine

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// containerdSocket is where dockerd looks for a containerd that it has not started itself.
const containerdSocket = "/run/containerd/containerd.sock"

// processTable is a look at the processes of the host that belong to its engines.
type processTable []entry

type entry struct {
	Process
	parent int
}

// peer returns the PID of who listens at the other end of a connection, 0 if that isn't known: the kernel notes the credentials of
// listen(2), unix(7), so it is systemd's if that has opened the socket.
func peer(conn net.Conn) (pid int) {
	u, ok := conn.(*net.UnixConn)
	if !ok {
		return 0
	}
	raw, err := u.SyscallConn()
	if err != nil {
		return 0
	}
	raw.Control(func(fd uintptr) { //nolint:errcheck // pid stays 0
		if creds, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(creds.Pid)
		}
	})
	return pid
}

// processes reads /proc, as far as it can be read.
func processes() processTable {
	folders, _ := filepath.Glob("/proc/[0-9]*") // the pattern is good
	var all processTable
	for _, folder := range folders {
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err != nil {
			continue
		}
		e, ok := readStat(pid)
		if ok && slices.Contains([]string{"dockerd", "containerd", "containerd-shim"}, e.Name) {
			all = append(all, e)
		}
	}
	return all
}

// readStat reads the first fields of proc_pid_stat(5): pid (name) state parent. The name may hold anything. The kernel cuts it after 15 bytes,
// which makes "containerd-shim" of every shim.
func readStat(pid int) (entry, bool) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	open, end := strings.IndexByte(string(text), '('), strings.LastIndexByte(string(text), ')')
	if err != nil || open < 0 || end < open {
		return entry{}, false
	}
	fields := strings.Fields(string(text[end+1:]))
	if len(fields) < 2 || fields[0] == "Z" || fields[0] == "X" {
		return entry{}, false
	}
	parent, err := strconv.Atoi(fields[1])
	return entry{Process{string(text[open+1 : end]), pid, fields[0]}, parent}, err == nil
}

// again looks at the process anew.
func (p Process) again() Process {
	if p.PID == 0 {
		return p
	}
	now, ok := readStat(p.PID)
	if !ok || now.Name != p.Name {
		p.State = ""
		return p
	}
	return now.Process
}

// words is a process's command line, nil if it has ended.
func words(pid int) []string {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
}

// dockerd returns the process with that PID if it is one, else the one that was told to listen on the socket, else the only one: among the
// children of that process, systemd, if one is there. A container may have a dockerd of its own, which was told the same socket.
func (t processTable) dockerd(pid int, socket string) Process {
	all := slices.DeleteFunc(slices.Clone(t), func(e entry) bool { return e.Name != "dockerd" })
	if n := slices.IndexFunc(all, func(e entry) bool { return e.PID == pid }); n >= 0 {
		return all[n].Process
	}
	if isChild := func(e entry) bool { return e.parent == pid }; pid > 0 && slices.ContainsFunc(all, isChild) {
		all = slices.DeleteFunc(all, func(e entry) bool { return !isChild(e) })
	}
	var found []Process
	for _, e := range all {
		if slices.ContainsFunc(words(e.PID), func(w string) bool { return strings.HasSuffix(w, "unix://"+socket) }) {
			return e.Process
		}
		if slices.ContainsFunc(words(e.PID), func(w string) bool { return strings.Contains(w, "unix://") }) {
			continue // it listens elsewhere
		}
		found = append(found, e.Process)
	}
	if len(found) == 1 && (socket == "/var/run/docker.sock" || socket == "/run/docker.sock") {
		return found[0]
	}
	return Process{Name: "dockerd"}
}

// containerd returns the one that dockerd has started, else the one that listens on the socket that dockerd was told, or on the usual one.
func (t processTable) containerd(dockerd int) Process {
	unknown := Process{Name: "containerd"}
	if dockerd == 0 {
		return unknown
	}
	for _, e := range t {
		if e.Name == "containerd" && e.parent == dockerd {
			return e.Process
		}
	}
	socket := containerdSocket
	for i, w := range words(dockerd) {
		name, value, joined := strings.Cut(w, "=")
		if name != "--containerd" {
			continue
		}
		if all := words(dockerd); !joined && i+1 < len(all) {
			value = all[i+1]
		}
		socket = value
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		return unknown
	}
	defer conn.Close()
	if e, ok := readStat(peer(conn)); ok && e.Name == "containerd" {
		return e.Process
	}
	return unknown
}

// shim returns the container's shim.
func (t processTable) shim(container string) Process {
	for _, e := range t {
		if e.Name == "containerd-shim" && slices.Contains(words(e.PID), container) {
			return e.Process
		}
	}
	return Process{Name: "containerd-shim"}
}

// alone returns the process with that PID, without a name if there is none.
func alone(pid int) Process {
	e, _ := readStat(pid)
	return e.Process
}

// eldestThreads is how many threads of a process are asked for its children: dockerd starts containerd before it does anything else, and
// one that is sick has thousands of threads.
const eldestThreads = 64

// childOf returns the child of that name. A process's children are listed by the thread that made them (proc_pid_children(5),
// CONFIG_PROC_CHILDREN); the threads are listed by their age.
func childOf(parent int, name string) Process {
	unknown := Process{Name: name}
	tasks, err := os.Open("/proc/" + strconv.Itoa(parent) + "/task")
	if err != nil {
		return unknown
	}
	defer tasks.Close()
	threads, _ := tasks.Readdirnames(eldestThreads)
	for _, thread := range threads {
		text, _ := os.ReadFile("/proc/" + strconv.Itoa(parent) + "/task/" + thread + "/children")
		for field := range strings.FieldsSeq(string(text)) {
			pid, _ := strconv.Atoi(field)
			if child := alone(pid); child.Name == name {
				return child
			}
		}
	}
	return unknown
}
