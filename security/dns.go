package security

import (
	"net/netip"
	"regexp"
	"strings"
)

var (
	// dnsDomain is a search domain; "." stands for none. Underscores occur in them.
	dnsDomain = regexp.MustCompile(`^(\.|[a-zA-Z0-9_]([a-zA-Z0-9_.-]{0,251}[a-zA-Z0-9_])?\.?)$`)
	// dnsOption is a word of resolv.conf(5)'s options line, such as ndots:2 or use-vc.
	dnsOption = regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}(:[a-zA-Z0-9_.-]{1,64})?$`)
)

// dns decides over what names the container has and how it finds others. Servers and search domains end up in the
// container's own resolv.conf, added hosts in its own hosts file: they mislead nobody but the task.
func (r *review) dns() {
	host := &r.left.Host
	for _, server := range take(&host.DNS) {
		field := "Host.DNS[" + server + "]"
		if !isIP(server) {
			r.reject(field, server, "dns.servers", "DNS server %q is refused; write its IP address.", Shorten(server))
			continue
		}
		r.allow(field, server, "dns.servers")
		r.out.Host.DNS = append(r.out.Host.DNS, server)
	}
	for _, domain := range take(&host.DNSSearch) {
		field := "Host.DNSSearch[" + domain + "]"
		if !dnsDomain.MatchString(domain) {
			r.reject(field, domain, "dns.search", "Search domain %q is refused; write one domain per parameter, for example example.com.", Shorten(domain))
			continue
		}
		r.allow(field, domain, "dns.search")
		r.out.Host.DNSSearch = append(r.out.Host.DNSSearch, domain)
	}
	for _, option := range take(&host.DNSOptions) {
		field := "Host.DNSOptions[" + option + "]"
		if !dnsOption.MatchString(option) {
			r.reject(field, option, "dns.options", "Resolver option %q is refused; write one as in resolv.conf(5), for example ndots:2.", Shorten(option))
			continue
		}
		r.allow(field, option, "dns.options")
		r.out.Host.DNSOptions = append(r.out.Host.DNSOptions, option)
	}
	for _, entry := range take(&host.ExtraHosts) {
		if r.extraHost(entry) {
			r.out.Host.ExtraHosts = append(r.out.Host.ExtraHosts, entry)
		}
	}
	r.hostname("Config.Hostname", "hostname", "Hostname", take(&r.left.Config.Hostname), &r.out.Config.Hostname)
	r.hostname("Config.Domainname", "domainname", "Domain name", take(&r.left.Config.Domainname), &r.out.Config.Domainname)
}

// extraHost decides over name:address, which is the form of the Docker API.
func (r *review) extraHost(entry string) bool {
	field := "Host.ExtraHosts[" + entry + "]"
	name, address, _ := strings.Cut(entry, ":")
	gateway := address == "host-gateway"
	switch {
	case !endpointAlias.MatchString(name):
		r.reject(field, entry, "add_host", "The host %q cannot be added; write name:address with a name of letters, digits, '_', '.' and '-'.", Shorten(entry))
	case gateway && !r.rules.Network.HostGateway:
		r.reject(field, entry, "add_host",
			"Adding %q is refused: host-gateway stands for the host itself, whose own services the task is not to find; write an IP address.", Shorten(entry))
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
