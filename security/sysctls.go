package security

import (
	"maps"
	"slices"
	"strings"

	"mesos-docker-executor/internal/glob"
)

// sysctls decides over kernel parameters. Those that are not of a namespace are rejected by the engine's runtime; those of
// a namespace that is the host's would change the host.
func (r *review) sysctls() {
	sysctls := take(&r.left.Host.Sysctls)
	for _, name := range slices.Sorted(maps.Keys(sysctls)) {
		field, value := "Host.Sysctls["+name+"]", sysctls[name]
		ofNetwork := isSysctlOf(name, "net")
		ofUTS := isSysctlOf(name, "kernel") && slices.Contains([]string{"hostname", "domainname"}, name[len("kernel."):])
		switch {
		case !glob.MatchAny(r.rules.Sysctls, name) &&
			r.deny(field, value, "sysctls", "Sysctl %q is refused: %s.", Shorten(name), chooseFrom(r.rules.Sysctls)):
		case ofUTS && r.out.Host.UTSMode == "host":
			r.reject(field, value, "sysctls",
				"Sysctl %q is refused: it would rename the host, whose UTS namespace the container shares; remove it.", Shorten(name))
		case ofNetwork && r.out.Host.NetworkMode == "host":
			r.reject(field, value, "sysctls",
				"Sysctl %q is refused: it would change the host's network, which the container shares; remove it.", Shorten(name))
		case !ofNetwork && !ofUTS && r.out.Host.IpcMode == "host":
			r.reject(field, value, "sysctls",
				"Sysctl %q is refused: it would change the host's IPC namespace, which the container shares; remove it.", Shorten(name))
		default:
			r.allow(field, value, "sysctls")
			if r.out.Host.Sysctls == nil {
				r.out.Host.Sysctls = map[string]string{}
			}
			r.out.Host.Sysctls[name] = value
		}
	}
}

// isSysctlOf reports whether a name lies in a folder of /proc/sys. The runtime takes a slash for a dot (sysctl.d(5)).
func isSysctlOf(name, folder string) bool {
	rest, found := strings.CutPrefix(name, folder)
	return found && len(rest) > 1 && (rest[0] == '.' || rest[0] == '/')
}
