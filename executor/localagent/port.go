package localagent

import (
	"fmt"
	"net"
	"syscall"
)

// port is a loopback TCP port that stays ours while nobody listens on it. An
// agent that is down must refuse connections and come back on the same port;
// without the reservation the kernel may hand the port to an outgoing
// connection in between, even to the very one that tries to reach it.
type port struct {
	fd     int
	number int
}

// reservePort binds a socket that never listens. With SO_REUSEADDR on both, a
// second socket may bind and listen there (socket(7)).
func reservePort() (*port, error) {
	syscall.ForkLock.RLock()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err == nil {
		syscall.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return nil, fmt.Errorf("reserve a port for the agent: socket: %w", err)
	}
	p := &port{fd: fd}
	err = syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	var name syscall.Sockaddr
	if err == nil {
		name, err = syscall.Getsockname(fd)
	}
	if err != nil {
		p.release()
		return nil, fmt.Errorf("reserve a port for the agent on 127.0.0.1: %w", err)
	}
	p.number = name.(*syscall.SockaddrInet4).Port
	return p, nil
}

func (p *port) listen() (net.Listener, error) {
	return net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", p.number))
}

func (p *port) release() {
	if p.fd >= 0 {
		syscall.Close(p.fd)
		p.fd = -1
	}
}
