package security

import (
	"slices"

	"github.com/docker/docker/api/types/container"
)

// namespaces keeps each container in namespaces of its own, but for those that the policy lets a task share with the
// host. The namespaces of other containers are out of reach.
func (r *review) namespaces() {
	host, out := &r.left.Host, &r.out.Host
	if mode := take(&host.PidMode); mode != "" {
		out.PidMode = liftedNamespace(r, "pid", "PID", "Host.PidMode", mode, "namespaces.pid")
	}
	switch mode := take(&host.IpcMode); mode {
	case "", container.IPCModePrivate:
		// Said explicitly because a daemon may be configured with a shareable default.
		out.IpcMode = container.IPCModePrivate
	case container.IPCModeNone:
		r.allow("Host.IpcMode", "none", "namespaces.ipc")
		out.IpcMode = mode
	default:
		out.IpcMode = liftedNamespace(r, "ipc", "IPC", "Host.IpcMode", mode, "namespaces.ipc")
	}
	if mode := take(&host.UTSMode); mode != "" {
		out.UTSMode = hostNamespace(r, "uts", "UTS", "Host.UTSMode", mode, "namespaces.uts")
	}
	if mode := take(&host.UsernsMode); mode != "" {
		out.UsernsMode = liftedNamespace(r, "userns", "User", "Host.UsernsMode", mode, "namespaces.userns")
	}
	switch mode := take(&host.CgroupnsMode); mode {
	case "": // the daemon's default: private on cgroup v2, the host's on v1
	case container.CgroupnsModePrivate:
		r.allow("Host.CgroupnsMode", "private", "namespaces.cgroup")
		out.CgroupnsMode = mode
	default:
		out.CgroupnsMode = hostNamespace(r, "cgroup", "Cgroup", "Host.CgroupnsMode", mode, "namespaces.cgroup")
	}
}

const namespaceRefused = "%s namespace %q is refused; leave it out, the container gets one of its own."

// hostNamespace returns the mode if it is "host" and the policy allows it for this namespace.
func hostNamespace[M ~string](r *review, name, what, field string, mode M, rule string) M {
	switch {
	case mode != "host":
		r.reject(field, string(mode), rule, namespaceRefused, what, Shorten(string(mode)))
		return ""
	case !slices.Contains(r.rules.HostNamespaces, name) &&
		r.deny(field, string(mode), rule, namespaceRefused, what, Shorten(string(mode))):
		return ""
	}
	r.allow(field, string(mode), rule)
	return mode
}

// liftedNamespace does the same for those that make root in the container more or less root of the host: they take
// [BreakGlass]. With the host's PID or IPC namespace the engine switches SELinux off as well (daemon/create.go,
// generateSecurityOpt).
func liftedNamespace[M ~string](r *review, name, what, field string, mode M, rule string) M {
	switch {
	case mode != "host":
		r.reject(field, string(mode), rule, namespaceRefused, what, Shorten(string(mode)))
	case !r.lifted(r.rules.BreakGlass.HostNamespaces, name, field, string(mode), liftNamespaces):
		r.reject(field, string(mode), rule,
			"%s namespace %q is refused, and only break_glass can lift that; leave it out, the container gets one of its own.", what, "host")
		r.endedWith(func(b BreakGlass) bool { return slices.Contains(b.HostNamespaces, name) })
	default:
		return mode
	}
	return ""
}
