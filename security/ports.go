package security

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/go-connections/nat"
)

// ports decides over published and exposed ports. Whether a host port belongs to the task is for the caller to check: the
// policy does not see offers.
func (r *review) ports(mode string) {
	bindings := take(&r.left.Host.PortBindings)
	for _, port := range slices.Sorted(maps.Keys(bindings)) {
		r.portBinding(mode, port, bindings[port])
	}
	for _, port := range slices.SortedFunc(maps.Keys(take(&r.left.Config.ExposedPorts)), comparePorts) {
		if _, published := bindings[port]; !published {
			r.exposedPort(port)
		}
	}
	if take(&r.left.Host.PublishAllPorts) {
		r.reject("Host.PublishAllPorts", "true", "network.publish_all",
			"Publishing all ports is refused, and no policy can allow it: the host ports would not be the task's; map each port "+
				"to one of the task's `ports` resources.")
	}
}

func comparePorts(a, b nat.Port) int { return strings.Compare(string(a), string(b)) }

func (r *review) portBinding(mode string, port nat.Port, bindings []nat.PortBinding) {
	field := "Host.PortBindings[" + string(port) + "]"
	number, protocol, _ := strings.Cut(string(port), "/")
	if !hasEndpoint(mode) || !isPort(number) || (protocol != "tcp" && protocol != "udp") || len(bindings) == 0 {
		r.reject(field, string(port), "network.ports",
			"Port %q cannot be published; map a container port from 1 to 65535 with protocol tcp or udp on a bridge or user network.",
			Shorten(string(port)))
		return
	}
	for _, b := range bindings {
		value := fmt.Sprintf("%s:%s", b.HostPort, port)
		if b.HostIP != "" {
			value = b.HostIP + ":" + value
		}
		switch {
		case !isPort(b.HostPort):
			r.reject(field, value, "network.ports",
				"Host port %q cannot be published; name one host port from 1 to 65535.", Shorten(b.HostPort))
			return
		case b.HostIP != "" && !isIP(b.HostIP):
			r.reject(field, value, "network.host_ip", "%q is no IP address of the host; write one, or none.", Shorten(b.HostIP))
			return
		case b.HostIP != "" && !slices.Contains(r.rules.Network.HostIPs, b.HostIP) && r.deny(field, value, "network.host_ip",
			"Publishing on the address %q is refused: %s. Without an address, the port is published on all of them.",
			Shorten(b.HostIP), chooseFrom(r.rules.Network.HostIPs)):
			return
		}
		r.allow(field, value, "network.ports")
	}
	if r.out.Host.PortBindings == nil {
		r.out.Host.PortBindings = nat.PortMap{}
	}
	r.out.Host.PortBindings[port] = slices.Clone(bindings)
	r.expose(port)
}

// exposedPort lets a port through that is not published: it documents the container, and the engine's bridge asks for
// nothing more to reach it. sctp is one of Docker's three protocols.
func (r *review) exposedPort(port nat.Port) {
	field := "Config.ExposedPorts[" + string(port) + "]"
	number, protocol, _ := strings.Cut(string(port), "/")
	if !isPort(number) || !slices.Contains([]string{"tcp", "udp", "sctp"}, protocol) {
		r.reject(field, string(port), "network.expose",
			"Port %q cannot be exposed; write one port from 1 to 65535 and tcp, udp or sctp, for example 8080/tcp.", Shorten(string(port)))
		return
	}
	r.allow(field, string(port), "network.expose")
	r.expose(port)
}

func (r *review) expose(port nat.Port) {
	if r.out.Config.ExposedPorts == nil {
		r.out.Config.ExposedPorts = nat.PortSet{}
	}
	r.out.Config.ExposedPorts[port] = struct{}{}
}

// isPort accepts exactly one port in its shortest decimal form: Docker would take a range such as "1-65535" as well.
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == s
}
