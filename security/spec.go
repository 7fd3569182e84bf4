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
// A field without an entry was not asked for by the task's author. Elements are named by what identifies them: mounts
// by target, port bindings by container port, ulimits and capabilities by the name as written, labels by key.
type Origins map[string]string

// Of returns the origin of a field, or of the collection it is an element of, or "".
func (o Origins) Of(field string) string {
	if origin, ok := o[field]; ok {
		return origin
	}
	if at := strings.IndexByte(field, '['); at > 0 {
		return o[field[:at]]
	}
	return ""
}

// ReservedLabelPrefix starts the container labels that only the executor may set.
const ReservedLabelPrefix = "mesos-docker-executor."
