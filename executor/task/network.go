package task

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	endpoint "github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"
	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// network translates the network and what belongs to it. A task that sets no network asks for HOST (mesos.proto's default);
// that is passed on as such, and the policy decides on it.
func (t *translation) network(c *mesos.ContainerInfo, docker *mesos.ContainerInfo_DockerInfo) {
	const field = "container.docker.network"
	named := slices.ContainsFunc(c.NetworkInfos, func(n mesos.NetworkInfo) bool { return !isEmpty(&n) })
	switch docker.GetNetwork() {
	case mesos.ContainerInfo_DockerInfo_USER:
		t.userNetwork(c.NetworkInfos, docker.PortMappings)
		t.portMappings(docker.PortMappings)
		return
	case mesos.ContainerInfo_DockerInfo_BRIDGE:
		t.spec.Host.NetworkMode = container.NetworkMode("bridge")
		t.portMappings(docker.PortMappings)
	default: // HOST and NONE
		t.spec.Host.NetworkMode = container.NetworkMode(strings.ToLower(docker.GetNetwork().String()))
	}
	t.origin("Host.NetworkMode", field)
	if docker.Network == nil {
		t.origin("Host.NetworkMode", field+security.UnsetOrigin)
	}
	if named {
		t.invalid("container.network_infos", "", "Only the network USER has network infos; set `container.docker.network` to USER, or remove them.")
	}
}

// portsNeedNetwork refuses mappings that the network cannot have. It is asked when the parameters, which can name a network
// where the field does not, have been read.
func (t *translation) portsNeedNetwork(mappings []mesos.ContainerInfo_DockerInfo_PortMapping) {
	if mode := t.spec.Host.NetworkMode; len(mappings) > 0 && (mode.IsHost() || mode.IsNone() || mode.IsContainer()) {
		t.invalid("container.docker.port_mappings", "", "The network %s cannot publish ports; set the network to BRIDGE or USER, or remove the mappings.",
			quote(string(mode)))
	}
}

// userNetwork translates the one network of a task with network USER. Like the stock executor it takes the name; what
// else it finds it honours or refuses, where the stock executor ignores it.
func (t *translation) userNetwork(infos []mesos.NetworkInfo, published []mesos.ContainerInfo_DockerInfo_PortMapping) {
	const field = "container.network_infos"
	t.origin("Host.NetworkMode", "container.docker.network")
	if len(infos) != 1 || infos[0].GetName() == "" {
		t.invalid(field, "", "The network USER needs one network info with the network's name; there are %d infos.", len(infos))
		return
	}
	info, at := infos[0], field+"[0]"
	name := info.GetName()
	if isNetworkMode(name) {
		t.reject(ruleNetwork, at+".name", name, "%s is not the name of a user network; set `container.docker.network` to the mode that is meant.", quote(name))
		return
	}
	t.spec.Host.NetworkMode = container.NetworkMode(name)
	t.origin("Host.NetworkMode", at+".name")
	if len(info.Groups) > 0 {
		t.unsupported(at+".groups", "remove them; Docker networks have no groups")
	}
	if len(info.GetLabels().GetLabels()) > 0 {
		t.note("%s.labels have no effect on Docker's network", at)
	}
	for i, m := range info.PortMappings {
		if !slices.ContainsFunc(published, func(p mesos.ContainerInfo_DockerInfo_PortMapping) bool { return samePorts(p, m) }) {
			t.invalid(fmt.Sprintf("%s.port_mappings[%d]", at, i), "", "The port is not among `container.docker.port_mappings`; map it there.")
		}
	}
	t.addresses(at, name, info.IPAddresses)
}

// isNetworkMode tells names that the engine reads as something else than a user network (moby, container.NetworkMode).
func isNetworkMode(name string) bool {
	name = strings.ToLower(name)
	return slices.Contains([]string{"host", "bridge", "none", "default", "container"}, name) || strings.Contains(name, ":")
}

func samePorts(p mesos.ContainerInfo_DockerInfo_PortMapping, m mesos.NetworkInfo_PortMapping) bool {
	protocol := func(s string) string { return cmp.Or(strings.ToLower(s), "tcp") }
	return p.HostPort == m.HostPort && p.ContainerPort == m.ContainerPort && protocol(p.GetProtocol()) == protocol(m.GetProtocol())
}

// addresses asks for fixed addresses. One without an address only asks for its protocol, on which the network decides.
func (t *translation) addresses(at, network string, wishes []mesos.NetworkInfo_IPAddress) {
	var fixed endpoint.EndpointIPAMConfig
	for i, wish := range wishes {
		if wish.IPAddress == nil {
			continue
		}
		field := fmt.Sprintf("%s.ip_addresses[%d].ip_address", at, i)
		address, err := netip.ParseAddr(wish.GetIPAddress())
		kept := &fixed.IPv4Address
		if err == nil && address.Is6() {
			kept = &fixed.IPv6Address
		}
		switch {
		case err != nil || address.Zone() != "" || wish.Protocol != nil && address.Is6() != (*wish.Protocol == mesos.IPv6):
			t.invalid(field, wish.GetIPAddress(), "%s is not an address of the protocol %s; correct it, or leave it out.", quote(wish.GetIPAddress()), wish.GetProtocol())
			continue
		case *kept != "":
			t.invalid(field, wish.GetIPAddress(), "There is a second address of one protocol; an endpoint has one of each.")
			continue
		}
		*kept = address.String()
	}
	if fixed.IPv4Address == "" && fixed.IPv6Address == "" {
		return
	}
	t.spec.Network.EndpointsConfig = map[string]*endpoint.EndpointSettings{network: {IPAMConfig: &fixed}}
	t.origin("Network.EndpointsConfig["+network+"]", at+".ip_addresses")
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
			t.invalid(field+".host_port", fmt.Sprint(m.HostPort), "Port %d cannot be a host port; write one of the task's `ports` resources (%s).", m.HostPort, t.offeredPorts())
			continue
		case !t.offersPort(m.HostPort):
			t.invalid(field+".host_port", fmt.Sprint(m.HostPort), "Port %d is not among the task's `ports` resources (%s); map one that is.", m.HostPort, t.offeredPorts())
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
