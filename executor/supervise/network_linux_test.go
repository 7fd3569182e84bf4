package supervise

import (
	"context"
	"net/netip"
	"testing"

	endpoint "github.com/docker/docker/api/types/network"
	dockerclient "github.com/docker/docker/client"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security"
)

// withNetworks lets tasks onto the host's network and onto all user networks.
func withNetworks() lifeOption {
	return func(l *life, o *Options) {
		rules := security.BuiltInRules()
		rules.Network = security.NetworkRules{Modes: []string{"bridge", "host", "none"}, Names: []string{"*"}}
		policy := security.New("test", rules)
		o.Settings.Decide = func(raw []byte, _ mesos.FrameworkInfo) task.Decision { return task.Decide(raw, l.inputs, policy) }
	}
}

// TestBothAddressesOfAUserNetworkAreReported: the agent shows what TASK_RUNNING says, with the labels of the task's
// network info.
func TestBothAddressesOfAUserNetworkAreReported(t *testing.T) {
	const name = "two-protocols"
	makeNetwork(t, name, "10.78.0.0/24", "fd00:78::/64")
	l := begin(t, withNetworks())
	l.launch(`{
		"name": "test", "task_id": {"value": "task-1"}, "agent_id": {"value": "agent-1"},
		"resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}}, {"name": "mem", "type": "SCALAR", "scalar": {"value": 64}}],
		"command": {"value": "sleep 600"},
		"container": {"type": "DOCKER", "docker": {"image": "` + enginetest.Image + `", "network": "USER"},
			"network_infos": [{"name": "` + name + `", "labels": {"labels": [{"key": "zone", "value": "a"}]},
				"ip_addresses": [{"protocol": "IPv4"}, {"protocol": "IPv6"}]}]}}`)
	l.await(mesos.TASK_STARTING)
	running := l.await(mesos.TASK_RUNNING)
	infos := running.GetContainerStatus().GetNetworkInfos()
	if len(infos) != 1 || infos[0].GetName() != name || len(infos[0].GetLabels().GetLabels()) != 1 {
		t.Fatalf("network infos: %+v", infos)
	}
	wantAddresses(t, infos[0].IPAddresses, "10.78.0.0/24", "fd00:78::/64")
	kill(l, 0)
	l.await(mesos.TASK_KILLING)
	killed := l.await(mesos.TASK_KILLED)
	wantAddresses(t, killed.GetContainerStatus().GetNetworkInfos()[0].IPAddresses, "10.78.0.0/24", "fd00:78::/64")
	l.exits(0)
}

func wantAddresses(t *testing.T, got []mesos.NetworkInfo_IPAddress, subnets ...string) {
	t.Helper()
	if len(got) != len(subnets) {
		t.Fatalf("addresses %+v, want one of each of %v", got, subnets)
	}
	for i, subnet := range subnets {
		prefix := netip.MustParsePrefix(subnet)
		address, err := netip.ParseAddr(got[i].GetIPAddress())
		if err != nil || !prefix.Contains(address) || address.Is6() != (got[i].GetProtocol() == mesos.IPv6) {
			t.Errorf("address %v (%v) is not of %s: %v", got[i].GetIPAddress(), got[i].GetProtocol(), subnet, err)
		}
	}
}

// TestHostNetworkHasNoAddressOfItsOwn: the agent then fills in its own.
func TestHostNetworkHasNoAddressOfItsOwn(t *testing.T) {
	l := begin(t, withNetworks())
	l.launch(`{
		"name": "test", "task_id": {"value": "task-1"}, "agent_id": {"value": "agent-1"},
		"resources": [{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}}, {"name": "mem", "type": "SCALAR", "scalar": {"value": 64}}],
		"command": {"value": "hostname"},
		"container": {"type": "DOCKER", "docker": {"image": "` + enginetest.Image + `"}}}`)
	l.await(mesos.TASK_STARTING)
	running := l.await(mesos.TASK_RUNNING)
	if infos := running.GetContainerStatus().GetNetworkInfos(); len(infos) != 0 {
		t.Errorf("network infos: %+v", infos)
	}
	l.await(mesos.TASK_FINISHED)
	l.exits(0)
}

func makeNetwork(t *testing.T, name, ipv4, ipv6 string) {
	t.Helper()
	c, err := dockerclient.NewClientWithOpts(dockerclient.WithHost(docker.Host), dockerclient.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	both := true
	_, err = c.NetworkCreate(t.Context(), name, endpoint.CreateOptions{
		Driver: "bridge", EnableIPv6: &both,
		IPAM: &endpoint.IPAM{Config: []endpoint.IPAMConfig{{Subnet: ipv4}, {Subnet: ipv6}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.NetworkRemove(context.WithoutCancel(t.Context()), name); err != nil {
			t.Error(err)
		}
	})
}
