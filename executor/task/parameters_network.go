package task

import (
	"net"
	"net/netip"
	"strings"
	"unicode"

	"github.com/docker/docker/api/types/network"

	"mesos-docker-executor/security"
)

// networkFlags say which network the container is in, which addresses and names it has there, and which names it knows.
func networkFlags() []flag {
	return []flag{
		{name: "add-host", kind: repeated, set: (*dockerRun).addHost},
		{name: "dns", kind: repeated, set: (*dockerRun).addNameServer},
		{name: "dns-option", aliases: []string{"dns-opt"}, kind: repeated, set: addText("Host.DNSOptions", func(s *security.Spec) *[]string { return &s.Host.DNSOptions }, nil)},
		{name: "dns-search", kind: repeated, set: (*dockerRun).addSearchDomain},
		{name: "ip", kind: single, when: late, set: (*dockerRun).setIPv4},
		{name: "ip6", kind: single, when: late, set: (*dockerRun).setIPv6},
		{name: "link", kind: repeated, when: late, set: (*dockerRun).addLink},
		{name: "link-local-ip", kind: repeated, when: late, set: (*dockerRun).addLinkLocal},
		{name: "mac-address", kind: single, when: late, set: (*dockerRun).setMAC},
		{name: "network", aliases: []string{"net"}, kind: single, when: early, secret: true, set: (*dockerRun).setNetwork},
		{name: "network-alias", aliases: []string{"net-alias"}, kind: repeated, when: late, set: (*dockerRun).addAlias},
	}
}

// addHost reads NAME:IP and NAME=IP, and the word host-gateway for an address. Docker gets the first form.
func (r *dockerRun) addHost(p parameter) {
	name, address, ok := strings.Cut(p.value, "=")
	if !ok {
		name, address, ok = strings.Cut(p.value, ":")
	}
	if strings.HasPrefix(address, "[") && strings.HasSuffix(address, "]") {
		address = address[1 : len(address)-1]
	}
	odd := strings.ContainsFunc(name, func(c rune) bool { return c == ':' || unicode.IsSpace(c) || unicode.IsControl(c) })
	if !ok || name == "" || odd || address != "host-gateway" && net.ParseIP(address) == nil {
		r.malformed(p, "write NAME:ADDRESS, with an IP address or host-gateway")
		return
	}
	entry := name + ":" + address
	addElement(r, p, "Host.ExtraHosts", &r.spec.Host.ExtraHosts, entry, entry)
}

func (r *dockerRun) addNameServer(p parameter) {
	ip := net.ParseIP(strings.TrimSpace(p.value))
	if ip == nil {
		r.malformed(p, "write an IP address")
		return
	}
	addElement(r, p, "Host.DNS", &r.spec.Host.DNS, ip.String(), ip.String())
}

// addSearchDomain takes a domain, without the dot of its end, or a dot for none at all.
func (r *dockerRun) addSearchDomain(p parameter) {
	domain := p.value
	if domain != "." {
		domain = strings.TrimSuffix(domain, ".")
		if !isDomain(domain) {
			r.malformed(p, "write a domain, or a dot for none")
			return
		}
	}
	addElement(r, p, "Host.DNSSearch", &r.spec.Host.DNSSearch, domain, domain)
}

// isDomain accepts what the docker command does: labels of letters, digits and inner hyphens, with a letter somewhere.
func isDomain(s string) bool {
	for label := range strings.SplitSeq(s, ".") {
		odd := func(c rune) bool {
			return c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c) && c != '-'
		}
		if label == "" || label[0] == '-' || label[len(label)-1] == '-' || strings.ContainsFunc(label, odd) {
			return false
		}
	}
	return len(s) < 255 && strings.ContainsFunc(s, unicode.IsLetter)
}

// endpoint returns the settings of the container in its network to write to.
func (r *dockerRun) endpoint(p parameter) (settings *network.EndpointSettings, field string) {
	mode := string(r.spec.Host.NetworkMode)
	if r.spec.Network.EndpointsConfig == nil {
		r.spec.Network.EndpointsConfig = map[string]*network.EndpointSettings{}
	}
	settings = r.spec.Network.EndpointsConfig[mode]
	if settings == nil {
		settings = &network.EndpointSettings{}
		r.spec.Network.EndpointsConfig[mode] = settings
		r.element(p, "Network.EndpointsConfig", mode)
	}
	return settings, "Network.EndpointsConfig[" + mode + "]"
}

// addresses is endpoint for the settings that Docker takes for networks of its users only.
func (r *dockerRun) addresses(p parameter) (settings *network.EndpointSettings, field string, ok bool) {
	if mode := r.spec.Host.NetworkMode; !mode.IsUserDefined() {
		r.invalid(p.origin(), "", "Docker gives addresses and aliases in user-defined networks only, and the network is %s; remove the parameter.", quote(string(mode)))
		return nil, "", false
	}
	settings, field = r.endpoint(p)
	return settings, field, true
}

func ipam(settings *network.EndpointSettings) *network.EndpointIPAMConfig {
	if settings.IPAMConfig == nil {
		settings.IPAMConfig = &network.EndpointIPAMConfig{}
	}
	return settings.IPAMConfig
}

func (r *dockerRun) setIPv4(p parameter) {
	if ip, err := netip.ParseAddr(p.value); err != nil || !ip.Is4() {
		r.malformed(p, "write an IPv4 address")
	} else if settings, field, ok := r.addresses(p); ok {
		settle(r, p, field+".IPAMConfig.IPv4Address", &ipam(settings).IPv4Address, p.value)
	}
}

func (r *dockerRun) setIPv6(p parameter) {
	if ip, err := netip.ParseAddr(p.value); err != nil || !ip.Is6() || ip.Zone() != "" {
		r.malformed(p, "write an IPv6 address")
	} else if settings, field, ok := r.addresses(p); ok {
		settle(r, p, field+".IPAMConfig.IPv6Address", &ipam(settings).IPv6Address, p.value)
	}
}

func (r *dockerRun) addLinkLocal(p parameter) {
	if ip, err := netip.ParseAddr(p.value); err != nil || ip.Zone() != "" {
		r.malformed(p, "write an IP address")
	} else if settings, field, ok := r.addresses(p); ok {
		addElement(r, p, field+".IPAMConfig.LinkLocalIPs", &ipam(settings).LinkLocalIPs, p.value, p.value)
	}
}

func (r *dockerRun) addAlias(p parameter) {
	if !r.filled(p) {
		return
	}
	if settings, field, ok := r.addresses(p); ok {
		addElement(r, p, field+".Aliases", &settings.Aliases, p.value, p.value)
	}
}

// setMAC sets the endpoint's address; engines before API 1.44 get it in another place (engine.Create).
func (r *dockerRun) setMAC(p parameter) {
	if _, err := net.ParseMAC(p.value); err != nil {
		r.malformed(p, "write an address like 92:d0:c6:0a:29:33")
		return
	}
	settings, field := r.endpoint(p)
	settle(r, p, field+".MacAddress", &settings.MacAddress, p.value)
}

// addLink reads CONTAINER[:ALIAS]. In a user-defined network it is a setting of the endpoint.
func (r *dockerRun) addLink(p parameter) {
	name, alias, given := strings.Cut(p.value, ":")
	if !r.filled(p) {
		return
	}
	if name == "" || given && (alias == "" || strings.Contains(alias, ":")) {
		r.malformed(p, "write CONTAINER:ALIAS")
		return
	}
	if r.spec.Host.NetworkMode.IsUserDefined() {
		settings, field := r.endpoint(p)
		addElement(r, p, field+".Links", &settings.Links, p.value, p.value)
		return
	}
	addElement(r, p, "Host.Links", &r.spec.Host.Links, p.value, p.value)
}
