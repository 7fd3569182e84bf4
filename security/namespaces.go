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
		r.reject("Host.PidMode", string(mode), "namespaces.pid",
			"PID namespace %q is refused, and no policy can allow it: the executor needs the container's own; leave it out.", Shorten(string(mode)))
	}
	switch mode := take(&host.IpcMode); mode {
	case "", container.IPCModePrivate:
		// Said explicitly because a daemon may be configured with a shareable default.
		out.IpcMode = container.IPCModePrivate
	case container.IPCModeNone:
		r.allow("Host.IpcMode", "none", "namespaces.ipc")
		out.IpcMode = mode
	default:
		out.IpcMode = hostNamespace(r, "ipc", "IPC", "Host.IpcMode", mode)
	}
	if mode := take(&host.UTSMode); mode != "" {
		out.UTSMode = hostNamespace(r, "uts", "UTS", "Host.UTSMode", mode)
	}
	if mode := take(&host.UsernsMode); mode != "" {
		out.UsernsMode = hostNamespace(r, "userns", "User", "Host.UsernsMode", mode)
	}
	switch mode := take(&host.CgroupnsMode); mode {
	case "": // the daemon's default: private on cgroup v2, the host's on v1
	case container.CgroupnsModePrivate:
		r.allow("Host.CgroupnsMode", "private", "namespaces.cgroup")
		out.CgroupnsMode = mode
	default:
		out.CgroupnsMode = hostNamespace(r, "cgroup", "Cgroup", "Host.CgroupnsMode", mode)
	}
}

// hostNamespace returns the mode if it is "host" and the policy allows it for this namespace.
func hostNamespace[M ~string](r *review, name, what, field string, mode M) M {
	rule := "namespaces." + name
	if mode == "host" && slices.Contains(r.rules.HostNamespaces, name) {
		r.allow(field, string(mode), rule)
		return mode
	}
	r.reject(field, string(mode), rule,
		"%s namespace %q is refused; leave it out, the container gets one of its own.", what, Shorten(string(mode)))
	return ""
}
