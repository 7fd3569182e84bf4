package security

import (
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
)

// Spec is everything that goes to Docker for one container.
//
// After [Policy.Review] only the operator's side may add to it: the cgroup parent, its own labels (see
// [ReservedLabelPrefix]) and the mount source that it controls.
type Spec struct {
	// Name of the container: letters, digits, '_', '.' and '-', at least two, the first a letter or digit.
	Name string
	// Image is the normalised reference, with a tag or a digest ("busybox:local"). Config.Image must be equal to it.
	Image   string
	Config  container.Config
	Host    container.HostConfig
	Network network.NetworkingConfig
	Origins Origins
}

// Origins says where each value came from. A key is the path of a field in the Spec, with the element in brackets where
// there are several; the value is the place that its author knows:
//
//	"Host.CapAdd[NET_ADMIN]" -> "container.docker.parameters[0] `cap-add`"
//
// A field without an entry was not asked for by the task's author. Elements are named by what identifies them:
//
//   - of maps by the key: "Host.PortBindings[80/tcp]", "Config.Labels[a]", "Host.Tmpfs[/run]", "Host.Sysctls[net.ipv4.x]",
//     "Host.LogConfig.Config[max-size]", "Network.EndpointsConfig[web]";
//   - of lists of strings by the string itself: "Host.GroupAdd[audio]", "Host.ExtraHosts[a:192.0.2.1]",
//     "Network.EndpointsConfig[web].Aliases[db]";
//   - mounts by target, devices by the path in the container, block devices by their path, ulimits by name;
//   - variables by name ("Config.Env[LD_PRELOAD]"), malformed ones by index, as are device requests.
type Origins map[string]string

// UnsetOrigin ends the origin of a value that is the default of a field that the task left out.
const UnsetOrigin = " (unset)"

// Of returns the origin of a field, or of what it is a part of, or "": for "Host.Mounts[/x].BindOptions.Propagation" that of
// "Host.Mounts[/x]" or of "Host.Mounts".
func (o Origins) Of(field string) string {
	const deepest = 6 // parts that a field of Docker's structs has; a key of the task may hold any number of brackets
	part := field
	for range deepest {
		if origin, ok := o[part]; ok {
			return origin
		}
		// Cut behind the last bracket, or before it.
		at := strings.LastIndexByte(part, ']') + 1
		if at == 0 || at == len(part) {
			at = strings.LastIndexByte(part, '[')
		}
		if at <= 0 {
			return ""
		}
		part = part[:at]
	}
	collection, _, _ := strings.Cut(field, "[")
	return o[collection]
}

// ReservedLabelPrefix starts the container labels that only the executor may set.
const ReservedLabelPrefix = "mesos-docker-executor."
