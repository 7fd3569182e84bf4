package supervise

import (
	"slices"
	"strings"

	"mesos-docker-executor/executor/process"
	"mesos-docker-executor/security"
)

// rightsLimit is what a reviewed Spec decides of the rights of the container's init, on an engine with these security options
// ("name=seccomp,profile=default", "name=userns"). What the engine cannot enforce is not demanded. nonRoot says that no root may be
// in the container.
func rightsLimit(spec security.Spec, nonRoot bool, engineOptions []string) process.RightsLimit {
	limit := process.RightsLimit{
		Capabilities: spec.Host.CapAdd, // the review drops ALL first
		Seccomp:      has(engineOptions, "name=seccomp") && !slices.Contains(engineOptions, "name=seccomp,profile=unconfined"),
		NonRoot:      nonRoot,
	}
	for _, option := range spec.Host.SecurityOpt {
		profile, seccomp := strings.CutPrefix(option, "seccomp=")
		switch {
		case option == "no-new-privileges":
			limit.NoNewPrivs = true
		case seccomp:
			limit.Seccomp = has(engineOptions, "name=seccomp") && profile != "unconfined"
		}
	}
	shared := map[string]bool{
		"net":  spec.Host.NetworkMode.IsHost(),
		"pid":  spec.Host.PidMode.IsHost(),
		"ipc":  spec.Host.IpcMode.IsHost(),
		"uts":  spec.Host.UTSMode.IsHost(),
		"user": spec.Host.UsernsMode.IsHost() || !has(engineOptions, "name=userns"),
		// Without a wish the engine's default holds, which is the host's on cgroup v1.
		"cgroup": !spec.Host.CgroupnsMode.IsPrivate(),
	}
	for _, kind := range []string{"cgroup", "ipc", "net", "pid", "user", "uts"} {
		if shared[kind] {
			limit.HostNamespaces = append(limit.HostNamespaces, kind)
		}
	}
	return limit
}

// has reports whether one of the engine's options is of that name, with whatever behind it.
func has(options []string, name string) bool {
	return slices.ContainsFunc(options, func(o string) bool { return o == name || strings.HasPrefix(o, name+",") })
}
