package task

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"
	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// DNS is one entry of the agent's default DNS settings for Docker containers.
type DNS struct {
	// Network is the name of a user network; "bridge" for the default bridge, "" for every user network without an entry of
	// its own.
	Network     string
	Nameservers []string // addresses
	Search      []string // domains
	Options     []string // as in resolv.conf(5)
}

// bridge is the network mode BRIDGE, which no user network can be called.
const bridge = "bridge"

// containerDNS is ContainerDNSInfo of the agent's flag --default_container_dns (src/messages/flags.proto).
type containerDNS struct {
	Mesos  json.RawMessage `json:"mesos"` // for the other containerizer
	Docker []struct {
		NetworkMode string  `json:"network_mode"`
		NetworkName *string `json:"network_name"`
		DNS         struct {
			Nameservers []string `json:"nameservers"`
			Domain      string   `json:"domain"` // which Docker has no setting for
			Search      []string `json:"search"`
			Options     []string `json:"options"`
		} `json:"dns"`
	} `json:"docker"`
}

// ParseDefaultDNS reads the agent's default DNS settings as JSON, the value of its flag --default_container_dns:
//
//	{"docker": [{"network_mode": "BRIDGE", "dns": {"nameservers": ["10.0.0.2"], "search": ["example"]}}]}
//
// Entries for the Mesos containerizer are skipped; other unknown keys are an error, as are settings that no policy lets
// through (a nameserver that is no address, say), an unknown mode and two entries for one network. "" has no entries.
func ParseDefaultDNS(text string) ([]DNS, error) {
	if text == "" {
		return nil, nil
	}
	var info containerDNS
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.DisallowUnknownFields()
	if err := d.Decode(&info); err != nil {
		return nil, fmt.Errorf("the default DNS settings are not a ContainerDNSInfo as JSON: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is text after the default DNS settings")
	}
	var entries []DNS
	for i, e := range info.Docker {
		at := fmt.Sprintf("docker[%d]", i)
		entry := DNS{Nameservers: e.DNS.Nameservers, Search: e.DNS.Search, Options: e.DNS.Options}
		switch {
		case e.NetworkMode == "BRIDGE" && e.NetworkName == nil:
			entry.Network = bridge
		case e.NetworkMode == "USER" && e.NetworkName == nil:
		case e.NetworkMode == "USER" && *e.NetworkName != "" && !isNetworkMode(*e.NetworkName):
			entry.Network = *e.NetworkName
		default:
			return nil, fmt.Errorf("%s has to be of network_mode BRIDGE without a network_name, or USER with one or without", at)
		}
		if problem := dnsProblem(entry); problem != "" {
			return nil, fmt.Errorf("%s.dns: %s", at, problem)
		}
		if slices.ContainsFunc(entries, func(before DNS) bool { return before.Network == entry.Network }) {
			return nil, fmt.Errorf("%s is a second entry for its network", at)
		}
		entries = append(entries, entry)
	}
	return entries, nil
}

// dnsProblem asks the review what every policy would say of the settings, so that a mistake of the operator's is found
// before a task is blamed for it; "" if nothing.
func dnsProblem(e DNS) string {
	asked := container.HostConfig{DNS: e.Nameservers, DNSSearch: e.Search, DNSOptions: e.Options}
	for _, f := range (security.Policy{}).Review(security.Spec{Host: asked}, security.Grants{}).Rejections() {
		if strings.HasPrefix(f.Rule, "dns.") {
			return f.Message
		}
	}
	return ""
}

// defaultDNS applies the agent's settings to a container that has none of its own, as the stock executor does
// (src/docker/docker.cpp): one parameter about DNS, whatever it says, is a setting.
func (t *translation) defaultDNS(parameters []mesos.Parameter) {
	for _, p := range parameters {
		if slices.Contains([]string{"dns", "dns-search", "dns-opt", "dns-option"}, flagName(p.Key)) {
			return
		}
	}
	host := &t.spec.Host
	network := string(host.NetworkMode)
	if network == "" || network == "host" || network == "none" {
		return
	}
	find := func(name string) int {
		return slices.IndexFunc(t.in.DefaultDNS, func(e DNS) bool { return e.Network == name })
	}
	at := find(network)
	if at < 0 && network != bridge {
		at = find("")
	}
	if at < 0 {
		return
	}
	entry := t.in.DefaultDNS[at]
	host.DNS, host.DNSSearch, host.DNSOptions = entry.Nameservers, entry.Search, entry.Options
	for _, field := range []string{"Host.DNS", "Host.DNSSearch", "Host.DNSOptions"} {
		t.origin(field, "the agent's default DNS settings")
	}
}
