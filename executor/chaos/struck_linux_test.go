package chaos

import (
	"context"
	"path/filepath"
	"testing"

	"mesos-docker-executor/executor/enginefault"
)

// struck opens a proxy in front of the shared engine that strikes by these rules, in their text form.
func struck(t *testing.T, rules ...string) *enginefault.Proxy {
	t.Helper()
	parsed, err := enginefault.ParseAll(rules...)
	if err != nil {
		t.Fatal(err)
	}
	p, err := enginefault.Open(filepath.Join(t.TempDir(), "p.sock"), docker.Socket, parsed...)
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
