//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// counter is a proxy in front of an engine's socket that counts requests. It passes bytes on as they are and sees one request for
// each connection, which is how the executor's client works; a second one on a connection would be missed.
type counter struct {
	socket   string
	engine   string
	listener net.Listener
	work     sync.WaitGroup

	mu    sync.Mutex
	calls map[string]int        // guarded by mu: by method and last element of the path
	conns map[net.Conn]struct{} // guarded by mu: open ones
}

func openCounter(socket, engine string) (*counter, error) {
	listener, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	c := &counter{socket: socket, engine: engine, listener: listener, calls: map[string]int{}, conns: map[net.Conn]struct{}{}}
	c.work.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			c.work.Go(func() { c.serve(conn) })
		}
	})
	return c, nil
}

func (c *counter) serve(client net.Conn) {
	defer c.drop(c.hold(client))
	head := &strings.Builder{}
	request, err := http.ReadRequest(bufio.NewReader(io.TeeReader(client, head)))
	if err != nil {
		return
	}
	c.count(request)
	daemon, err := net.Dial("unix", c.engine)
	if err != nil {
		return
	}
	defer c.drop(c.hold(daemon))
	if _, err := io.WriteString(daemon, head.String()); err != nil {
		return
	}
	c.work.Go(func() {
		_, _ = io.Copy(daemon, client) // ends with either side
		_ = daemon.(*net.UnixConn).CloseWrite()
	})
	_, _ = io.Copy(client, daemon)
}

func (c *counter) count(r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[nameOf(r.Method, r.URL.Path)]++
}

// nameOf shortens "POST /v1.41/containers/<id>/start" to "start"; a call whose last element is an id keeps its method.
func nameOf(method, path string) string {
	elements := strings.Split(strings.Trim(path, "/"), "/")
	last := elements[len(elements)-1]
	if len(last) == 64 || len(elements) == 3 && elements[1] == "containers" && last != "create" {
		return strings.ToLower(method) + " container"
	}
	if len(elements) > 2 && elements[1] == "images" {
		return "image " + last
	}
	return last
}

func (c *counter) hold(conn net.Conn) net.Conn {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.conns[conn] = struct{}{}
	return conn
}

func (c *counter) drop(conn net.Conn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, conn)
	conn.Close()
}

func (c *counter) reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.calls)
}

func (c *counter) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	sum := 0
	for _, n := range c.calls {
		sum += n
	}
	return sum
}

// String lists the calls by name.
func (c *counter) String() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var words []string
	for _, name := range slices.Sorted(maps.Keys(c.calls)) {
		words = append(words, fmt.Sprintf("%s %d", name, c.calls[name]))
	}
	return strings.Join(words, ", ")
}

// close ends the proxy and the connections through it.
func (c *counter) close() error {
	err := c.listener.Close()
	c.mu.Lock()
	for conn := range c.conns {
		conn.Close()
	}
	c.mu.Unlock()
	c.work.Wait()
	return err
}
