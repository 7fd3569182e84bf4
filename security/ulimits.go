package security

import (
	"strings"

	"github.com/docker/docker/api/types/container"
)

// ulimits lowers what is above the policy's maxima, and sends what the policy forces. For every other name that a task
// does not give, the engine's own limits hold, not the maxima: naming a hard limit above the engine's would keep the
// container from starting on a host whose engine lacks CAP_SYS_RESOURCE (setrlimit(2)).
func (r *review) ulimits() {
	seen := map[string]bool{}
	for _, u := range take(&r.left.Host.Ulimits) {
		if u == nil {
			r.reject("Host.Ulimits", "", "ulimits", "An empty ulimit is refused; write name=soft:hard.")
			continue
		}
		field := "Host.Ulimits[" + u.Name + "]"
		maximum, known := r.rules.Ulimits[u.Name]
		switch {
		case !known && r.deny(field, u.String(), "ulimits", "Ulimit %q is refused: the policy has no maximum for it; remove it.", Shorten(u.Name)):
			continue
		case seen[u.Name]:
			r.reject(field, u.String(), "ulimits", "Ulimit %q is given twice; give it once.", u.Name)
			continue
		case u.Soft < -1 || u.Hard < -1 || exceeds(u.Soft, u.Hard):
			r.reject(field, u.String(), "ulimits", "Ulimit %s is refused; write name=soft:hard, soft not above hard, -1 for unlimited.", u)
			continue
		}
		seen[u.Name] = true
		if !known { // and only audited
			r.out.Host.Ulimits = append(r.out.Host.Ulimits, u)
			continue
		}
		r.out.Host.Ulimits = append(r.out.Host.Ulimits, r.limited(field, u, maximum))
	}
	for _, name := range r.rules.ZeroUlimits {
		if seen[name] {
			continue
		}
		r.found(Force, "Host.Ulimits["+name+"]", "ulimit "+name+"=0:0", "ulimits", "Ulimit %s is 0.", name)
		if r.at("zero_ulimits"); r.acts() {
			r.out.Host.Ulimits = append(r.out.Host.Ulimits, &container.Ulimit{Name: name})
		}
	}
}

func (r *review) limited(field string, u *container.Ulimit, maximum int64) *container.Ulimit {
	limited := &container.Ulimit{Name: u.Name, Soft: lower(u.Soft, maximum), Hard: lower(u.Hard, maximum)}
	if *limited == *u {
		r.allow(field, u.String(), "ulimits")
		r.atEntry("ulimits", u.Name)
		return u
	}
	r.lowered(field, "ulimit "+u.String(), strings.TrimPrefix(limited.String(), u.Name+"="), "ulimits",
		"Ulimit %s is above the policy's maximum; the container runs with %s.", u, limited)
	if r.atEntry("ulimits", u.Name); r.acts() {
		return limited
	}
	return u
}

// exceeds compares two limits of getrlimit(2), where -1 is unlimited.
func exceeds(limit, maximum int64) bool {
	return maximum != -1 && (limit == -1 || limit > maximum)
}

func lower(limit, maximum int64) int64 {
	if exceeds(limit, maximum) {
		return maximum
	}
	return limit
}
