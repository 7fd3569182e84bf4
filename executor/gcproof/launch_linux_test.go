package gcproof

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/storage/imageuse"
)

// launch does what an executor does with an image: look it up, note the use, look again if it was being removed, create.
func (h *host) launch(image, name string) (created string, err error) {
	for again := true; again; {
		found, err := h.engine.Image(h.t.Context(), image)
		if err != nil {
			return "", fmt.Errorf("look-up: %w", err)
		}
		if again, err = imageuse.Note(h.t.Context(), h.record, found.ID); err != nil {
			return "", err
		}
	}
	created, _, err = h.engine.Create(h.t.Context(), name, &container.Config{Image: image, Cmd: []string{"x"}}, &container.HostConfig{NetworkMode: "none"}, nil)
	return created, err
}

// Each launch begins when the image before its own in the order of removal is gone, so that gc is about to remove its own. It may find that that is
// gone, too, and would pull it; once it has found the image and noted the use, it keeps it.
func TestNoLaunchLosesTheImageThatItHasFound(t *testing.T) {
	h := newHost(t)
	const images = 68
	ids := h.images("e.example", images, 500)
	over := make(chan bool)
	go func() {
		defer close(over)
		for range images {
			if out, err := h.gc().CombinedOutput(); err != nil {
				t.Errorf("%v: %s", err, out)
			} else if bytes.Contains(out, []byte("images: there is room")) {
				return
			}
		}
		t.Error("gc does not come to an end")
	}()
	var kept []string // images with a container
	gone := 0
	for n := 0; n+1 < images; {
		if _, err := h.engine.Image(t.Context(), ids[n]); err == nil {
			select {
			case <-over:
				n = images
			default:
			}
			continue
		}
		id, err := h.launch(fmt.Sprintf("e.example/app%d:1", n+1), fmt.Sprintf("launch%d", n+1))
		switch {
		case err == nil:
			defer func() {
				if err := h.engine.Remove(after(t), id); err != nil {
					t.Error(err)
				}
			}()
			kept = append(kept, ids[n+1])
		case strings.HasPrefix(err.Error(), "look-up: ") && errors.Is(err, engine.ErrNotFound):
			gone++
		default:
			t.Errorf("image %d: %v", n+1, err)
		}
		n += 2
	}
	<-over
	there := h.there()
	for _, id := range kept {
		if !there[id] {
			t.Errorf("%s has a container and is gone", id)
		}
	}
	if len(kept) == 0 {
		t.Error("no launch had its image")
	}
	t.Logf("%d launches had their image, %d would have pulled it", len(kept), gone)
}
