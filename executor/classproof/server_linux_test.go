package classproof

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"
)

// server is what containers connect to, in the engine's network namespace.
type server struct {
	passing net.Listener // closes each connection at once
	holding net.Listener // keeps each connection
	held    chan net.Conn
	working sync.WaitGroup

	mu     sync.Mutex
	passed int        // guarded by mu
	kept   []net.Conn // guarded by mu
}

// maxHeld is more than any test makes.
const maxHeld = 64

func newServer(ctx context.Context) (*server, error) {
	s := &server{held: make(chan net.Conn, maxHeld)}
	var err error
	if s.passing, err = docker.Listen(ctx, "tcp4", "0.0.0.0:0"); err != nil {
		return nil, err
	}
	if s.holding, err = docker.Listen(ctx, "tcp4", "0.0.0.0:0"); err != nil {
		s.passing.Close()
		return nil, err
	}
	s.working.Go(func() {
		s.serve(s.passing, func(c net.Conn) {
			s.mu.Lock()
			s.passed++
			s.mu.Unlock()
			c.Close() // the last, for the client is waited for, and then the number is looked at
		})
	})
	s.working.Go(func() {
		s.serve(s.holding, func(c net.Conn) {
			s.mu.Lock()
			s.kept = append(s.kept, c)
			s.mu.Unlock()
			s.held <- c
		})
	})
	return s, nil
}

// close ends the server and all connections.
func (s *server) close() {
	s.passing.Close()
	s.holding.Close()
	s.working.Wait()
	for _, c := range s.kept {
		c.Close()
	}
}

func (s *server) serve(l net.Listener, each func(net.Conn)) {
	for {
		c, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			each(c)
		}
	}
}

// accepted is how many connections to the passing port were accepted so far.
func (s *server) accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.passed
}

// hold waits for the next connection to the holding port; the client waits until it is closed.
func (s *server) hold() (net.Conn, error) {
	select {
	case c := <-s.held:
		return c, nil
	case <-time.After(soonEnough):
		return nil, fmt.Errorf("no container connected within %v", soonEnough)
	}
}

// pass and keep are the commands that connect to the two ports, given the engine's address.
func (s *server) pass(address string) string { return connect(address, s.passing) }
func (s *server) keep(address string) string { return connect(address, s.holding) }

func connect(address string, l net.Listener) string {
	return fmt.Sprintf("nc %s %d", address, l.Addr().(*net.TCPAddr).Port)
}
