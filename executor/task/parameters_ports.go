package task

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/docker/go-connections/nat"

	"mesos-docker-executor/security"
)

// maxPorts bounds what ranges of ports expand to, over all parameters of a task.
const maxPorts = maxEntries

func portFlags() []flag {
	return []flag{
		{name: "expose", kind: repeated, when: late, set: (*dockerRun).expose},
		{name: "publish", short: "p", kind: repeated, set: (*dockerRun).publishPorts},
		{name: "publish-all", short: "P", kind: onOff, set: setOn("Host.PublishAllPorts", func(s *security.Spec) *bool { return &s.Host.PublishAllPorts })},
	}
}

// publication is a host port in use: on one of the host's addresses, "" for all.
type publication struct {
	ip        string
	container nat.Port
	origin    string
}

const publishRemedy = "write HOSTPORT:PORT, or ADDRESS:HOSTPORT:PORT, with /udp at its end if need be; of two ranges both have the same length"

// publishPorts reads [ADDRESS:]HOSTPORT:PORT[/PROTOCOL], in which both can be ranges, and the long form
// published=HOSTPORT,target=PORT,protocol=PROTOCOL. The host ports have to be the task's own.
func (r *dockerRun) publishPorts(p parameter) {
	if !r.plain(p) {
		return
	}
	spec, ok := p.value, true
	if strings.Contains(spec, "=") {
		spec, ok = longPort(spec)
	}
	if !ok {
		r.malformed(p, publishRemedy)
		return
	}
	// Counted before nat makes a list of all of them.
	_, ports := nat.SplitProtoPort(spec[strings.LastIndexByte(spec, ':')+1:])
	if _, ok := r.portRange(p, ports, publishRemedy); !ok {
		return
	}
	mappings, err := nat.ParsePortSpec(spec)
	if err != nil {
		r.malformed(p, publishRemedy)
		return
	}
	for _, m := range mappings {
		if !r.publishPort(p, m) {
			return // a range repeats its problem
		}
	}
}

// portRange reads PORT or PORT-PORT, and refuses more than a task may have of them.
func (r *dockerRun) portRange(p parameter, ports, remedy string) (start uint64, ok bool) {
	start, end, err := nat.ParsePortRange(ports)
	if err != nil || start == 0 {
		r.malformed(p, remedy)
		return 0, false
	}
	if r.ports += int(end-start) + 1; r.ports > maxPorts {
		r.invalid(p.origin(), p.value, "With %s the parameters publish and expose more than %d ports; name fewer.", quote(p.value), maxPorts)
		r.ports -= int(end-start) + 1
		return 0, false
	}
	return start, true
}

// longPort turns the long form into the other. The docker command ignores what it does not know; here that is an error.
func longPort(value string) (spec string, ok bool) {
	fields := map[string]string{"protocol": "tcp"}
	seen := map[string]bool{}
	for field := range strings.SplitSeq(value, ",") {
		key, v, ok := strings.Cut(field, "=")
		if !ok || seen[key] || key != "published" && key != "target" && key != "protocol" || strings.Contains(v, ":") {
			return "", false
		}
		seen[key], fields[key] = true, v
	}
	return fields["published"] + ":" + fields["target"] + "/" + fields["protocol"], true
}

func (r *dockerRun) publishPort(p parameter, m nat.PortMapping) bool {
	port, err := strconv.ParseUint(m.Binding.HostPort, 10, 16)
	if err != nil || port == 0 { // none, or a range to choose from
		r.invalid(p.origin(), p.value, "%s leaves the host port to Docker, which knows nothing of offers; write one of the task's `ports` resources (%s).", quote(p.value), r.offeredPorts())
		return false
	}
	if !r.offersPort(uint32(port)) {
		r.invalid(p.origin(), p.value, "Port %d is not among the task's `ports` resources (%s); publish one that is.", port, r.offeredPorts())
		return false
	}

	host := fmt.Sprintf("%d/%s", port, m.Port.Proto())
	for _, before := range r.published()[host] {
		switch {
		case before.ip == m.Binding.HostIP && before.container == m.Port:
			return true // said twice
		case before.ip == m.Binding.HostIP || before.ip == "" || m.Binding.HostIP == "":
			r.invalid(p.origin(), host, "Host port %s is taken by %s; keep one of them.", host, before.origin)
			return false
		}
	}
	r.hosts[host] = append(r.hosts[host], publication{m.Binding.HostIP, m.Port, p.origin()})
	r.publish(m.Port, uint32(port), p.origin())
	bindings := r.spec.Host.PortBindings[m.Port]
	bindings[len(bindings)-1].HostIP = m.Binding.HostIP
	return true
}

// published returns the host ports in use by "port/protocol".
func (r *dockerRun) published() map[string][]publication {
	if r.hosts == nil {
		r.hosts = map[string][]publication{}
		for port, bindings := range r.spec.Host.PortBindings {
			origin := r.spec.Origins.Of("Host.PortBindings[" + string(port) + "]")
			for _, b := range bindings {
				host := b.HostPort + "/" + port.Proto()
				r.hosts[host] = append(r.hosts[host], publication{b.HostIP, port, origin})
			}
		}
	}
	return r.hosts
}

// expose reads PORT[/PROTOCOL], in which the port can be a range.
func (r *dockerRun) expose(p parameter) {
	const remedy = "write PORT, PORT/udp or PORT-PORT"
	protocol, ports := nat.SplitProtoPort(p.value)
	protocol = strings.ToLower(protocol)
	if protocol != "tcp" && protocol != "udp" && protocol != "sctp" {
		r.malformed(p, remedy)
		return
	}
	before := r.ports
	start, ok := r.portRange(p, ports, remedy)
	if !ok {
		return
	}
	if r.spec.Config.ExposedPorts == nil {
		r.spec.Config.ExposedPorts = nat.PortSet{}
	}
	for i := range r.ports - before {
		port := nat.Port(fmt.Sprintf("%d/%s", int(start)+i, protocol))
		if _, there := r.spec.Config.ExposedPorts[port]; !there {
			r.spec.Config.ExposedPorts[port] = struct{}{}
			r.origin("Config.ExposedPorts["+string(port)+"]", p.origin())
		}
	}
}
