package agenttls

import (
	"crypto/tls"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"mesos-docker-executor/executor/agenttls/tlstest"
)

func TestFilesAndHandshakesLeaveNothingBehind(t *testing.T) {
	authority := tlstest.NewAuthority(t, "authority")
	ca := tlstest.WriteAuthority(t, authority)
	certFile, keyFile := tlstest.WritePair(t, authority.Issue(t, tlstest.Leaf{Name: "executor"}))
	good := authority.Issue(t, tlstest.Leaf{IPs: []string{"127.0.0.1"}})
	bad := authority.Issue(t, tlstest.Leaf{IPs: []string{"127.0.0.2"}})
	once := func() {
		o := Options{Verify: true, VerifyAddress: true, V12: true, CAFile: ca, CADir: filepath.Dir(ca), CertFile: certFile, KeyFile: keyFile}
		c := newClient(t, o)
		shake(t, c, good, true)
		shake(t, c, bad, false)
		for _, path := range []string{"/none", "/dev/zero", "/etc", t.TempDir()} {
			if _, err := New(Options{Verify: true, V12: true, CAFile: path, CADir: path, CertFile: path, KeyFile: path}, "/work"); err == nil {
				t.Errorf("%s is accepted", path)
			}
		}
	}
	once()
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	for range 10 {
		once()
	}
	for deadline := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines || openFiles(t) > files; {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before; %d files, %d before\n%s",
				runtime.NumGoroutine(), goroutines, openFiles(t), files, stacks[:runtime.Stack(stacks, true)])
		}
		time.Sleep(time.Millisecond)
	}
}

// shake makes one connection to an agent with a certificate.
func shake(t *testing.T, c *Client, certificate tls.Certificate, accepted bool) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{certificate}}).HandshakeContext(t.Context())
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	secured, err := c.Secure(t.Context(), conn)
	if (err == nil) != accepted {
		t.Errorf("the handshake: %v", err)
	}
	if err == nil {
		secured.Close()
	}
	<-served
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
