package security

import (
	"maps"
	"net"
	"net/netip"
	"reflect"
	"slices"

	"github.com/docker/docker/api/types/network"
)

// endpointName is a name in the engine's DNS server; unlike host names it may hold underscores. See [isEndpointName].
var endpointName = compiled(`^[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?$`)

// maxDomain is the longest domain name (RFC 1035, 2.3.4, as it is written).
const maxDomain = 253

func isEndpointName(s string) bool { return len(s) <= maxDomain && endpointName().MatchString(s) }

// endpoints decides over how the container appears on its network: by which names and addresses. A container has one
// network, that of its mode.
func (r *review) endpoints(mode string) {
	endpoints := take(&r.left.Network.EndpointsConfig)
	for _, name := range slices.Sorted(maps.Keys(endpoints)) {
		field := "Network.EndpointsConfig[" + name + "]"
		if name != mode || !hasEndpoint(mode) {
			r.reject(field, name, "network.endpoints",
				"Connecting the container to network %q is refused: it is connected to the one network of its mode, %q; remove it.",
				Shorten(name), Shorten(mode))
			continue
		}
		if e := endpoints[name]; e != nil {
			if accepted := r.endpoint(mode, field, *e); !reflect.ValueOf(accepted).IsZero() {
				r.out.Network.EndpointsConfig = map[string]*network.EndpointSettings{name: &accepted}
			}
		}
	}
}

func (r *review) endpoint(mode, field string, e network.EndpointSettings) (out network.EndpointSettings) {
	for _, alias := range take(&e.Aliases) {
		if r.endpointAlias(mode, field+".Aliases["+alias+"]", alias) {
			out.Aliases = append(out.Aliases, alias)
		}
	}
	if ipam := take(&e.IPAMConfig); ipam != nil {
		out.IPAMConfig = r.staticAddresses(mode, field+".IPAMConfig", *ipam)
	}
	out.MacAddress = r.macAddress(field+".MacAddress", take(&e.MacAddress))
	refuseEach(r, field+".Links", take(&e.Links), "network.links",
		"Links to other containers are refused, and no policy can allow them; use the other container's own name on the network.")
	refuseTogether(r, field+".DriverOpts", take(&e.DriverOpts), "network.driver_options",
		"Options of the network's driver are refused, and no policy can allow them; remove them.")
	r.unknown(field, reflect.ValueOf(e))
	return out
}

func (r *review) endpointAlias(mode, field, alias string) bool {
	switch {
	case !r.rules.Network.Aliases && r.deny(field, alias, "network.aliases",
		"Network alias %q is refused: it could take the place of another container's name; remove it.", Shorten(alias)):
	case !isUserNetwork(mode):
		r.reject(field, alias, "network.aliases", "Network alias %q is refused: only user networks have aliases; remove it.", Shorten(alias))
	case !isEndpointName(alias):
		r.reject(field, alias, "network.aliases",
			"Network alias %q is refused; use letters, digits, '_', '.' and '-', at most 253.", Shorten(alias))
	default:
		r.allow(field, alias, "network.aliases")
		return true
	}
	return false
}

func (r *review) staticAddresses(mode, field string, ipam network.EndpointIPAMConfig) *network.EndpointIPAMConfig {
	var out network.EndpointIPAMConfig
	if ip := take(&ipam.IPv4Address); ip != "" && r.staticAddress(mode, field+".IPv4Address", ip, netip.Addr.Is4) {
		out.IPv4Address = ip
	}
	if ip := take(&ipam.IPv6Address); ip != "" && r.staticAddress(mode, field+".IPv6Address", ip, netip.Addr.Is6) {
		out.IPv6Address = ip
	}
	for _, ip := range take(&ipam.LinkLocalIPs) {
		if r.staticAddress(mode, field+".LinkLocalIPs["+ip+"]", ip, netip.Addr.IsLinkLocalUnicast) {
			out.LinkLocalIPs = append(out.LinkLocalIPs, ip)
		}
	}
	r.unknown(field, reflect.ValueOf(ipam))
	if reflect.ValueOf(out).IsZero() {
		return nil
	}
	return &out
}

func (r *review) staticAddress(mode, field, ip string, fits func(netip.Addr) bool) bool {
	addr, err := netip.ParseAddr(ip)
	switch {
	case !r.rules.Network.StaticAddresses && r.deny(field, ip, "network.addresses",
		"The address %q is refused: it could be another container's; remove it, the engine assigns one.", Shorten(ip)):
	case !isUserNetwork(mode):
		r.reject(field, ip, "network.addresses",
			"The address %q is refused: only user networks have addresses to choose; remove it.", Shorten(ip))
	case err != nil || addr.Zone() != "" || !fits(addr):
		r.reject(field, ip, "network.addresses",
			"%q is no IP address of the kind that this field takes; write one, without a prefix length.", Shorten(ip))
	default:
		r.allow(field, ip, "network.addresses")
		return true
	}
	return false
}

// macAddress decides over an endpoint's hardware address. Config.MacAddress, where the API had it before 1.44, is not taken:
// two places could differ.
func (r *review) macAddress(field, address string) string {
	if address == "" {
		return ""
	}
	hardware, err := net.ParseMAC(address)
	switch {
	case !r.rules.Network.MACAddress && r.deny(field, address, "network.mac_address",
		"The hardware address %q is refused: it could be another container's; remove it, the engine assigns one.", Shorten(address)):
	case err != nil || len(hardware) != 6 || hardware[0]&1 != 0:
		r.reject(field, address, "network.mac_address",
			"%q is no hardware address of one interface; write six bytes such as 02:42:ac:11:00:02.", Shorten(address))
	default:
		r.allow(field, address, "network.mac_address")
		return address
	}
	return ""
}
