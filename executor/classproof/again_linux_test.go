package classproof

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
)

const (
	// lives is how often a container runs that is started again: after its first start, by docker restart, and by its restart policy.
	lives = 3
	// lifeSYNs is how often a container connects in each of them: in a child, in the program itself, in a child with a session of
	// its own whose parent has ended, and in a docker exec.
	lifeSYNs = 4
)

func TestSYNsOfLaterStartsOnTheHostNetworkHaveTheClass(t *testing.T) {
	leaveNothing(t)
	host := meterOfHost(t)
	n := startAgain(t, onHost)
	checkMeter(t, host, counts{all: n * lives * lifeSYNs, own: n * lives * lifeSYNs})
}

func TestSYNsOfLaterStartsOnABridgeHaveTheClass(t *testing.T) {
	leaveNothing(t)
	watch := watchNamespaces(t)
	n := startAgain(t, onBridge)
	checkMeters(t, watch.end(t), n*lives, counts{all: lifeSYNs, own: lifeSYNs})
}

// startAgain lets some containers live several times and returns their number.
func startAgain(t *testing.T, mode container.NetworkMode) int {
	t.Helper()
	address, n := engineAddress(t, mode), max(1, *containers/10)
	inCrew(t, n, func(ctx context.Context, _ int) error {
		s, err := newServer(ctx)
		if err != nil {
			return err
		}
		defer s.close() // after the removal: at the end of its connection the program ends, and is started again
		k, err := newTask(ctx, spec{
			network: mode, class: class, restart: container.RestartPolicyAlways,
			command: shell("%s; (setsid %s &); exec %s", s.pass(address), s.keep(address), s.keep(address)),
		})
		if err != nil {
			return err
		}
		err = k.live(ctx, s, s.pass(address))
		if err == nil && s.accepted() != 2*lives {
			err = fmt.Errorf("%d connections, want %d", s.accepted(), 2*lives)
		}
		return errors.Join(err, k.remove(ctx))
	})
	return n
}

// live starts the container, and has the daemon start it again and again.
func (k *task) live(ctx context.Context, s *server, exec string) error {
	again := []func(context.Context) error{k.start, k.restart, k.killInit}
	for life, start := range again {
		if err := start(ctx); err != nil {
			return fmt.Errorf("start %d: %w", life+1, err)
		}
		// The program and the child with its own session: from now on nothing else runs in the container.
		for range 2 {
			if _, err := s.hold(); err != nil {
				return fmt.Errorf("life %d: %w", life+1, err)
			}
		}
		if err := errors.Join(k.verify(), k.exec(ctx, exec)); err != nil {
			return fmt.Errorf("life %d: %w", life+1, err)
		}
	}
	return nil
}

// verify checks that the container has the two processes that it should have, in sessions of their own, and as the executor does that
// they have the class.
func (k *task) verify() error {
	pids, err := k.processes()
	if err != nil {
		return err
	}
	if len(pids) != 2 {
		return fmt.Errorf("processes %v are in %s, want two", pids, k.own())
	}
	var sessions [2]int
	for i, pid := range pids {
		if sessions[i], err = unix.Getsid(pid); err != nil {
			return err
		}
	}
	if sessions[0] == sessions[1] {
		return fmt.Errorf("processes %v are both in session %d", pids, sessions[0])
	}
	return driver.Verify(k.leaf, class, cgroupnet.Settle, pids...)
}

// restart is docker restart, without patience.
func (k *task) restart(ctx context.Context) error {
	now := 0
	return api.ContainerRestart(ctx, k.id, container.StopOptions{Timeout: &now})
}

// killInit ends the program from outside, so that the daemon starts it again by its policy. A kill by the daemon would end that.
func (k *task) killInit(ctx context.Context) error {
	c, err := api.ContainerInspect(ctx, k.id)
	if err != nil {
		return err
	}
	if c.State.Pid <= 1 {
		return fmt.Errorf("the container has no process: %+v", c.State)
	}
	return unix.Kill(c.State.Pid, unix.SIGKILL)
}
