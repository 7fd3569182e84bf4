package engine

import (
	"context"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"

	"mesos-docker-executor/executor/enginetest"
)

// TestHardwareAddressReachesEnginesOfEveryVersion: the Spec has the address in the container and in its endpoint, and only
// one of them can be sent, depending on the version of the API.
func TestHardwareAddressReachesEnginesOfEveryVersion(t *testing.T) {
	const mac = "02:42:ac:11:00:99"
	e := openReal(t)
	config := container.Config{Image: enginetest.Image}
	//lint:ignore SA1019 older engines take it
	config.MacAddress = mac
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
	if networks.EndpointsConfig["bridge"].MacAddress != mac {
		t.Error("the caller's struct was changed")
	}
	c, err := e.Inspect(t.Context(), id)
	if err != nil || !strings.Contains(string(c.Raw), mac) {
		t.Errorf("%v: %s", err, c.Raw)
	}
}
