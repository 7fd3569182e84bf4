package classproof

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
)

// query asks for the address of "x" over TCP, as printf(1) writes it: the length, and a header with one question (RFC 1035, 4.1 and 4.2.2).
const query = `\0\23\0\1\1\0\0\1\0\0\0\0\0\0\1x\0\0\1\0\1`

// On a network that a user has made, Docker itself is the containers' name server. It passes their queries on from inside their network
// namespace, in its own name: asked over TCP, it sends the one SYN there that has not the container's class.
func TestNameServerOfDockerConnectsWithoutTheClass(t *testing.T) {
	leaveNothing(t)
	upstream := engineAddress(t, onBridge)
	made, err := api.NetworkCreate(t.Context(), "classproof", network.CreateOptions{Driver: "bridge"})
	if err != nil {
		t.Fatal(err)
	}
	watch := watchNamespaces(t)
	err = askDocker(t.Context(), upstream, spec{
		network: container.NetworkMode(made.ID), class: class, dns: []string{upstream},
		command: shell("printf '%s' | nc 127.0.0.11 53", query),
	})
	if err := errors.Join(err, api.NetworkRemove(t.Context(), made.ID)); err != nil {
		t.Fatal(err)
	}
	meters := watch.end(t)
	if len(meters) != 1 {
		t.Fatalf("%d network namespaces in one start", len(meters))
	}
	r, err := meters[0].read()
	if err := errors.Join(err, r.agree()); err != nil {
		t.Error(err)
	}
	// Docker may have tried again.
	if r.nft.own != 1 || r.nft.zero < 1 || r.nft.other != 0 {
		t.Errorf("%+v SYNs, want one with the class, from the container, and at least one without, from Docker", r.nft)
	}
}

// askDocker runs the container until Docker has passed its query on.
func askDocker(ctx context.Context, upstream string, s spec) error {
	l, err := docker.Listen(ctx, "tcp4", net.JoinHostPort(upstream, "53"))
	if err != nil {
		return err
	}
	asked := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			err = c.Close()
		}
		asked <- err
	}()
	k, err := newTask(ctx, s)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	if err = k.start(ctx); err == nil {
		select {
		case err = <-asked:
		case <-time.After(soonEnough):
			err = fmt.Errorf("no query came to %s within %v", upstream, soonEnough)
		}
	}
	return errors.Join(err, k.remove(ctx), l.Close())
}
