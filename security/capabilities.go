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
	add := r.capabilityList("Host.CapAdd", take(&r.left.Host.CapAdd))
	drop := r.capabilityList("Host.CapDrop", take(&r.left.Host.CapDrop))
	allowed := slices.Clip(r.rules.Capabilities.Allow)
	for _, c := range add {
		allowed = append(allowed, r.added(c, names(drop))...)
	}
	r.dropped(drop)
	base := slices.Clip(r.rules.Capabilities.Base)
	kept := r.keptFromEngine(names(drop))
	r.out.Host.CapDrop = []string{allCapabilities}
	r.out.Host.CapAdd = effectiveCapabilities(append(base, kept...), append(allowed, kept...), names(add), names(drop))
}

// keptFromEngine returns, in audit mode, what the engine gives a container by default and the policy's base does not have: a task
// may need it without having asked.
func (r *review) keptFromEngine(drop []string) []string {
	if r.rules.Mode != Audit || slices.Contains(drop, allCapabilities) {
		return nil
	}
	var kept []string
	for _, name := range engineCapabilities() {
		if !slices.Contains(r.rules.Capabilities.Base, name) && !slices.Contains(drop, name) {
			kept = append(kept, name)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	r.found(Force, "Host.CapAdd", "no "+strings.Join(kept, ", no "), "capabilities.base",
		"A container that asks for nothing has the policy's %d capabilities; the engine would give %s as well.",
		len(r.rules.Capabilities.Base), strings.Join(kept, ", "))
	r.acts()
	return kept
}

// engineCapabilities are what Docker gives by default: moby's oci/caps/defaults.go, the same since Docker 1.2.
func engineCapabilities() []string {
	return []string{
		"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_MKNOD",
		"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
	}
}

// added decides over one capability that the task adds, or over ALL less those that it drops by name. It returns what of it the
// container gets beyond the allowed ones, in audit mode.
func (r *review) added(c namedCapability, drop []string) (beyondAllowed []string) {
	const rule = "capabilities.allow"
	field, allow := "Host.CapAdd["+c.written+"]", r.rules.Capabilities.Allow
	beyond := !slices.Contains(allow, c.name)
	if c.name == allCapabilities {
		beyond = slices.ContainsFunc(capabilityNames(), func(name string) bool {
			return !slices.Contains(allow, name) && !slices.Contains(drop, name)
		})
	}
	switch trims := r.rules.Capabilities.trims(); {
	case !beyond:
		r.allow(field, c.name, rule)
		return nil
	case c.name == allCapabilities && trims:
		given := effectiveCapabilities(nil, allow, []string{allCapabilities}, drop)
		r.found(Trim, field, c.name, rule,
			"Adding ALL gives the %d capabilities that the policy allows, not every one; name the ones that are needed.", len(given))
	case c.name == allCapabilities:
		r.found(Reject, field, c.name, rule, "Adding ALL is refused: it asks for every capability, and %s.", chooseFrom(allow))
	case trims:
		r.found(Trim, field, c.name, rule,
			"%s is not among the capabilities that the policy allows; the container runs without it.", c.name)
	default:
		r.found(Reject, field, c.name, rule, "%s is refused: %s.", c.name, chooseFrom(allow))
	}
	switch {
	case r.acts():
		return nil
	case c.name == allCapabilities:
		return engineAll()
	}
	return []string{c.name}
}

// trims reports whether a task runs without what it may not have. An action that means nothing here is taken for the strictest.
func (c CapabilityRules) trims() bool { return c.OnViolation == "" || c.OnViolation == Trim }

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
			Place:  r.policy.place("capabilities.drop"),
			Origin: Printable(origin), Message: fmt.Sprintf("Dropping these %d capabilities is allowed.", len(group)),
		})
	}
}

// namedCapability is a capability as written in the task and as Docker would write it.
type namedCapability struct{ written, name string }

func (r *review) capabilityList(field string, written []string) []namedCapability {
	var list []namedCapability
	for _, w := range written {
		name, ok := ParseCapability(w)
		if !ok {
			r.reject(field+"["+w+"]", w, "capabilities.known",
				"%q is not a capability; write one name per parameter as in capabilities(7), for example NET_BIND_SERVICE.", Shorten(w))
			continue
		}
		if !slices.ContainsFunc(list, func(o namedCapability) bool { return o.name == name }) {
			list = append(list, namedCapability{written: w, name: name})
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
