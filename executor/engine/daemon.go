package engine

import (
	"net"
	"strings"
)

// Daemon returns the PID of the process that is dockerd, 0 if it is not known. It asks nothing of the engine.
func (e *Engine) Daemon() int {
	path := strings.TrimPrefix(e.host, "unix://")
	conn, err := net.Dial("unix", path)
	if err != nil {
		return 0
	}
	defer conn.Close()
	return e.daemonsBehind(peer(conn), path).dockerd.PID
}
