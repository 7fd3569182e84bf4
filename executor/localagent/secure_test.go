package localagent_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mesos/mesos-go/api/v1/lib/executor"

	"mesos-docker-executor/executor/agenttls/tlstest"
	"mesos-docker-executor/executor/localagent"
)

func TestSocketServesItsOwnPathOnly(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "agent.sock")
	agent, c := start(t, localagent.Options{DomainSocket: socket})
	body, err := c.call(executor.Call_HEARTBEAT).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	local := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	defer local.CloseIdleConnections()
	post := func(client *http.Client, url string) int {
		t.Helper()
		answer, err := client.Post(url, "application/x-protobuf", strings.NewReader(string(body)))
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		return answer.StatusCode
	}
	for range 2 { // a restarted agent takes the socket over
		for path, code := range map[string]int{"/slave(1)/api/v1/executor": 202, "/slave(2)/api/v1/executor": 403, "/api/v1/executor": 403, "/": 403} {
			if got := post(local, "http://agent"+path); got != code {
				t.Errorf("socket %s: %d, want %d", path, got, code)
			}
		}
		for path, code := range map[string]int{"/slave(1)/api/v1/executor": 202, "/api/v1/executor": 202, "/": 404} {
			if got := post(c.http, "http://"+agent.Endpoint()+path); got != code {
				t.Errorf("TCP %s: %d, want %d", path, got, code)
			}
		}
		agent.Down()
		c.http.CloseIdleConnections()
		local.CloseIdleConnections()
		if err := agent.Up(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestEndpointSpeaksTLS(t *testing.T) {
	authority := tlstest.NewAuthority(t, "authority")
	agent, c := start(t, localagent.Options{TLS: &tls.Config{
		Certificates: []tls.Certificate{authority.Issue(t, tlstest.Leaf{IPs: []string{"127.0.0.1"}})},
		ClientAuth:   tls.RequireAndVerifyClientCert,
		ClientCAs:    authority.Pool(),
	}})
	if !strings.HasPrefix(agent.URL(), "https://127.0.0.1:") {
		t.Errorf("URL %s", agent.URL())
	}
	settings := &tls.Config{RootCAs: authority.Pool(), MaxVersion: tls.VersionTLS12}
	c.http.Transport = &http.Transport{TLSClientConfig: settings}
	if _, err := c.http.Get(agent.URL()); err == nil {
		t.Error("served without a client certificate")
	}
	settings = settings.Clone()
	settings.Certificates = []tls.Certificate{authority.Issue(t, tlstest.Leaf{Name: "executor"})}
	c.http.Transport = &http.Transport{TLSClientConfig: settings}
	if code, _ := c.post(c.call(executor.Call_HEARTBEAT)); code != 202 {
		t.Errorf("with one: %d", code)
	}
}

func TestTokenIsDemandedFromThenOn(t *testing.T) {
	agent, c := start(t, localagent.Options{Token: "secret", TokenOptional: true})
	if code, _ := c.post(c.call(executor.Call_HEARTBEAT)); code != 202 {
		t.Errorf("not demanded: %d", code)
	}
	agent.RequireToken()
	if code, _ := c.post(c.call(executor.Call_HEARTBEAT)); code != 401 {
		t.Errorf("demanded: %d", code)
	}
}
