package classproof

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/docker/docker/api/types/container"
)

// The kinds of network.
const (
	onHost   container.NetworkMode = "host"
	onBridge container.NetworkMode = "bridge"
)

func TestFirstSYNOnTheHostNetworkHasTheClass(t *testing.T) {
	leaveNothing(t)
	host := meterOfHost(t)
	connectAtOnce(t, onHost, *containers)
	checkMeter(t, host, counts{all: *containers, own: *containers})
}

func TestFirstSYNOnABridgeHasTheClass(t *testing.T) {
	leaveNothing(t)
	watch := watchNamespaces(t)
	connectAtOnce(t, onBridge, *containers)
	checkMeters(t, watch.end(t), *containers, counts{all: 1, own: 1})
}

// connectAtOnce runs containers whose program's first action is to connect, and that end when the connection does.
func connectAtOnce(t *testing.T, mode container.NetworkMode, n int) {
	t.Helper()
	s, err := newServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	command := strings.Fields(s.pass(engineAddress(t, mode)))
	inCrew(t, n, func(ctx context.Context, _ int) error {
		return runOnce(ctx, spec{network: mode, class: class, command: command})
	})
	if got := s.accepted(); got != n {
		t.Errorf("%d connections of %d containers", got, n)
	}
}

// inCrew calls f for each number below n, some at a time, until all are done or one has failed.
func inCrew(t *testing.T, n int, f func(ctx context.Context, i int) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	next := make(chan int)
	errs := make([]error, n)
	var working sync.WaitGroup
	for range crew {
		working.Go(func() {
			for i := range next {
				limited, done := context.WithTimeout(ctx, lives*soonEnough)
				if errs[i] = f(limited, i); errs[i] != nil {
					cancel()
				}
				done()
			}
		})
	}
	for i := range n {
		if ctx.Err() == nil {
			next <- i
		}
	}
	close(next)
	working.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// engineAddress is where a container reaches the engine's network namespace.
func engineAddress(t *testing.T, mode container.NetworkMode) string {
	t.Helper()
	if mode == onHost {
		return "127.0.0.1"
	}
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", docker.PID))
	if err != nil {
		t.Fatal(err)
	}
	defer namespace.Close()
	var addresses []net.Addr
	err = inNamespace(namespace, func() error {
		bridge, err := net.InterfaceByName("docker0")
		if err == nil {
			addresses, err = bridge.Addrs()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if ip := a.(*net.IPNet).IP.To4(); ip != nil {
			return ip.String()
		}
	}
	t.Fatalf("the engine's bridge docker0 has no IPv4 address: %v", addresses)
	return ""
}
