package supervise

import (
	"strings"
	"testing"

	api "github.com/docker/docker/api/types/container"

	"mesos-docker-executor/executor/enginetest"
)

// TestAnEngineThatDoesNotKnowACapability says so in words that are recognised. One that knows all of them takes it.
func TestAnEngineThatDoesNotKnowACapability(t *testing.T) {
	e := probed(t)
	id, _, err := e.Create(t.Context(), "capability-of-a-newer-engine", &api.Config{Image: enginetest.Image, Cmd: []string{"true"}},
		&api.HostConfig{CapDrop: []string{"ALL"}, CapAdd: []string{"CAP_BPF"}}, nil)
	if err == nil {
		if err := e.Remove(t.Context(), id); err != nil {
			t.Error(err)
		}
		return
	}
	if explained := explainCapability(err); !strings.Contains(explained.Error(), "remove the capability from the task") {
		t.Error(explained)
	} else {
		t.Log(explained)
	}
}
