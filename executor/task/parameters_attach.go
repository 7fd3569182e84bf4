package task

import (
	"encoding/csv"
	"math"
	"regexp"
	"strings"
	"sync"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

const networkModeField = "Host.NetworkMode"

// longNetwork is how the docker command tells name=NET,ip=ADDRESS from a plain name.
var longNetwork = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`\w+=\w+(,\w+=\w+)*`) })

// setNetwork reads the name of a network, or the long form name=NET,alias=NAME,ip=ADDRESS,... When container.docker.network
// is set it has to name the same one. A container has one network here: more than one needs a newer API than 1.41.
func (r *dockerRun) setNetwork(p parameter) {
	if !r.filled(p) || !r.fewOptions(p) {
		return
	}
	name, options := p.value, []string(nil)
	if longNetwork().MatchString(p.value) {
		fields, err := csv.NewReader(strings.NewReader(p.value)).Read()
		if err != nil {
			r.malformed(p, networkRemedy)
			return
		}
		name = ""
		for _, field := range fields {
			// The docker command lowers the case of all of it.
			if value, ok := strings.CutPrefix(strings.ToLower(field), "name="); ok && name == "" {
				name = strings.TrimSpace(value)
			} else {
				options = append(options, strings.ToLower(field))
			}
		}
		if name == "" {
			r.malformed(p, networkRemedy)
			return
		}
	}
	if container.NetworkMode(name).IsDefault() {
		name = network.NetworkBridge // on Linux, whatever the daemon's settings
	}
	if r.chooseNetwork(p, name) {
		r.attach(p, options)
	}
}

const networkRemedy = "write the name of a network, or name=NETWORK,option=value with the options alias, ip, ip6, mac-address, link-local-ip, driver-opt and gw-priority"

// chooseNetwork decides between the parameter and the field. An unset field is the protocol's default, which the
// parameter replaces; what is published belongs to the network that it names.
func (r *dockerRun) chooseNetwork(p parameter, name string) bool {
	docker := r.task.GetContainer().GetDocker()
	switch {
	case docker.Network == nil:
		before := r.spec.Host.NetworkMode
		r.spec.Host.NetworkMode = container.NetworkMode(name)
		r.origin(networkModeField, p.origin())
		if mode := r.spec.Host.NetworkMode; before.IsHost() && (mode.IsBridge() || mode.IsUserDefined()) && len(r.spec.Host.PortBindings) == 0 {
			r.portMappings(docker.PortMappings)
		}
		return true
	case string(r.spec.Host.NetworkMode) != name:
		// No secret of the long form: its name is a network's.
		r.contradictsOrigin(parameter{key: p.key, value: name, field: p.field}, r.spec.Origins.Of(networkModeField), fieldNetwork(docker.GetNetwork(), r.spec.Host.NetworkMode))
		return false
	}
	return true
}

// fieldNetwork is the network in the words of the field that set it.
func fieldNetwork(field mesos.ContainerInfo_DockerInfo_Network, mode container.NetworkMode) string {
	if field == mesos.ContainerInfo_DockerInfo_USER {
		return string(mode)
	}
	return field.String()
}

// attach translates the options of the long form: by the flags that say the same, where there is one. It stops at the first
// problem, which others of the same parameter would only repeat.
func (r *dockerRun) attach(p parameter, options []string) {
	before := len(r.findings)
	for _, option := range options {
		if len(r.findings) > before {
			return
		}
		key, value, _ := strings.Cut(option, "=")
		one := p
		one.value = strings.TrimSpace(value)
		switch strings.TrimSpace(key) {
		case "alias":
			r.addAlias(one)
		case "ip":
			r.setIPv4(one)
		case "ip6":
			r.setIPv6(one)
		case "link-local-ip":
			r.addLinkLocal(one)
		case "mac-address":
			r.setMAC(one)
		case "driver-opt":
			settings, field := r.endpoint(p)
			addPair(field+".DriverOpts", func(*security.Spec) *map[string]string { return &settings.DriverOpts })(r, one)
		case "gw-priority":
			settings, field := r.endpoint(p)
			setNumber(field+".GwPriority", func(*security.Spec) *int { return &settings.GwPriority }, math.MinInt32, math.MaxInt32, "write a whole number")(r, one)
		default:
			r.malformed(p, networkRemedy)
			return
		}
	}
}
