package session

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

func TestDomainSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "agent.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	agent := serveAgent(t, l, "")
	opts := options("http://agent/slave(1)/api/v1/executor")
	opts.DomainSocket = path
	r := start(t, opts)
	agent.subscribed()
	event[Subscribed](r)
	r.Update(status("t1", mesos.TASK_STARTING))
	agent.accepted()
}

func TestTLS(t *testing.T) {
	certified := httptest.NewTLSServer(nil) // for its certificate
	certified.Close()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	agent := serveAgent(t, tls.NewListener(plain, certified.TLS), "")
	opts := options("https://" + plain.Addr().String() + "/")
	trusted := x509.NewCertPool()
	trusted.AddCert(certified.Certificate())
	opts.Secure = func(ctx context.Context, conn net.Conn) (net.Conn, error) {
		secured := tls.Client(conn, &tls.Config{RootCAs: trusted, ServerName: "127.0.0.1"})
		return secured, secured.HandshakeContext(ctx)
	}
	r := start(t, opts)
	agent.subscribed()
	event[Subscribed](r)
	r.Update(status("t1", mesos.TASK_STARTING))
	agent.accepted()
}

// The agent may be restarted with another certificate.
func TestFailedHandshakeIsRepeated(t *testing.T) {
	agent := newAgent(t)
	opts := options(strings.Replace(agent.url, "http://", "https://", 1))
	var attempts atomic.Int32
	opts.Secure = func(_ context.Context, conn net.Conn) (net.Conn, error) {
		if attempts.Add(1) < 5 {
			conn.Close()
			return nil, errors.New("the certificate is another's")
		}
		return conn, nil // the rest is not this test's
	}
	r := start(t, opts)
	agent.subscribed()
	event[Subscribed](r)
	if n := strings.Count(r.log.String(), "the certificate is another's"); n != 1 {
		t.Errorf("%d lines about the same failure", n)
	}
}

func TestTokenThatStaysWrongIsNamedWhenTheTimeIsUp(t *testing.T) {
	agent := newAgent(t)
	agent.onSubscribe = func(int) (int, string) { return http.StatusUnauthorized, "" }
	opts := options(agent.url)
	opts.Token, opts.RecoveryTimeout = "s3cr3t", 0
	s, log := prepare(opts)
	s.pace.firstSubscription = 50 * time.Millisecond
	r := run(t, s, log)
	lost := event[Lost](r)
	if !errors.Is(lost.Err, ErrRecoveryTimeout) || !strings.Contains(lost.Err.Error(), "executor token") || strings.Contains(log.String()+lost.Err.Error(), "s3cr3t") {
		t.Errorf("lost: %v", lost.Err)
	}
	if agent.attempts() < 2 {
		t.Error("asked only once")
	}
}

func TestDomainSocketWithAPathTooLongForAnAddress(t *testing.T) {
	folder := t.TempDir()
	for len(folder) <= maxAddress {
		folder = filepath.Join(folder, "a-folder-with-a-long-name")
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	// Bound where its path is short, and then seen where it is long.
	short := filepath.Join(t.TempDir(), "a")
	if err := os.Symlink(folder, short); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(short, "agent.sock"))
	if err != nil {
		t.Fatal(err)
	}
	agent := serveAgent(t, l, "")
	opts := options("http://agent/slave(1)/api/v1/executor")
	opts.DomainSocket = filepath.Join(folder, "agent.sock")
	r := start(t, opts)
	agent.subscribed()
	event[Subscribed](r)
	r.Update(status("t1", mesos.TASK_STARTING))
	agent.accepted()
}

func TestDomainSocketThatCannotBeUsedIsNamed(t *testing.T) {
	for _, path := range []string{"/none/agent.sock", strings.Repeat("/none", 30) + "/agent.sock"} {
		opts := options("http://agent/slave(1)/api/v1/executor")
		opts.DomainSocket = path
		r := start(t, opts)
		r.logged(path + ": no such file or directory")
	}
}

func TestFIFOInPlaceOfTheSocketsFolderDoesNotBlock(t *testing.T) {
	folder := t.TempDir()
	for len(folder) <= maxAddress {
		folder = filepath.Join(folder, "a-folder-with-a-long-name")
	}
	if err := os.MkdirAll(filepath.Dir(folder), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(folder, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := DialSocket(t.Context(), filepath.Join(folder, "agent.sock")); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("error %v", err)
	}
}

// What a file system that hangs does to a lookup.
func TestDialThatTheKernelHoldsIsAbandoned(t *testing.T) {
	below, above := net.Pipe()
	defer above.Close()
	ctx, cancel := context.WithCancel(t.Context())
	begun, release := make(chan struct{}), make(chan struct{})
	failed := make(chan error, 1)
	go func() {
		_, err := abandonable(ctx, func() (net.Conn, error) {
			close(begun)
			<-release
			return below, nil
		})
		failed <- err
	}()
	<-begun
	cancel()
	if err := receive(t, failed, "end of the dial"); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	close(release)
	above.SetReadDeadline(time.Now().Add(patience))
	if _, err := above.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the late connection is still open: %v", err)
	}
}

func TestDomainSocketIsNotDialledWhenTheTimeIsUp(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := DialSocket(ctx, "/none/agent.sock")
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "/none/agent.sock") {
		t.Errorf("error %v", err)
	}
}

func TestServerThatWantsTLSIsSuspected(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			conn.Close() // as libprocess does
		}
	}()
	t.Cleanup(func() { l.Close(); <-served })
	s, log := prepare(options("http://" + l.Addr().String() + "/"))
	run(t, s, log).logged("does the agent want TLS?")
}

func TestOnlyHTTP1IsSpoken(t *testing.T) {
	transport := newConnection("https://10.0.0.1/", "", nil, nil).client.Transport.(*http.Transport)
	if p := transport.Protocols; p == nil || p.HTTP2() || p.UnencryptedHTTP2() || !p.HTTP1() || transport.ForceAttemptHTTP2 {
		t.Errorf("protocols %v", p)
	}
}

// The other half of TestKeepAliveOfTheAgentsConnections.
func TestKeepAliveIsBelowTLS(t *testing.T) {
	below, above := net.Pipe()
	defer below.Close()
	defer above.Close()
	dial := dialSecure(
		func(context.Context, string, string) (net.Conn, error) { return below, nil },
		func(_ context.Context, conn net.Conn) (net.Conn, error) {
			if conn != below {
				t.Error("another connection is secured than the one that was dialled")
			}
			return above, nil
		})
	if conn, err := dial(t.Context(), "tcp", "10.0.0.1:1"); conn != above || err != nil {
		t.Errorf("%v, %v", conn, err)
	}
}

func TestProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	// net/http never uses one for loopback addresses, so the behaviour cannot be seen there.
	c := newConnection("http://10.0.0.1/", "", nil, nil)
	if transport := c.client.Transport.(*http.Transport); transport.Proxy != nil {
		t.Error("a proxy may be used")
	}
}
