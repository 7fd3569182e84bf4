package security

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/docker/docker/api/types/container"

	"mesos-docker-executor/internal/glob"
)

var (
	// networkName is Docker's own rule for names of most objects. Networks may have others, which nobody needs.
	networkName = compiled(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)
	hexadecimal = compiled(`^[0-9a-f]+$`)
)

// network decides over the network that the container is connected to.
func (r *review) network() {
	mode := string(take(&r.left.Host.NetworkMode))
	remedy := r.networkRemedy(r.origins.Of("Host.NetworkMode"))
	switch {
	case isNetworkMode(mode):
		if !slices.Contains(r.rules.Network.Modes, mode) && r.deniesMode(mode, remedy) {
			break
		}
		r.allow("Host.NetworkMode", mode, "network.modes")
		r.out.Host.NetworkMode = container.NetworkMode(mode)
	case isUserNetwork(mode):
		if !r.allowsUserNetwork(mode) && r.deniesUserNetwork(mode, remedy) {
			break
		}
		r.allow("Host.NetworkMode", mode, "network.modes")
		r.at("network.names")
		r.out.Host.NetworkMode = container.NetworkMode(mode)
	case strings.HasPrefix(mode, "container:"):
		r.reject("Host.NetworkMode", mode, "network.modes",
			"Another container's network is refused, and no policy can allow it; %s.", remedy)
	default:
		r.reject("Host.NetworkMode", mode, "network.modes", networkRefused, Shorten(mode), remedy)
	}
	r.ports(mode)
	r.endpoints(mode)

	refuseEach(r, "Host.Links", take(&r.left.Host.Links), "network.links",
		"Links to other containers are refused, and no policy can allow them; put both tasks on a user network, or find the other by its host and port.")
}

const networkRefused = "Network %q is refused; %s."

func (r *review) deniesMode(mode, remedy string) bool {
	if mode == "host" {
		return r.deny("Host.NetworkMode", mode, "network.modes",
			"The host's network is refused%s; %s.", r.defaultNetworkNote(), remedy)
	}
	return r.deny("Host.NetworkMode", mode, "network.modes", networkRefused, Shorten(mode), remedy)
}

// deniesUserNetwork refuses in audit mode too what could be the start of the ID of the host's network, on which other rules
// depend.
func (r *review) deniesUserNetwork(name, remedy string) bool {
	if hexadecimal().MatchString(name) {
		r.reject("Host.NetworkMode", name, "network.modes", networkRefused, Shorten(name), remedy)
		r.at("network.names")
		return true
	}
	denied := r.deny("Host.NetworkMode", name, "network.modes", networkRefused, Shorten(name), remedy)
	r.at("network.names")
	return denied
}

// isNetworkMode reports whether Docker takes this for one of its modes and not for a network's name. "default" and "" are
// Docker's ways to say bridge; they are no modes that a policy can allow, so that each container's network is written out.
func isNetworkMode(mode string) bool {
	return slices.Contains([]string{"bridge", "host", "none"}, mode)
}

// isUserNetwork reports whether Docker looks for a network of this name. Names with other characters, a colon among
// them, count as neither mode nor user network.
func isUserNetwork(mode string) bool {
	return networkName().MatchString(mode) && mode != "default" && !isNetworkMode(mode)
}

// allowsUserNetwork takes a name that could be the start of an ID only where the policy writes it out: the engine looks
// for networks by the start of their IDs as well, the host's network included.
func (r *review) allowsUserNetwork(name string) bool {
	names := r.rules.Network.Names
	return slices.Contains(names, name) || !hexadecimal().MatchString(name) && glob.MatchAny(names, name)
}

// defaultNetworkNote tells the author of a task without a network where the host's comes from; see Origins.
func (r *review) defaultNetworkNote() string {
	if !strings.HasSuffix(r.origins.Of("Host.NetworkMode"), UnsetOrigin) {
		return ""
	}
	return " (a task that sets no network asks for it: the protocol's default is HOST)"
}

// networkRemedy names the networks that the policy allows in the words of the place that named the refused one: the field
// knows modes in upper case and user networks by a network info, a parameter knows both by their names.
func (r *review) networkRemedy(origin string) string {
	var allowed []string
	ofField := origin == "" || strings.HasPrefix(origin, "container.docker.network") || strings.HasPrefix(origin, "container.network_infos")
	for _, mode := range r.rules.Network.Modes {
		if ofField {
			allowed = append(allowed, strings.ToUpper(mode))
		} else {
			allowed = append(allowed, "`"+mode+"`")
		}
	}
	for _, name := range r.rules.Network.Names {
		if ofField {
			allowed = append(allowed, "USER with the network "+name+" in `container.network_infos`")
		} else {
			allowed = append(allowed, "`"+name+"`")
		}
	}
	if len(allowed) == 0 {
		return "the policy allows no network; ask the operator for one"
	}
	where := "set the network to "
	if strings.HasPrefix(origin, "container.network_infos") {
		where = "set `container.docker.network` to "
	}
	return where + strings.Join(allowed, " or ")
}

// hasEndpoint reports whether a container of this mode has an interface of its own, to which ports can be published.
func hasEndpoint(mode string) bool { return mode == "bridge" || isUserNetwork(mode) }

// refuseEach rejects every element of a list that no policy can allow. Its text is the element's name in Origins; it is not
// repeated in the value.
func refuseEach[S ~[]string](r *review, field string, list S, rule, message string) {
	for _, element := range list {
		r.reject(field+"["+element+"]", "", rule, "%s", message)
	}
}

// refuseKeys does the same for a map, each of whose keys has an origin of its own. Only keys are shown: the values may be
// secrets.
func refuseKeys[M ~map[string]V, V any](r *review, field string, m M, rule, message string) {
	refuseEach(r, field, slices.Sorted(maps.Keys(m)), rule, message)
}

// refuseTogether rejects all keys of a map in one finding: they have one origin, which says the same about each of them.
func refuseTogether[M ~map[string]V, V any](r *review, field string, m M, rule, message string) {
	if len(m) == 0 {
		return
	}
	at, value := together(field, slices.Sorted(maps.Keys(m)))
	r.reject(at, value, rule, "%s", message)
}

// together returns what stands for several elements of a field in one finding: field and value. names is not empty.
func together(field string, names []string) (at, value string) {
	const shown = 3
	if len(names) == 1 {
		return field + "[" + names[0] + "]", names[0]
	}
	value = strings.Join(names[:min(shown, len(names))], ", ")
	if more := len(names) - shown; more > 0 {
		value = fmt.Sprintf("%s and %d more", Shorten(value), more)
	}
	return field, value
}
