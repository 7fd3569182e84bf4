package gcproof

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/enginetest"
)

// The daemon asks all containers before it removes an image, and waits for one whose lock is held: here by a kill that its stopped shim
// does not carry out.
func TestWedgedContainerCostsOneRequestAndNoImage(t *testing.T) {
	h := newHost(t)
	ids := h.images("f.example", 4, 100)
	h.want(300)
	h.change(func(k *keys) { k.remove = "1s" })
	id, _, err := h.engine.Create(t.Context(), "wedged", &container.Config{Image: enginetest.Image, Cmd: []string{"sleep", "600"}},
		&container.HostConfig{NetworkMode: "none", LogConfig: container.LogConfig{Type: "none"}}, nil)
	must(t, err)
	defer func() {
		if err := h.engine.Remove(after(t), id); err != nil {
			t.Error(err)
		}
	}()
	must(t, h.engine.Start(t.Context(), id))
	must(t, private.SignalShim(id, unix.SIGSTOP))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := h.engine.Signal(ctx, id, "SIGKILL"); err == nil {
		t.Error("a stopped shim carries out a kill")
	}
	first := h.gcOnce()
	second := h.gcOnce()
	must(t, private.SignalShim(id, unix.SIGCONT))
	if len(first.Failed) != 1 || len(first.Images.Images) != 1 || !strings.Contains(first.Failed[0], "not finished within 1") || first.Images.Ended == "" {
		t.Errorf("%+v", first)
	}
	if len(second.Images.Images) > 0 || len(second.Failed) > 0 || !strings.Contains(second.Images.Ended, "no image is removed before") {
		t.Errorf("%+v", second)
	}
	// The removal that nobody waited for may have been carried out; no other was asked for.
	there := h.there()
	for n, id := range ids[1:] {
		if !there[id] {
			t.Errorf("image %d is gone", n+1)
		}
	}
}
