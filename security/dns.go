package security

import (
	"net/netip"
	"strings"
)

var (
	// dnsDomain is a search domain; "." stands for none. Underscores occur in them. See [isDNSDomain].
	dnsDomain = compiled(`^(\.|[a-zA-Z0-9_]([a-zA-Z0-9_.-]*[a-zA-Z0-9_])?\.?)$`)
	// dnsOption is a word of resolv.conf(5)'s options line, such as ndots:2 or use-vc.
	dnsOption = compiled(`^[a-zA-Z0-9_-]{1,64}(:[a-zA-Z0-9_.-]{1,64})?$`)
)

func isDNSDomain(s string) bool {
	return len(strings.TrimSuffix(s, ".")) <= maxDomain && dnsDomain().MatchString(s)
}

func isDNSOption(s string) bool { return dnsOption().MatchString(s) }

// dns decides over what names the container has and how it finds others. Servers and search domains end up in the
// container's own resolv.conf, added hosts in its own hosts file: they mislead nobody but the task.
func (r *review) dns() {
	host := &r.left.Host
	r.out.Host.DNS = r.wellFormed("Host.DNS", take(&host.DNS), isIP, "dns.servers",
		"DNS server %q is refused; write its IP address.")
	r.out.Host.DNSSearch = r.wellFormed("Host.DNSSearch", take(&host.DNSSearch), isDNSDomain, "dns.search",
		"Search domain %q is refused; write one domain per parameter, for example example.com.")
	r.out.Host.DNSOptions = r.wellFormed("Host.DNSOptions", take(&host.DNSOptions), isDNSOption, "dns.options",
		"Resolver option %q is refused; write one as in resolv.conf(5), for example ndots:2.")
	for _, entry := range take(&host.ExtraHosts) {
		if r.extraHost(entry) {
			r.out.Host.ExtraHosts = append(r.out.Host.ExtraHosts, entry)
		}
	}
	r.hostname("Config.Hostname", "hostname", "Hostname", take(&r.left.Config.Hostname), &r.out.Config.Hostname)
	r.hostname("Config.Domainname", "domainname", "Domain name", take(&r.left.Config.Domainname), &r.out.Config.Domainname)
}

// wellFormed returns the elements of a list that have its form. refusal takes the one that has not.
func (r *review) wellFormed(field string, list []string, isOne func(string) bool, rule, refusal string) (out []string) {
	for _, element := range list {
		at := field + "[" + element + "]"
		if !isOne(element) {
			r.reject(at, element, rule, refusal, Shorten(element))
			continue
		}
		r.allow(at, element, rule)
		out = append(out, element)
	}
	return out
}

// extraHost decides over name:address, which is the form of the Docker API.
func (r *review) extraHost(entry string) bool {
	field := "Host.ExtraHosts[" + entry + "]"
	name, address, _ := strings.Cut(entry, ":")
	gateway := address == "host-gateway"
	switch {
	case !isEndpointName(name):
		r.reject(field, entry, "add_host", "The host %q cannot be added; write name:address with a name of letters, digits, '_', '.' and '-'.", Shorten(entry))
	case gateway && !r.rules.Network.HostGateway && r.deny(field, entry, "add_host",
		"Adding %q is refused: host-gateway stands for the host itself, whose own services the task is not to find; write an IP address.", Shorten(entry)):
	case !gateway && !isIP(address):
		r.reject(field, entry, "add_host", "The host %q cannot be added: %q is no IP address; write name:address.", Shorten(entry), Shorten(address))
	default:
		r.allow(field, entry, "add_host")
		return true
	}
	return false
}

// isIP takes an address without a zone: a container has interfaces of its own.
func isIP(s string) bool {
	addr, err := netip.ParseAddr(s)
	return err == nil && addr.Zone() == ""
}
