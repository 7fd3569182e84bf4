package engine

import (
	"io"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
)

func TestZZ(t *testing.T) {
	e := openReal(t)
	id := create(t, e, container.Config{Cmd: []string{"dd", "if=/dev/zero", "bs=1M", "count=1024"}})
	o, x := watch(t, e, id, false)
	_ = e.Start(t.Context(), id)
	out := &sum{Hash64: nil}
	_ = out
	b := time.Now()
	n := &counter{}
	t.Log(o.Copy(n, io.Discard), n.n, time.Since(b))
	t.Log(x.Wait(t.Context()))
}

type counter struct{ n int }

func (c *counter) Write(p []byte) (int, error) { c.n += len(p); return len(p), nil }
