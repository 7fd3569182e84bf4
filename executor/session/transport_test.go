package session

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"

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
	opts.TLS = &tls.Config{RootCAs: trusted}
	r := start(t, opts)
	agent.subscribed()
	event[Subscribed](r)
	r.Update(status("t1", mesos.TASK_STARTING))
	agent.accepted()
}

func TestProxyOfTheEnvironmentIsNotUsed(t *testing.T) {
	// net/http never uses one for loopback addresses, so the behaviour cannot be seen there.
	c := newConnection("http://10.0.0.1/", "", nil, nil)
	if transport := c.client.Transport.(*http.Transport); transport.Proxy != nil {
		t.Error("a proxy may be used")
	}
}
