//go:build linux

package enginetest

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/docker/docker/api/types/image"
)

func TestLendAddsWhatIsMissingAndGiveBackRemovesOnlyThat(t *testing.T) {
	e := start(t)
	c := dockerClient(t, e)
	_, err := c.ImageRemove(t.Context(), Image, image.RemoveOptions{})
	must(t, err)

	giveBack, err := Lend(t.Context(), e.Host)
	must(t, err)
	if got := runContainer(t, e, Image, nil); got != "default command\n" {
		t.Errorf("the lent image printed %q", got)
	}
	e.removeContainers()
	must(t, giveBack())
	if _, err := c.ImageInspect(t.Context(), Image); err == nil {
		t.Errorf("%s is still there", Image)
	}
	if _, err := c.ImageInspect(t.Context(), EntrypointImage); err != nil {
		t.Errorf("an image that was there before: %v", err)
	}
}

func TestFindTellsAnEngineFromNone(t *testing.T) {
	e := start(t)
	if host, err := Find(t.Context(), e.Host); err != nil || host != e.Host {
		t.Errorf("a running engine: %q, %v", host, err)
	}
	if _, err := Find(t.Context(), "unix://"+filepath.Join(t.TempDir(), "no.sock")); !errors.Is(err, ErrNoEngine) {
		t.Errorf("no socket: %v", err)
	}
	for _, host := range []string{"tcp://127.0.0.1:2375", "unix://relative", "/var/run/docker.sock"} {
		if _, err := Find(t.Context(), host); err == nil || errors.Is(err, ErrNoEngine) {
			t.Errorf("%s: %v, want a refusal that says why", host, err)
		}
	}
}
