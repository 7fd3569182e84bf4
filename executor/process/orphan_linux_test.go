package process

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
)

func TestOnlyTheShimsOfTheContainerAreEnded(t *testing.T) {
	f := newLeaf(t)
	_, other, spared := startWithShim(t, f, container.HostConfig{}, "echo ready; sleep 1000")
	id, init, _ := startWithShim(t, f, container.HostConfig{}, "echo ready; sleep 1000")
	for _, test := range []struct {
		id   string
		want int
	}{{strings.Repeat("0", 64), 0}, {id, 1}} {
		if got, err := EndShims(test.id); err != nil || got != test.want {
			t.Errorf("%s: %d shims ended, want %d: %v", test.id[:8], got, test.want, err)
		}
	}
	if err := init.Dead(limited(t)); err != nil { // containerd kills what a dead shim leaves
		t.Error(err)
	}
	if _, alive := spared.Process(); !alive || other.over() {
		t.Error("another container's shim was ended")
	}
	if _, err := EndShims("no container"); err == nil {
		t.Error("a wrong id is no error")
	}
}
