package chaos

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/docker/docker/client"

	"mesos-docker-executor/executor/enginefault"
	"mesos-docker-executor/executor/enginetest"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// inFrontOf opens a proxy in front of an engine that strikes by these rules, in their text form.
func inFrontOf(t *testing.T, e *enginetest.Engine, rules ...string) *enginefault.Proxy {
	t.Helper()
	parsed, err := enginefault.ParseAll(rules...)
	must(t, err)
	p, err := enginefault.Open(filepath.Join(t.TempDir(), "p.sock"), e.Socket, parsed...)
	must(t, err)
	t.Cleanup(func() { must(t, p.Close()) })
	return p
}

// struck is a proxy in front of the shared engine.
func struck(t *testing.T, rules ...string) *enginefault.Proxy {
	t.Helper()
	return inFrontOf(t, docker, rules...)
}

// awaitHeld waits until the proxy holds so many more calls.
func awaitHeld(t *testing.T, p *enginefault.Proxy, calls int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soonEnough)
	defer cancel()
	for range calls {
		if _, err := p.AwaitHeld(ctx); err != nil {
			t.Fatalf("no call is held: %v", err)
		}
	}
}

// settled waits until the daemon has answered every call that went through the proxy, and lets no other pass from now on.
func settled(t *testing.T, p *enginefault.Proxy) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), soonEnough)
	defer cancel()
	if err := p.Settle(ctx); err != nil {
		t.Fatalf("the daemon does not answer what it was asked: %v", err)
	}
}

// calls counts those of a kind that the proxy got.
func calls(p *enginefault.Proxy, verb enginefault.Verb) int {
	n := 0
	for _, e := range p.Events() {
		if e.Verb == verb {
			n = max(n, e.N)
		}
	}
	return n
}

// dockerClient talks to an engine past the executor.
func dockerClient(t *testing.T, e *enginetest.Engine) *client.Client {
	t.Helper()
	c, err := client.NewClientWithOpts(client.WithHost(e.Host), client.WithAPIVersionNegotiation())
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}
