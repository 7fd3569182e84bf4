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
	ids := h.images("f.example", 34, 1000)
	id, _, err := h.engine.Create(t.Context(), "wedged", &container.Config{Image: enginetest.Image, Cmd: []string{"sleep", "600"}},
		&container.HostConfig{NetworkMode: "none", LogConfig: container.LogConfig{Type: "none"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.engine.Remove(after(t), id); err != nil {
			t.Error(err)
		}
	}()
	if err := h.engine.Start(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := private.SignalShim(id, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if err := h.engine.Signal(ctx, id, "SIGKILL"); err == nil {
		t.Error("a stopped shim carries out a kill")
	}
	first := h.gcOnce()
	second := h.gcOnce()
	if err := private.SignalShim(id, unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	if len(first.Failed) != 1 || len(first.Images.Images) != 1 || !strings.Contains(first.Failed[0], "not finished within 2") || first.Images.Ended == "" {
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
