package security

import (
	"fmt"
	"slices"
	"strings"
)

// privileged is not a setting of the policy: no section of any file can allow it.
func (r *review) privileged() {
	if take(&r.left.Host.Privileged) {
		r.reject("Host.Privileged", "true", "privileged",
			"Privileged containers are refused, and no policy can allow them; remove `privileged` from the task and ask for "+
				"the single capabilities it needs with the parameter `cap-add`.")
	}
}

// capabilities computes the effective set here and sends it in full (drop ALL, add each), so that neither Docker's
// defaults nor its rules for combining the two lists have a say in it.
func (r *review) capabilities() {
	known := knownCapabilities()
	add := r.capabilityList("Host.CapAdd", take(&r.left.Host.CapAdd), known)
	drop := r.capabilityList("Host.CapDrop", take(&r.left.Host.CapDrop), known)

	for _, c := range add {
		field := "Host.CapAdd[" + c.written + "]"
		switch {
		case c.name == allCapabilities:
			r.found(Trim, field, c.name, "capabilities.allow",
				"Adding ALL gives the %d capabilities that the policy allows, not every one; name the ones that are needed.",
				len(r.rules.Capabilities.Allow))
		case !slices.Contains(r.rules.Capabilities.Allow, c.name):
			r.found(Trim, field, c.name, "capabilities.allow",
				"%s is not among the capabilities that the policy allows; the container runs without it.", c.name)
		default:
			r.allow(field, c.name, "capabilities.allow")
		}
	}
	r.dropped(drop)
	r.out.Host.CapDrop = []string{allCapabilities}
	r.out.Host.CapAdd = effectiveCapabilities(
		r.rules.Capabilities.Base, r.rules.Capabilities.Allow, names(add), names(drop))
}

// dropped reports the dropped capabilities, in one finding for all that come from one place: a bounding set of the task
// arrives as the long list of what is not in it.
func (r *review) dropped(list []namedCapability) {
	var origins []string
	from := map[string][]namedCapability{}
	for _, c := range list {
		origin := r.origins.Of("Host.CapDrop[" + c.written + "]")
		if from[origin] == nil {
			origins = append(origins, origin)
		}
		from[origin] = append(from[origin], c)
	}
	for _, origin := range origins {
		group := from[origin]
		if len(group) == 1 {
			r.allow("Host.CapDrop["+group[0].written+"]", group[0].name, "capabilities.drop")
			continue
		}
		r.findings = append(r.findings, Finding{
			Action: Allow, Field: "Host.CapDrop", Value: Printable(strings.Join(names(group), ", ")), Rule: "capabilities.drop",
			Origin: Printable(origin), Message: fmt.Sprintf("Dropping these %d capabilities is allowed.", len(group)),
		})
	}
}

// namedCapability is a capability as written in the task and as Docker would write it.
type namedCapability struct{ written, name string }

func (r *review) capabilityList(field string, written []string, known map[string]bool) []namedCapability {
	var list []namedCapability
	for _, w := range written {
		c := namedCapability{written: w, name: normalizeCapability(w)}
		if c.name != allCapabilities && !known[c.name] {
			r.reject(field+"["+w+"]", w, "capabilities.known",
				"%q is not a capability; write one name per parameter as in capabilities(7), for example NET_BIND_SERVICE.", Shorten(w))
			continue
		}
		if !slices.ContainsFunc(list, func(o namedCapability) bool { return o.name == c.name }) {
			list = append(list, c)
		}
	}
	return list
}

func names(list []namedCapability) []string {
	var out []string
	for _, c := range list {
		out = append(out, c.name)
	}
	return out
}
