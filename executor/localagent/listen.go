package localagent

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
)

const ownPath = "/slave(1)/api/v1/executor"

// listen opens the port, and the Unix socket if there is one.
func (a *Agent) listen() ([]net.Listener, error) {
	listener, err := a.port.listen()
	if err != nil {
		return nil, err
	}
	if a.opts.TLS != nil {
		listener = tls.NewListener(listener, a.opts.TLS)
	}
	if a.opts.DomainSocket == "" {
		return []net.Listener{listener}, nil
	}
	socket, err := a.listenSocket()
	if err != nil {
		listener.Close()
		return nil, err
	}
	return []net.Listener{listener, socket}, nil
}

// listenSocket takes the place of the socket that a dead agent left, as an agent
// does that starts. Closing it leaves it behind, as a death does.
func (a *Agent) listenSocket() (net.Listener, error) {
	if err := a.removeSocket(); err != nil {
		return nil, err
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: a.opts.DomainSocket, Net: "unix"})
	if err != nil {
		return nil, err
	}
	listener.SetUnlinkOnClose(false)
	return listener, nil
}

func (a *Agent) removeSocket() error {
	if a.opts.DomainSocket == "" {
		return nil
	}
	if err := os.Remove(a.opts.DomainSocket); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the agent's socket: %w", err)
	}
	return nil
}

// checkPath refuses what is not a path of the endpoint. The Unix socket serves
// one path only, and answers 403 for others (the agent's flag
// --http_executor_domain_sockets, src/slave/slave.cpp).
func checkPath(r *http.Request) *answer {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	unix := local != nil && local.Network() == "unix"
	switch path := r.URL.Path; {
	case path == ownPath, path == "/api/v1/executor" && !unix:
		return nil
	case unix:
		return &answer{http.StatusForbidden, "only " + ownPath + " is served on this socket"}
	}
	return &answer{http.StatusNotFound, "no such route"}
}
