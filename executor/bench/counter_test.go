//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// startCounter puts a counter in front of a server that echoes bodies, and what comes after an upgrade.
func startCounter(t *testing.T) *counter {
	t.Helper()
	dir := shortFolder(t)
	listener, err := net.Listen("unix", filepath.Join(dir, "engine.sock"))
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") == "" {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			_, _ = w.Write(body)
			return
		}
		conn, both, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n")
		_, _ = io.Copy(conn, both)
	})}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener) // until Close
	}()
	c, err := openCounter(filepath.Join(dir, "counter.sock"), listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.close(); err != nil {
			t.Error(err)
		}
		server.Close()
		<-served
	})
	return c
}

func TestEachRequestOfAConnectionIsCounted(t *testing.T) {
	c := startCounter(t)
	dialed := 0
	transport := &http.Transport{MaxConnsPerHost: 1, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		dialed++
		return (&net.Dialer{}).DialContext(ctx, "unix", c.socket)
	}}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	long := strings.Repeat("GET /v1.41/info HTTP/1.1\r\n\r\n", 10000)                                              // not taken for requests
	for i, body := range []io.Reader{nil, strings.NewReader(long), io.MultiReader(strings.NewReader(long)), nil} { // the third one chunked
		answer, err := client.Post("http://engine/v1.41/containers/create", "text/plain", body)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || body != nil && string(text) != long {
			t.Errorf("request %d: %d bytes came back, %v", i, len(text), err)
		}
	}
	if c.String() != "create 4" || dialed != 1 {
		t.Errorf("%s by %d connections", c, dialed)
	}
	c.reset()
	if c.total() != 0 {
		t.Errorf("%d after the reset", c.total())
	}
}

func TestUpgradedConnectionPassesBothWays(t *testing.T) {
	c := startCounter(t)
	conn, err := net.Dial("unix", c.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(conn, "POST /v1.41/containers/x/attach HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nfirst\n")
	in := bufio.NewReader(conn)
	answer, err := http.ReadResponse(in, nil)
	if err != nil || answer.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%v, %v", answer, err)
	}
	fmt.Fprint(conn, "GET / HTTP/1.1\r\n\r\n")
	for _, want := range []string{"first\n", "GET / HTTP/1.1\r\n"} {
		if line, err := in.ReadString('\n'); line != want {
			t.Errorf("%q came back, want %q; %v", line, want, err)
		}
	}
	if c.String() != "attach 1" {
		t.Error(c.String())
	}
}

func TestWhatIsNoRequestDoesNotPass(t *testing.T) {
	c := startCounter(t)
	conn, err := net.Dial("unix", c.socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(conn, "what\r\n\r\n")
	if said, err := io.ReadAll(conn); len(said) > 0 {
		t.Errorf("answered %q, %v", said, err)
	}
}
