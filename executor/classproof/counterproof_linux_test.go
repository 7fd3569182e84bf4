package classproof

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/docker/docker/api/types/container"
)

// Without the tests of this file, which see what must not be, the others would prove nothing.

func TestSYNsBeforeTheClassAreCountedOnTheHostNetwork(t *testing.T) {
	leaveNothing(t)
	host := meterOfHost(t)
	connectBeforeTheClass(t, onHost)
	checkMeter(t, host, lateClass)
}

func TestSYNsBeforeTheClassAreCountedOnABridge(t *testing.T) {
	leaveNothing(t)
	watch := watchNamespaces(t)
	connectBeforeTheClass(t, onBridge)
	checkMeters(t, watch.end(t), 1, lateClass)
}

// lateClass is what connectBeforeTheClass causes.
var lateClass = counts{all: 4, zero: 2, own: 1, other: 1}

// connectBeforeTheClass runs a container that has no class when it starts, connects, and connects again after each of three changes:
// a class that the leaf gets then does not reach it, another one in its own cgroup does, and so does the right one.
func connectBeforeTheClass(t *testing.T, mode container.NetworkMode) {
	t.Helper()
	address := engineAddress(t, mode)
	s, err := newServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	keep, pass := s.keep(address), s.pass(address)
	k, err := newTask(t.Context(), spec{network: mode, command: shell("%s && %s && %s && %s", keep, keep, keep, pass)})
	if err != nil {
		t.Fatal(err)
	}
	changes := []func() error{
		func() error { return k.writeClass(k.leaf.Path, class) },
		func() error { return k.writeClass(k.own(), class+1) },
		func() error { return k.writeClass(k.own(), class) },
	}
	err = k.runWith(t.Context(), func() error {
		for _, change := range changes {
			c, err := s.hold()
			if err != nil {
				return err
			}
			if err := errors.Join(change(), c.Close()); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, k.remove(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func TestCountersThatComeAfterASYNAreNoticed(t *testing.T) {
	leaveNothing(t)
	address := engineAddress(t, onBridge)
	s, err := newServer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.close()
	k, err := newTask(t.Context(), spec{network: onBridge, class: class, command: shell("exec %s", s.keep(address))})
	if err != nil {
		t.Fatal(err)
	}
	var r reading
	err = k.runWith(t.Context(), func() (err error) {
		c, err := s.hold()
		if err != nil {
			return err
		}
		defer c.Close()
		r, err = k.readLate(t.Context())
		return err
	})
	if err := errors.Join(err, k.remove(t.Context())); err != nil {
		t.Fatal(err)
	}
	if r.nft.all != 0 || r.kernel.first != 1 || r.agree() == nil {
		t.Errorf("%+v, want one SYN that only the kernel has seen: %v", r, r.agree())
	}
}

// readLate loads the counters into the namespace of the running container and reads them.
func (k *task) readLate(ctx context.Context) (reading, error) {
	c, err := api.ContainerInspect(ctx, k.id)
	if err != nil {
		return reading{}, err
	}
	namespace, err := os.Open(fmt.Sprintf("/proc/%d/ns/net", c.State.Pid))
	if err != nil {
		return reading{}, err
	}
	m, err := newMeter(k.id, namespace, false)
	if err != nil {
		return reading{}, err
	}
	defer m.namespace.Close()
	return m.read()
}
