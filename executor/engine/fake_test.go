package engine

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
)

const (
	someID  = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
	otherID = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
)

// behaviour serves one connection; the connection is closed when it returns.
type behaviour func(f *fakeDaemon, conn net.Conn)

// fakeDaemon listens on a unix socket and misbehaves as told. Until told otherwise, it answers ping and
// info like a Docker Engine 20.10.
type fakeDaemon struct {
	host     string
	listener net.Listener
	stopped  chan struct{} // lets hanging connections go
	serving  sync.WaitGroup

	mu    sync.Mutex
	next  behaviour
	paths []string // of the requests that were read
}

func startFake(t *testing.T, next behaviour) *fakeDaemon {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	f := &fakeDaemon{host: "unix://" + socket, listener: listener, stopped: make(chan struct{}), next: next}
	f.serving.Go(f.accept)
	t.Cleanup(func() {
		close(f.stopped)
		listener.Close()
		f.serving.Wait()
	})
	return f
}

func (f *fakeDaemon) accept() {
	for {
		conn, err := f.listener.Accept()
		if err != nil {
			return
		}
		f.mu.Lock()
		serve := f.next
		f.mu.Unlock()
		f.serving.Go(func() {
			defer conn.Close()
			serve(f, conn)
		})
	}
}

// become changes what happens to the connections to come.
func (f *fakeDaemon) become(next behaviour) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = next
}

// requests returns method and path of what was asked so far.
func (f *fakeDaemon) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.paths...)
}

// readRequest reads a whole request, as the real daemon does before it acts; nil if the client went away.
func (f *fakeDaemon) readRequest(conn net.Conn) *http.Request {
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return nil
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.paths = append(f.paths, r.Method+" "+r.URL.Path)
	return r
}

// hang keeps the connection open until the client goes away or the test ends.
func (f *fakeDaemon) hang(conn net.Conn) {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		io.Copy(io.Discard, conn) //nolint:errcheck // any end will do
	}()
	select {
	case <-gone:
	case <-f.stopped:
		conn.Close()
		<-gone
	}
}

func hang(f *fakeDaemon, conn net.Conn) {
	if f.readRequest(conn) != nil {
		f.hang(conn)
	}
}

func cutBeforeReading(*fakeDaemon, net.Conn) {}

func cutAfterReading(f *fakeDaemon, conn net.Conn) { f.readRequest(conn) }

// say answers with the bytes given and closes the connection.
func say(answer string) behaviour {
	return func(f *fakeDaemon, conn net.Conn) {
		if f.readRequest(conn) != nil {
			io.WriteString(conn, answer) //nolint:errcheck // the client may be gone
		}
	}
}

// sayAndHang answers with the bytes given and leaves the connection open.
func sayAndHang(answer string) behaviour {
	return func(f *fakeDaemon, conn net.Conn) {
		if f.readRequest(conn) != nil {
			io.WriteString(conn, answer) //nolint:errcheck // the client may be gone
			f.hang(conn)
		}
	}
}

// answer is a complete HTTP answer.
func answer(status int, contentType, body string) string {
	return fmt.Sprintf("HTTP/1.1 %d %s\r\nApi-Version: 1.41\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		status, http.StatusText(status), contentType, len(body), body)
}

func jsonAnswer(status int, body string) string { return answer(status, "application/json", body) }

// chunked is an answer of one chunk; whole says whether the terminating chunk follows.
func chunked(body string, whole bool) string {
	text := fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n", len(body), body)
	if whole {
		text += "0\r\n\r\n"
	}
	return text
}

// healthy answers what a probe asks.
func healthy(f *fakeDaemon, conn net.Conn) {
	r := f.readRequest(conn)
	switch {
	case r == nil:
	case r.URL.Path == "/_ping":
		io.WriteString(conn, answer(200, "text/plain", "OK")) //nolint:errcheck // the client may be gone
	case strings.HasSuffix(r.URL.Path, "/info"):
		io.WriteString(conn, jsonAnswer(200, `{"ServerVersion":"20.10.24","KernelVersion":"6.1","Driver":"overlay2"}`)) //nolint:errcheck // the client may be gone
	default:
		io.WriteString(conn, jsonAnswer(404, `{"message":"page not found"}`)) //nolint:errcheck // the client may be gone
	}
}

// fakeLimits are long enough for a loaded machine to answer in, where an answer is expected, and short
// enough for a test to sit out.
func fakeLimits(limit time.Duration) Limits {
	return Limits{limit, limit, limit, limit, limit, limit, 10 * limit, limit, limit, limit, limit, limit, limit, limit, limit, limit}
}

// openFake returns a probed client of f.
func openFake(t *testing.T, f *fakeDaemon, l Limits) *Engine {
	t.Helper()
	normal := l
	normal.Ping, normal.Info = 10*time.Second, 10*time.Second
	e, err := Open(f.host, normal)
	if err != nil {
		t.Fatal(err)
	}
	f.mu.Lock()
	next := f.next
	f.mu.Unlock()
	f.become(healthy)
	if _, err := e.Probe(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.become(next)
	e.limits, e.wait = l, noWait
	return e
}

// noWait is [Engine.wait] for tests that are not about it.
func noWait(context.Context, time.Duration) error { return nil }

// minimal returns what a container needs at least.
func minimal() (*container.Config, *container.HostConfig) {
	return &container.Config{Image: "busybox:local"}, &container.HostConfig{}
}

// checkGoroutines fails the test if it ends with more goroutines than it began with.
func checkGoroutines(t *testing.T) {
	t.Helper()
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		if !eventually(func() bool { return runtime.NumGoroutine() <= before }) {
			stacks := make([]byte, 1<<20)
			t.Errorf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	})
}

// eventually polls a condition for some seconds.
func eventually(condition func() bool) bool {
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if condition() {
			return true
		}
	}
	return condition()
}
