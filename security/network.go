package security

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/go-connections/nat"
)

// network decides over the network mode and the published ports. Endpoint settings (addresses, aliases, MAC addresses)
// of a task are not taken, so [review.unknown] rejects any.
//
// Whether a host port belongs to the task is for the caller to check: the policy does not see offers.
func (r *review) network() {
	mode := string(take(&r.left.Host.NetworkMode))
	bindings := take(&r.left.Host.PortBindings)
	exposed := take(&r.left.Config.ExposedPorts)

	allowed := strings.Join(r.rules.NetworkModes, " or ")
	switch {
	case slices.Contains(r.rules.NetworkModes, mode):
		r.allow("Host.NetworkMode", mode, "network.modes")
		r.out.Host.NetworkMode = container.NetworkMode(mode)
	case mode == "host":
		r.reject("Host.NetworkMode", mode, "network.modes",
			"The host's network is refused (a task that sets no network asks for it: the protocol's default is HOST); "+
				"set the network to %s.", allowed)
	default:
		r.reject("Host.NetworkMode", mode, "network.modes",
			"Network %q is refused; set the network to %s.", Shorten(mode), allowed)
	}

	for _, port := range slices.Sorted(maps.Keys(bindings)) {
		r.portBinding(mode, port, bindings[port])
	}
	for _, port := range slices.Sorted(maps.Keys(exposed)) {
		if _, published := bindings[port]; !published {
			r.reject("Config.ExposedPorts["+string(port)+"]", string(port), "network.ports",
				"Port %s is exposed without a port mapping; remove it.", Printable(string(port)))
		}
	}
}

func (r *review) portBinding(mode string, port nat.Port, bindings []nat.PortBinding) {
	field := "Host.PortBindings[" + string(port) + "]"
	number, protocol, _ := strings.Cut(string(port), "/")
	if mode != "bridge" || !isPort(number) || (protocol != "tcp" && protocol != "udp") || len(bindings) == 0 {
		r.reject(field, string(port), "network.ports",
			"Port %q cannot be published; map a container port from 1 to 65535 with protocol tcp or udp on a bridge network.",
			Shorten(string(port)))
		return
	}
	for _, b := range bindings {
		value := fmt.Sprintf("%s:%s", b.HostPort, port)
		if b.HostIP != "" || !isPort(b.HostPort) {
			r.reject(field, value, "network.ports",
				"Host port %q at address %q cannot be published; name one host port from 1 to 65535 and no address.",
				Shorten(b.HostPort), Shorten(b.HostIP))
			return
		}
		r.allow(field, value, "network.ports")
	}
	if r.out.Host.PortBindings == nil {
		r.out.Host.PortBindings = nat.PortMap{}
		r.out.Config.ExposedPorts = nat.PortSet{}
	}
	r.out.Host.PortBindings[port] = slices.Clone(bindings)
	r.out.Config.ExposedPorts[port] = struct{}{}
}

// isPort accepts exactly one port in its shortest decimal form: Docker would take a range such as "1-65535" as well.
func isPort(s string) bool {
	n, err := strconv.ParseUint(s, 10, 16)
	return err == nil && n > 0 && strconv.FormatUint(n, 10) == s
}
