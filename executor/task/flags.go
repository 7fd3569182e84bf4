package task

import (
	"slices"
	"strings"
)

// dockerRunFlags are the long flags of docker run 28, with the hidden ones and the aliases: a parameter of one of these
// names is refused as not allowed, one of any other name as a mistake. privileged and the supported ones are handled
// before.
const dockerRunFlags = `
	add-host annotation attach blkio-weight blkio-weight-device cap-add cap-drop cgroup-parent cgroupns cidfile cpu-count
	cpu-percent cpu-period cpu-quota cpu-rt-period cpu-rt-runtime cpu-shares cpus cpuset-cpus cpuset-mems detach detach-keys
	device device-cgroup-rule device-read-bps device-read-iops device-write-bps device-write-iops disable-content-trust dns
	dns-opt dns-option dns-search domainname entrypoint env env-file expose gpus group-add health-cmd health-interval
	health-retries health-start-interval health-start-period health-timeout help hostname init interactive io-maxbandwidth
	io-maxiops ip ip6 ipc isolation kernel-memory label label-file link link-local-ip log-driver log-opt mac-address memory
	memory-reservation memory-swap memory-swappiness mount name net net-alias network network-alias no-healthcheck
	oom-kill-disable oom-score-adj pid pids-limit platform privileged publish publish-all pull quiet read-only restart rm
	runtime security-opt shm-size sig-proxy stop-signal stop-timeout storage-opt sysctl tmpfs tty ulimit use-api-socket user
	userns uts volume volume-driver volumes-from workdir`

func isDockerRunFlag(name string) bool {
	return slices.Contains(strings.Fields(dockerRunFlags), name)
}

// insteadOf says what to write instead of a flag that has a place of its own in the TaskInfo; "" if it has none.
func insteadOf(flag string) string {
	switch flag {
	case "net", "network":
		return "set `container.docker.network` instead"
	case "publish":
		return "use `container.docker.port_mappings` instead"
	case "volume", "mount":
		return "use `container.volumes` with a path in the sandbox instead"
	case "env", "env-file":
		return "use `command.environment` instead"
	case "entrypoint":
		return "use `command` instead"
	case "pull":
		return "use `container.docker.force_pull_image` instead"
	case "cpus", "cpu-shares", "cpu-quota", "cpu-period":
		return "request `cpus` in `resources` instead"
	case "memory", "memory-swap", "memory-reservation":
		return "request `mem` in `resources` instead"
	case "stop-timeout":
		return "use `kill_policy.grace_period` instead"
	case "name", "restart", "rm", "detach", "cidfile":
		return "remove it, the executor decides on it"
	}
	return ""
}
