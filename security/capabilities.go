package security

import (
	"slices"

	"github.com/docker/docker/api/types/container"
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
				len(r.rules.AllowedCapabilities))
		case !slices.Contains(r.rules.AllowedCapabilities, c.name):
			r.found(Trim, field, c.name, "capabilities.allow",
				"%s is not among the capabilities that the policy allows; the container runs without it.", c.name)
		default:
			r.allow(field, c.name, "capabilities.allow")
		}
	}
	for _, c := range drop {
		r.allow("Host.CapDrop["+c.written+"]", c.name, "capabilities.drop")
	}
	r.out.Host.CapDrop = []string{allCapabilities}
	r.out.Host.CapAdd = effectiveCapabilities(
		r.rules.BaseCapabilities, r.rules.AllowedCapabilities, names(add), names(drop))
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

// confinement leaves Docker's default seccomp and AppArmor profiles alone. Security options of a task are not taken, so
// [review.unknown] rejects any.
func (r *review) confinement() {
	if r.rules.NoNewPrivileges {
		// The bare form is the one that every daemon version understands without a deprecation warning.
		r.out.Host.SecurityOpt = []string{"no-new-privileges"}
		r.found(Force, "Host.SecurityOpt", "no-new-privileges", "no_new_privileges",
			"no-new-privileges is on: setuid binaries and file capabilities add no rights inside the container.")
	}
}

// namespaces keeps each container in namespaces of its own. Pid, UTS, user and cgroup modes of a task are not taken:
// their empty values mean the daemon's defaults, and [review.unknown] rejects any other.
func (r *review) namespaces() {
	switch mode := take(&r.left.Host.IpcMode); mode {
	case "", container.IPCModePrivate:
		// Said explicitly because a daemon may be configured with a shareable default.
		r.out.Host.IpcMode = container.IPCModePrivate
	default:
		r.reject("Host.IpcMode", string(mode), "namespaces.ipc",
			"IPC namespace %q is refused; leave it out, the container gets one of its own.", Shorten(string(mode)))
	}
}
