package session

import (
	"context"
	"net"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// onIsland runs f on a thread in a network namespace of its own. Sockets made there stay there.
func onIsland(t *testing.T) (run func(f func() error)) {
	t.Helper()
	work, done := make(chan func() error), make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for f := range work {
			done <- f()
		}
	}()
	t.Cleanup(func() { close(work) })
	run = func(f func() error) {
		t.Helper()
		work <- f
		if err := <-done; err != nil {
			t.Fatalf("%v (this test needs root)", err)
		}
	}
	run(func() error { return unix.Unshare(unix.CLONE_NEWNET) })
	return run
}

// loopback switches the loopback interface of the thread's network namespace.
func loopback(up bool) error {
	s, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(s)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(s, unix.SIOCGIFFLAGS, req); err != nil {
		return err
	}
	flags := req.Uint16() &^ unix.IFF_UP
	if up {
		flags |= unix.IFF_UP
	}
	req.SetUint16(flags)
	return unix.IoctlIfreq(s, unix.SIOCSIFFLAGS, req)
}

// The peer is gone without a word: neither FIN nor RST, nothing to read ever again.
func TestDeadPeerIsFoundByKeepAlive(t *testing.T) {
	island := onIsland(t)
	var l net.Listener
	island(func() (err error) {
		if err := loopback(true); err != nil {
			return err
		}
		l, err = (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
		return err
	})
	agent := serveAgent(t, l, "http://"+l.Addr().String()+"/")
	s, log := prepare(options(agent.url))
	s.pace.keepAlive = net.KeepAliveConfig{Enable: true, Idle: time.Second, Interval: time.Second, Count: 1}
	dial := dialTCP(s.pace.keepAlive)
	s.dial = func(ctx context.Context, network, address string) (conn net.Conn, err error) {
		ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond) // the island has one thread
		defer cancel()
		island(func() error { conn, err = dial(ctx, network, address); return nil })
		return conn, err
	}
	r := run(t, s, log)
	agent.subscribed()
	event[Subscribed](r)
	island(func() error { return loopback(false) })
	r.logged("subscription ended")
	island(func() error { return loopback(true) })
	agent.subscribed()
	if e := event[Subscribed](r); !e.Again {
		t.Errorf("%+v", e)
	}
	agent.stop() // it never heard of the end of the first connection
}

// What the test above shortens.
func TestKeepAliveOfTheAgentsConnections(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn, err := dialTCP(normalPace().keepAlive)(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	raw.Control(func(fd uintptr) {
		for option, want := range map[int]int{unix.TCP_KEEPIDLE: 10, unix.TCP_KEEPINTVL: 5, unix.TCP_KEEPCNT: 3} {
			if got, err := unix.GetsockoptInt(int(fd), unix.IPPROTO_TCP, option); err != nil || got != want {
				t.Errorf("socket option %d is %d (%v), want %d", option, got, err, want)
			}
		}
	})
}
