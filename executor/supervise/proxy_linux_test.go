package supervise

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mesos-docker-executor/executor/enginetest"
)

// proxy stands in front of an engine's socket and holds the requests of one kind back. The engine client opens a
// connection for each request, so a connection is a request.
type proxy struct {
	host  string
	held  chan string   // a request that arrived and is being held
	let   chan struct{} // closed to let the held ones through, to the daemon or to their end
	match func(r *http.Request) bool
	// after holds the answer back instead of the request: the daemon carries it out.
	after bool
}

// hold starts a proxy. The wait group of its goroutines is waited for at the end of the test.
func hold(t *testing.T, e *enginetest.Engine, after bool, match func(r *http.Request) bool) *proxy {
	t.Helper()
	p := &proxy{
		host:  "unix://" + filepath.Join(t.TempDir(), "p.sock"),
		held:  make(chan string, 16),
		let:   make(chan struct{}),
		match: match,
		after: after,
	}
	listener, err := net.Listen("unix", strings.TrimPrefix(p.host, "unix://"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { p.serve(ctx, c, e.Socket) })
		}
	})
	t.Cleanup(func() { cancel(); listener.Close(); conns.Wait() })
	return p
}

func (p *proxy) serve(ctx context.Context, client net.Conn, socket string) {
	defer client.Close()
	defer context.AfterFunc(ctx, func() { client.Close() })()
	head := &strings.Builder{}
	reader := bufio.NewReader(io.TeeReader(client, head))
	r, err := http.ReadRequest(reader)
	if err != nil {
		return
	}
	matches := p.match(r)
	if matches && !p.after {
		p.wait(ctx, r)
	}
	daemon, err := net.Dial("unix", socket)
	if err != nil {
		return
	}
	defer daemon.Close()
	defer context.AfterFunc(ctx, func() { daemon.Close() })()
	if _, err := io.WriteString(daemon, head.String()); err != nil {
		return
	}
	go func() {
		io.Copy(daemon, client)
		if matches && p.after {
			return // the daemon must not see that its client gave up
		}
		daemon.(*net.UnixConn).CloseWrite()
	}()
	if matches && p.after {
		answer := bufio.NewReader(daemon)
		answer.Peek(1)
		p.wait(ctx, r)
		io.Copy(client, answer)
		return
	}
	io.Copy(client, daemon)
}

func (p *proxy) wait(ctx context.Context, r *http.Request) {
	p.held <- r.Method + " " + r.URL.Path
	select {
	case <-p.let:
	case <-ctx.Done():
	}
}

func call(method, suffix string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == method && strings.HasSuffix(r.URL.Path, suffix) }
}
