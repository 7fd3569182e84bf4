package enginefault

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// soonEnough bounds every wait: a hang is a failure.
const soonEnough = 20 * time.Second

// fakeEngine answers calls and remembers them.
type fakeEngine struct {
	socket string
	server *http.Server
	mu     sync.Mutex
	calls  []string      // method, path and body
	exit   chan struct{} // closed when the container exits
}

func startFake(t *testing.T) *fakeEngine {
	t.Helper()
	f := &fakeEngine{socket: filepath.Join(t.TempDir(), "engine"), exit: make(chan struct{})}
	l, err := net.Listen("unix", f.socket)
	if err != nil {
		t.Fatal(err)
	}
	f.server = &http.Server{Handler: f}
	var serving sync.WaitGroup
	serving.Go(func() {
		if err := f.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	})
	t.Cleanup(func() { f.server.Close(); serving.Wait() })
	return f
}

func (f *fakeEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasSuffix(r.URL.Path, "/attach") {
		f.attach(w)
		return
	}
	body, _ := io.ReadAll(r.Body)
	f.mu.Lock()
	f.calls = append(f.calls, strings.TrimSpace(r.Method+" "+r.URL.Path+" "+string(body)))
	f.mu.Unlock()
	w.Header().Set("Api-Version", "1.41")
	w.Header().Set("Content-Type", "application/json")
	switch {
	case strings.HasSuffix(r.URL.Path, "/create"):
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintln(w, `{"Id":"abc","Warnings":[]}`)
	case strings.HasSuffix(r.URL.Path, "/wait"):
		w.(http.Flusher).Flush()
		select {
		case <-f.exit:
			fmt.Fprintln(w, `{"StatusCode":9}`)
		case <-r.Context().Done():
		}
	case r.URL.Path == "/slow":
		<-f.exit
		fmt.Fprintln(w, `{"Ok":true}`)
	case strings.HasSuffix(r.URL.Path, "/start"):
		w.WriteHeader(http.StatusNoContent)
	case strings.HasSuffix(r.URL.Path, "/up/json"):
		fmt.Fprintln(w, `{"Id":"abc","State":{"Status":"running","ExitCode":0,"FinishedAt":"0001-01-01T00:00:00Z"}}`)
	case strings.HasSuffix(r.URL.Path, "/json"):
		fmt.Fprintln(w, `{"Id":"abc","State":{"Status":"exited","ExitCode":9,"FinishedAt":"2026-01-01T12:00:00.5Z"}}`)
	default:
		fmt.Fprintln(w, `{"Ok":true}`)
	}
}

// attach sends back what it gets, and ends when that does.
func (f *fakeEngine) attach(w http.ResponseWriter) {
	conn, buffered, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
	_, _ = io.Copy(conn, buffered)
	_, _ = io.WriteString(conn, "bye") // the test sees what is missing
}

func (f *fakeEngine) seen() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.calls...)
}

// front opens a proxy in front of the fake with rules in their text form.
func front(t *testing.T, f *fakeEngine, rules ...string) *Proxy {
	t.Helper()
	p, err := Open(filepath.Join(t.TempDir(), "proxy"), f.socket, parsed(t, rules...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func parsed(t *testing.T, texts ...string) []Rule {
	t.Helper()
	rules, err := ParseAll(texts...)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// client is a connection to the proxy on which a request was sent.
type client struct {
	*net.UnixConn
	t  *testing.T
	in *bufio.Reader
}

// send sends "METHOD /path [body]" on a connection of its own.
func send(t *testing.T, p *Proxy, request string) *client {
	t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: p.socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(soonEnough)) //nolint:errcheck // shown by what follows
	part := append(strings.SplitN(request, " ", 3), "")
	headers := "Host: docker\r\n"
	if strings.HasSuffix(part[1], "/attach") {
		headers += "Connection: Upgrade\r\nUpgrade: tcp\r\n"
	} else if part[0] == http.MethodPost {
		headers += fmt.Sprintf("Content-Length: %d\r\n", len(part[2]))
	}
	if _, err := fmt.Fprintf(conn, "%s %s HTTP/1.1\r\n%s\r\n%s", part[0], part[1], headers, part[2]); err != nil {
		t.Fatal(err)
	}
	return &client{UnixConn: conn, t: t, in: bufio.NewReader(conn)}
}

// answer reads the whole answer: "200 body", with the error that cut it.
func (c *client) answer() (string, *http.Response, error) {
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return "", nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return strings.TrimSpace(fmt.Sprint(resp.StatusCode, " ", string(body))), resp, err
}

// silent reports whether nothing has come; it does not wait.
func (c *client) silent() bool {
	c.SetReadDeadline(time.Now().Add(time.Millisecond)) //nolint:errcheck // shown by what follows
	defer c.SetReadDeadline(time.Now().Add(soonEnough)) //nolint:errcheck // so too
	_, err := c.in.Peek(1)
	return errors.Is(err, os.ErrDeadlineExceeded)
}

func held(t *testing.T, p *Proxy) Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soonEnough)
	defer cancel()
	e, err := p.AwaitHeld(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// until polls for a condition.
func until(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(soonEnough); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// descriptors counts this process's open files; -1 where there is no /proc.
func descriptors() int {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return -1
	}
	return len(open)
}

// noLeak fails if the goroutines and descriptors of now are not reached again at the end of the test.
func noLeak(t *testing.T) {
	t.Helper()
	goroutines, files := runtime.NumGoroutine(), descriptors()
	t.Cleanup(func() {
		until(t, "goroutines and files to be given back", func() bool {
			return runtime.NumGoroutine() <= goroutines && descriptors() <= files
		})
	})
}
