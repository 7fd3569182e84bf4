package engine

import (
	"context"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"mesos-docker-executor/executor/enginetest"
)

// TestHardwareAddressReachesOldEngines: the Spec has it in the endpoint, where API 1.41 has no place for it.
func TestHardwareAddressReachesOldEngines(t *testing.T) {
	const mac = "02:42:ac:11:00:99"
	e := openReal(t)
	config := container.Config{Image: enginetest.Image}
	networks := network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{"bridge": {MacAddress: mac}}}
	id, _, err := e.Create(t.Context(), "mac", &config, &container.HostConfig{NetworkMode: "bridge"}, &networks)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Remove(context.WithoutCancel(t.Context()), id); err != nil {
			t.Error(err)
		}
	})
	//lint:ignore SA1019 it must not have been touched
	if networks.EndpointsConfig["bridge"].MacAddress != mac || config.MacAddress != "" {
		t.Error("the caller's struct was changed")
	}
	c, err := e.Inspect(t.Context(), id)
	if err != nil || !strings.Contains(string(c.Raw), mac) {
		t.Errorf("%v: %s", err, c.Raw)
	}
}
