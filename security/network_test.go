package security

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"
)

func TestUserNetworksAreAllowedByName(t *testing.T) {
	tests := []struct {
		names []string
		mode  string
		want  bool
	}{
		{[]string{"team-*"}, "team-a", true},
		{[]string{"team-*"}, "team-", true},
		{[]string{"team-*"}, "other", false},
		{[]string{"team-*"}, "my-team-a", false},
		{[]string{"*"}, "web", true},
		{[]string{"*"}, "host", false},
		{[]string{"host"}, "host", false},
		{[]string{"*"}, "none", true}, // the mode, which the built-in rules allow
		{[]string{"default"}, "default", false},
		{[]string{"container:x", "*"}, "container:x", false},
		{[]string{"*"}, "container:x", false},
		{[]string{"*"}, "-x", false},
		{[]string{"*"}, "a b", false},
		{[]string{"*"}, "", false},
		{[]string{"*"}, "Host", true}, // another network: names are compared as they are
		// What may be the start of the host's network's ID.
		{[]string{"*"}, "cafe", false},
		{[]string{"c*"}, "cafe", false},
		{[]string{"*"}, strings.Repeat("0", 64), false},
		{[]string{"db"}, "db", true},
	}
	for _, test := range tests {
		d := reviewWith(func(r *Rules) { r.Network.Names = test.names }, func(s *Spec) {
			s.Host.NetworkMode = container.NetworkMode(test.mode)
		})
		if d.Rejected() == test.want {
			t.Errorf("%q with %q: %+v", test.mode, test.names, d.Rejections())
		}
	}
}

func TestPortsOfUserNetworks(t *testing.T) {
	publish := func(mode string) func(*Spec) {
		return func(s *Spec) {
			s.Host.NetworkMode = container.NetworkMode(mode)
			s.Host.PortBindings = nat.PortMap{"80/tcp": {{HostPort: "31000"}}}
		}
	}
	everywhere := func(r *Rules) { r.Network.Names, r.Network.Modes = []string{"team-*"}, []string{"host", "bridge"} }
	if d := reviewWith(everywhere, publish("team-a")); d.Rejected() {
		t.Error(d.Rejections())
	} else if _, exposed := d.Spec.Config.ExposedPorts["80/tcp"]; !exposed || d.Spec.Host.PortBindings["80/tcp"][0].HostPort != "31000" {
		t.Errorf("%+v", d.Spec)
	}
	if r := reviewWith(everywhere, publish("host")).Rejections(); len(r) != 1 || r[0].Rule != "network.ports" {
		t.Errorf("%+v", r)
	}
	// One problem is enough: the ports of a network that is refused are not a second one.
	if r := reviewOf(publish("team-a")).Rejections(); len(r) != 1 || r[0].Rule != "network.modes" {
		t.Errorf("%+v", r)
	}
}

func TestRefusedNetworkIsToldInTheWordsOfItsField(t *testing.T) {
	const unset = "protocol's default is HOST"
	userNetworks := func(r *Rules) { r.Network.Names = []string{"team-*"} }
	for origin, want := range map[string]string{
		"container.docker.network" + UnsetOrigin:   "set the network to BRIDGE or NONE or USER with the network team-* in `container.network_infos`.",
		"container.docker.network":                 "set the network to BRIDGE or NONE or USER",
		"container.docker.parameters[0] `network`": "set the network to `bridge` or `none` or `team-*`.",
		"container.network_infos[0].name":          "set `container.docker.network` to BRIDGE or NONE or USER",
	} {
		d := reviewWith(userNetworks, func(s *Spec) {
			s.Host.NetworkMode, s.Origins = "host", Origins{"Host.NetworkMode": origin}
		})
		r := d.Rejections()
		if len(r) != 1 || !strings.Contains(r[0].Message, want) || strings.Contains(r[0].Message, unset) != strings.HasSuffix(origin, UnsetOrigin) {
			t.Errorf("%s: %+v", origin, r)
		}
	}
	d := reviewWith(func(r *Rules) { r.Network = NetworkRules{} }, func(s *Spec) { s.Host.NetworkMode = "host" })
	if r := d.Rejections(); len(r) != 1 || !strings.Contains(r[0].Message, "allows no network; ask the operator") {
		t.Errorf("%+v", r)
	}
}

func TestExposedPortsPass(t *testing.T) {
	d := reviewOf(func(s *Spec) { s.Config.ExposedPorts = nat.PortSet{"8080/tcp": {}, "53/udp": {}, "99/sctp": {}} })
	if d.Rejected() || len(d.Spec.Config.ExposedPorts) != 3 {
		t.Errorf("%+v", d)
	}
}

func TestNamesThatCannotBe(t *testing.T) {
	hostNetwork := func(r *Rules) {
		r.Network = NetworkRules{Modes: []string{"host", "bridge"}, Names: []string{"team-*"}, Aliases: true, StaticAddresses: true, MACAddress: true, HostGateway: true}
		r.HostNamespaces, r.BreakGlass.HostNamespaces, r.Sysctls = []string{"uts"}, []string{"ipc"}, append(r.Sysctls, "kernel.*name", "net/*/*")
	}
	ipam := func(c network.EndpointIPAMConfig) func(*Spec) {
		return onTeamNetwork(network.EndpointSettings{IPAMConfig: &c})
	}
	tests := []struct {
		name, rule string
		change     func(*Spec)
	}{
		{"DNS server by name", "dns.servers", func(s *Spec) { s.Host.DNS = []string{"dns.example"} }},
		{"DNS server with a zone", "dns.servers", func(s *Spec) { s.Host.DNS = []string{"fe80::1%eth0"} }},
		{"DNS server of two lines", "dns.servers", func(s *Spec) { s.Host.DNS = []string{"8.8.8.8\nnameserver 9.9.9.9"} }},
		{"search domains in one", "dns.search", func(s *Spec) { s.Host.DNSSearch = []string{"a.example b.example"} }},
		{"resolver options in one", "dns.options", func(s *Spec) { s.Host.DNSOptions = []string{"ndots:2 rotate"} }},
		{"host without address", "add_host", func(s *Spec) { s.Host.ExtraHosts = []string{"a"} }},
		{"host by name", "add_host", func(s *Spec) { s.Host.ExtraHosts = []string{"a:b"} }},
		{"host with a blank", "add_host", func(s *Spec) { s.Host.ExtraHosts = []string{"a b:192.0.2.1"} }},
		{"host of two lines", "add_host", func(s *Spec) { s.Host.ExtraHosts = []string{"a\nb:192.0.2.1"} }},
		{"address in brackets", "add_host", func(s *Spec) { s.Host.ExtraHosts = []string{"a:[::1]"} }},
		{"hostname on the host's network", "hostname", func(s *Spec) { s.Host.NetworkMode, s.Config.Hostname = "host", "web" }},
		{"domain name on the host's network", "domainname", func(s *Spec) { s.Host.NetworkMode, s.Config.Domainname = "host", "example.com" }},
		{"hostname of the host", "hostname", func(s *Spec) { s.Host.UTSMode, s.Config.Hostname = "host", "web" }},
		{"domain name", "domainname", func(s *Spec) { s.Config.Domainname = "a b" }},
		{"sysctl of the host's network", "sysctls", func(s *Spec) {
			s.Host.NetworkMode, s.Host.Sysctls = "host", map[string]string{"net.ipv4.tcp_syncookies": "0"}
		}},
		{"sysctl of the host's IPC", "sysctls", func(s *Spec) {
			s.Host.IpcMode, s.Host.Sysctls = "host", map[string]string{"kernel.shm_rmid_forced": "0"}
		}},
		{"sysctl of the host's network with slashes", "sysctls", func(s *Spec) {
			s.Host.NetworkMode, s.Host.Sysctls = "host", map[string]string{"net/ipv4/ip_forward": "0"}
		}},
		{"sysctl of the host's name", "sysctls", func(s *Spec) {
			s.Host.UTSMode, s.Host.Sysctls = "host", map[string]string{"kernel.domainname": "x"}
		}},
		{"alias on the bridge", "network.aliases", func(s *Spec) {
			s.Network.EndpointsConfig = map[string]*network.EndpointSettings{"bridge": {Aliases: []string{"a"}}}
		}},
		{"address on the bridge", "network.addresses", func(s *Spec) {
			s.Network.EndpointsConfig = map[string]*network.EndpointSettings{"bridge": {IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: "10.0.0.1"}}}
		}},
		{"alias with a blank", "network.aliases", onTeamNetwork(network.EndpointSettings{Aliases: []string{"a b"}})},
		{"IPv4 where IPv6 belongs", "network.addresses", ipam(network.EndpointIPAMConfig{IPv6Address: "10.0.0.1"})},
		{"address with a prefix", "network.addresses", ipam(network.EndpointIPAMConfig{IPv4Address: "10.0.0.1/8"})},
		{"link-local that is not", "network.addresses", ipam(network.EndpointIPAMConfig{LinkLocalIPs: []string{"10.0.0.1"}})},
		{"hardware address of a group", "network.mac_address", onTeamNetwork(network.EndpointSettings{MacAddress: "01:00:5e:00:00:01"})},
		{"driver options", "network.driver_options", onTeamNetwork(network.EndpointSettings{DriverOpts: map[string]string{"a": "b"}})},
		{"links", "network.links", onTeamNetwork(network.EndpointSettings{Links: []string{"a"}})},
		{"an endpoint's running state", "unknown", onTeamNetwork(network.EndpointSettings{IPAddress: "10.0.0.1"})},
	}
	for _, test := range tests {
		if r := reviewWith(hostNetwork, test.change).Rejections(); len(r) != 1 || r[0].Rule != test.rule || !strings.HasSuffix(r[0].Message, ".") || strings.Contains(r[0].Message, "\n") {
			t.Errorf("%s: got %+v, want one by rule %s", test.name, r, test.rule)
		}
	}
}

func TestNamesAndServersPass(t *testing.T) {
	d := reviewOf(func(s *Spec) {
		s.Config.Hostname, s.Config.Domainname = "web-1", "example.com"
		s.Host.DNS = []string{"192.0.2.53", "2001:db8::53"}
		s.Host.DNSSearch = []string{"example.com", ".", "_tcp.example.com"}
		s.Host.DNSOptions = []string{"ndots:2", "use-vc"}
		s.Host.ExtraHosts = []string{"db:192.0.2.1", "db_6:2001:db8::1"}
	})
	if d.Rejected() {
		t.Fatal(d.Rejections())
	}
	h := d.Spec.Host
	if len(h.DNS) != 2 || len(h.DNSSearch) != 3 || len(h.DNSOptions) != 2 || len(h.ExtraHosts) != 2 || d.Spec.Config.Domainname != "example.com" {
		t.Errorf("%+v", d.Spec)
	}
}
