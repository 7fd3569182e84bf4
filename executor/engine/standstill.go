package engine

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
)

// daemons are the processes behind the engine's socket, as last found.
type daemons struct{ dockerd, containerd Process }

// Host is what [Open] was given.
func (e *Engine) Host() string { return e.host }

// Standstill says in what way dockerd, or its containerd, is not at work: stopped by a signal, or gone. "" means that as far as can be
// seen without asking it is at work, or hangs in a way of its own, for which there is [Engine.Diagnose]. It connects to the socket but
// sends nothing, and looks at two processes: that takes some 100 microseconds, in whatever state they are. gone says that nobody listens: a
// daemon that shuts down closes its socket first, and stops its containers then.
func (e *Engine) Standstill() (how string, gone bool) {
	path := strings.TrimPrefix(e.host, "unix://")
	conn, err := net.Dial("unix", path) // a connect to a unix socket does not wait
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return "hanging, its queue of connections is full", false
	case refusedConnection(err):
		return "gone", true
	case err != nil: // a lack of our own, such as of file descriptors
		return "", false
	}
	pid := peer(conn)
	conn.Close()
	found := e.daemonsBehind(pid, path)
	switch {
	case found.dockerd.stopped():
		return fmt.Sprintf("stopped (pid %d, state T)", found.dockerd.PID), false
	case found.containerd.stopped():
		return fmt.Sprintf("without its containerd (pid %d, stopped, state T)", found.containerd.PID), false
	}
	return "", false
}

// daemonsBehind returns the processes in their present state. All processes are looked through only where systemd has opened the socket, and
// then once for each life of dockerd.
func (e *Engine) daemonsBehind(pid int, path string) daemons {
	if before := e.behind.Load(); before != nil {
		now := daemons{before.dockerd.again(), before.containerd.again()}
		if now.dockerd.State != "" && now.containerd.State != "" {
			return now
		}
	}
	var found daemons
	found.dockerd = alone(pid)
	if found.dockerd.Name != "dockerd" {
		found.dockerd = processes().dockerd(pid, path)
	}
	found.containerd = childOf(found.dockerd.PID, "containerd")
	if found.containerd.PID == 0 {
		found.containerd = processTable{}.containerd(found.dockerd.PID)
	}
	e.behind.Store(&found)
	return found
}
