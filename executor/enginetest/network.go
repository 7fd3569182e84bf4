//go:build linux

package enginetest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Listen listens inside the engine's network namespace: a server there is reached by the daemon (a registry at
// 127.0.0.1, which Docker accepts without TLS) and by containers, at the bridge's address. Network and
// address are those of [net.Listen].
func (e *Engine) Listen(ctx context.Context, network, address string) (net.Listener, error) {
	return inNetworkOf(e, func() (net.Listener, error) {
		var c net.ListenConfig
		return c.Listen(ctx, network, address)
	})
}

// Dial connects from inside the engine's network namespace, where the addresses of containers and their
// published ports are reached. Network and address are those of [net.Dial].
func (e *Engine) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	return inNetworkOf(e, func() (net.Conn, error) {
		// An address without a name: resolving one would move to another thread, and so to another namespace.
		if host, _, err := net.SplitHostPort(address); err != nil || net.ParseIP(host) == nil {
			return nil, fmt.Errorf("dial %s: not an IP address and port", address)
		}
		var d net.Dialer
		return d.DialContext(ctx, network, address)
	})
}

// inNetworkOf calls f on a thread in the engine's network namespace. A socket stays in the namespace
// in which it was made, whoever uses it later.
func inNetworkOf[T any](e *Engine, f func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		// Never unlocked: the thread ends with the goroutine.
		runtime.LockOSThread()
		var r result
		if r.err = e.enterNetwork(); r.err == nil {
			r.value, r.err = f()
		}
		done <- r
	}()
	r := <-done
	return r.value, r.err
}

func (e *Engine) enterNetwork() error {
	if e.daemon == nil {
		return errors.New("dockerd of the private engine does not run")
	}
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", e.PID))
	if err != nil {
		return err
	}
	defer namespace.Close()
	if err := unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("enter the engine's network namespace: %w", err)
	}
	return nil
}
