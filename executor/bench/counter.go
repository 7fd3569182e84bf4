//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// counter is a proxy in front of an engine's socket that counts requests, also several on one connection, until one upgrades it.
// It passes bytes on as they are, and each request only once it is counted.
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
	daemon, err := net.Dial("unix", c.engine)
	if err != nil {
		return
	}
	defer c.drop(c.hold(daemon))
	c.work.Go(func() {
		if err := c.requests(client, daemon); err != nil {
			client.Close() // what cannot be counted must not pass: the executor fails, and with it the measurement
		}
		_ = daemon.(*net.UnixConn).CloseWrite()
	})
	_, _ = io.Copy(client, daemon) // ends with either side
}

// requests counts what the client asks and passes it on, until either side ends.
func (c *counter) requests(client io.Reader, daemon io.Writer) error {
	out := &gate{to: daemon}
	in := bufio.NewReader(io.TeeReader(client, out))
	for {
		request, err := http.ReadRequest(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		c.count(request)
		if err := out.open(); err != nil {
			return err
		}
		if request.Header.Get("Upgrade") != "" {
			_, err := io.Copy(io.Discard, in)
			return err
		}
		if _, err := io.Copy(io.Discard, request.Body); err != nil {
			return err
		}
		out.shut()
	}
}

// gate holds back what is written to it while it is shut.
type gate struct {
	to     io.Writer
	opened bool
	held   bytes.Buffer
}

func (g *gate) Write(p []byte) (int, error) {
	if g.opened {
		return g.to.Write(p)
	}
	return g.held.Write(p)
}

func (g *gate) open() error {
	g.opened = true
	_, err := g.held.WriteTo(g.to)
	return err
}

func (g *gate) shut() { g.opened = false }

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
