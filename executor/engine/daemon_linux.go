package engine

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// What /proc calls the two daemons (proc_pid_comm(5)).
const (
	dockerdName    = "dockerd"
	containerdName = "containerd"
)

// Host is what [Open] was given.
func (e *Engine) Host() string { return e.host }

// Standstill says in what way dockerd, or the containerd below it, is not at work: stopped by a signal, or gone. "" means that as far as can
// be seen without asking it is at work, or hangs in a way of its own. It connects to the socket but sends nothing, reads /proc, and
// takes a millisecond, whatever state the daemons are in.
func (e *Engine) Standstill() string {
	path := strings.TrimPrefix(e.host, "unix://")
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		if errors.Is(err, unix.EAGAIN) {
			return "hanging with a full queue of connections"
		}
		return "gone (" + errors.Unwrap(err).Error() + ")"
	}
	defer conn.Close()
	pid := e.daemonBehind(conn.(*net.UnixConn), path)
	if pid == 0 {
		return ""
	}
	if stopped(pid) {
		return fmt.Sprintf("stopped (process %d, state T)", pid)
	}
	if below := childNamed(pid, containerdName); below != 0 && stopped(below) {
		return fmt.Sprintf("without its containerd (process %d, stopped, state T)", below)
	}
	return ""
}

// daemonBehind returns the process id of the dockerd that listens at the other end, 0 if it is not found. The kernel knows who made
// the socket listen (SO_PEERCRED, unix(7)). With socket activation that is systemd; then dockerd is the one of that name that
// has the listening socket open, which is looked for among all processes once for each life of the daemon.
func (e *Engine) daemonBehind(conn *net.UnixConn, path string) int {
	pid := 0
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0
	}
	_ = raw.Control(func(fd uintptr) {
		if peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			pid = int(peer.Pid)
		}
	})
	if name, _, _ := processOf(pid); name == dockerdName {
		return pid
	}
	if before := int(e.dockerd.Load()); before != 0 {
		if name, _, _ := processOf(before); name == dockerdName {
			return before
		}
	}
	pid = holderOf(listeningAt(path), dockerdName)
	e.dockerd.Store(int32(pid))
	return pid
}

// listeningAt returns the inode of the socket that listens at the path, "" if there is none (/proc/net/unix, proc_net(5)).
func listeningAt(path string) string {
	const accepting = "00010000" // __SO_ACCEPTCON, linux/net.h
	text, err := os.ReadFile("/proc/net/unix")
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 8 && f[3] == accepting && f[7] == path {
			return f[6]
		}
	}
	return ""
}

// holderOf returns the process of that name that has the socket open, 0 if there is none.
func holderOf(inode, name string) int {
	if inode == "" {
		return 0
	}
	for _, pid := range processes() {
		if is, _, _ := processOf(pid); is != name {
			continue
		}
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, file := range files {
			if target, _ := os.Readlink(file); target == "socket:["+inode+"]" {
				return pid
			}
		}
	}
	return 0
}

// childNamed returns the child of that name; 0 if there is none, as where systemd runs it. The children are listed by the
// thread that made them (proc_pid_children(5), CONFIG_PROC_CHILDREN).
func childNamed(parent int, name string) int {
	lists, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", parent))
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for field := range strings.FieldsSeq(string(text)) {
			pid, _ := strconv.Atoi(field)
			if is, _, _ := processOf(pid); is == name {
				return pid
			}
		}
	}
	return 0
}

func stopped(pid int) bool {
	_, state, _ := processOf(pid)
	return state == "T" || state == "t"
}

// processOf returns a process's name, state and parent; "" and 0 when there is none (proc_pid_stat(5)).
func processOf(pid int) (name, state string, parent int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	open, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if err != nil || open < 0 || end < open {
		return "", "", 0
	}
	fields := strings.Fields(string(text[end+1:]))
	if len(fields) < 2 {
		return "", "", 0
	}
	parent, _ = strconv.Atoi(fields[1])
	return string(text[open+1 : end]), fields[0], parent
}

func processes() []int {
	entries, _ := os.ReadDir("/proc")
	var pids []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
