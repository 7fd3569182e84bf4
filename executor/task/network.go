package task

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// network translates network mode and port mappings. A task that sets no network asks for HOST (mesos.proto's default);
// that is passed on as such, and the policy refuses it.
func (t *translation) network(c *mesos.ContainerInfo, docker *mesos.ContainerInfo_DockerInfo) {
	const field = "container.docker.network"
	switch docker.GetNetwork() {
	case mesos.ContainerInfo_DockerInfo_BRIDGE:
		t.spec.Host.NetworkMode = container.NetworkMode("bridge")
		t.portMappings(docker.PortMappings)
	case mesos.ContainerInfo_DockerInfo_NONE:
		t.spec.Host.NetworkMode = container.NetworkMode("none")
		if len(docker.PortMappings) > 0 {
			t.invalid("container.docker.port_mappings", "", "A container without a network cannot publish ports; set the network to BRIDGE, or remove the mappings.")
		}
	default: // HOST, and USER, whose name must not be able to stand for one of the modes
		t.spec.Host.NetworkMode = container.NetworkMode(strings.ToLower(docker.GetNetwork().String()))
	}
	t.origin("Host.NetworkMode", field)
	if docker.Network == nil {
		t.origin("Host.NetworkMode", field+" (unset)")
	}
	if docker.GetNetwork() == mesos.ContainerInfo_DockerInfo_USER {
		return // refused as a whole, with its network_infos
	}
	named := func(n mesos.NetworkInfo) bool { return !isEmpty(&n) }
	if slices.ContainsFunc(c.NetworkInfos, named) {
		t.unsupported("container.network_infos", "remove it, and set `container.docker.network` to BRIDGE or NONE")
	}
}

func (t *translation) portMappings(mappings []mesos.ContainerInfo_DockerInfo_PortMapping) {
	taken := map[string]bool{}
	for i, m := range mappings {
		field := fmt.Sprintf("container.docker.port_mappings[%d]", i)
		protocol := strings.ToLower(m.GetProtocol())
		if protocol == "" {
			protocol = "tcp"
		}
		host := fmt.Sprintf("%d/%s", m.HostPort, protocol)
		switch {
		case protocol != "tcp" && protocol != "udp":
			t.invalid(field+".protocol", protocol, "Protocol %s cannot be mapped; write tcp or udp.", quote(protocol))
			continue
		case m.ContainerPort < 1 || m.ContainerPort > 65535:
			t.invalid(field+".container_port", fmt.Sprint(m.ContainerPort), "Port %d does not exist; write 1 to 65535.", m.ContainerPort)
			continue
		case m.HostPort < 1 || m.HostPort > 65535:
			t.invalid(field+".host_port", fmt.Sprint(m.HostPort), "Port %d cannot be a host port; write one of the task's `ports` resources.", m.HostPort)
			continue
		case !t.offersPort(m.HostPort):
			t.invalid(field+".host_port", fmt.Sprint(m.HostPort), "Port %d is not among the task's `ports` resources; map one that is.", m.HostPort)
			continue
		case taken[host]:
			t.invalid(field+".host_port", host, "Host port %s is mapped twice; map it once.", host)
			continue
		}
		taken[host] = true
		t.publish(nat.Port(fmt.Sprintf("%d/%s", m.ContainerPort, protocol)), m.HostPort, field)
	}
}

func (t *translation) publish(port nat.Port, hostPort uint32, origin string) {
	host, config := &t.spec.Host, &t.spec.Config
	if host.PortBindings == nil {
		host.PortBindings, config.ExposedPorts = nat.PortMap{}, nat.PortSet{}
	}
	// No address: all of them, as the stock executor does.
	binding := nat.PortBinding{HostPort: strconv.FormatUint(uint64(hostPort), 10)}
	host.PortBindings[port] = append(host.PortBindings[port], binding)
	config.ExposedPorts[port] = struct{}{}
	t.origin("Host.PortBindings["+string(port)+"]", origin)
}
