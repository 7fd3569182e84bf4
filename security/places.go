package security

import "strings"

// Fixed is the place of a finding that no policy can change.
const Fixed = "fixed"

// builtInPlace is the place of what the policy's file does not say.
const builtInPlace = "built-in"

// place returns where the policy says what a rule goes by, for [Finding].Place: the first of the rule's keys that its file has,
// or else the section of the main one.
func (p Policy) place(rule string) string {
	keys, known := keysOf(rule)
	if keys == "" {
		if known {
			return Fixed
		}
		return ""
	}
	for key := range strings.SplitSeq(keys, " ") {
		if place, written := p.places[key]; written {
			return place
		}
	}
	first, _, _ := strings.Cut(keys, " ")
	return p.placeOf(first)
}

// placeOf returns the place of a key of the rules, or else that of the section that it is in.
func (p Policy) placeOf(key string) string {
	for {
		if place, written := p.places[key]; written {
			return place
		}
		section := strings.LastIndexByte(key, '.')
		if section < 0 {
			return p.inherited()
		}
		key = key[:section]
	}
}

// inherited is the place of what no file says.
func (p Policy) inherited() string {
	if p.fromFile {
		return builtInPlace
	}
	return p.source
}

// keysOf returns the keys of [Rules], by their JSON names, that a rule goes by: the main one first, with spaces between them. A
// rule that no policy can change has none. A rule that has some can refuse a value that none of them allows; then
// the finding says so.
func keysOf(rule string) (keys string, known bool) {
	switch rule {
	case liftNamespaces, liftPaths, liftConfinement, liftPropagation, "devices", "init", "network.aliases", "network.mac_address",
		"pids_limit", "shm_size", "sysctls":
		return rule, true // called as its key is
	case "add_host":
		return "network.host_gateway", true
	case "capabilities.base":
		return rule, true
	case "capabilities.allow":
		return "capabilities.allow capabilities.on_violation capabilities.base", true
	case "devices.cgroup_rules":
		return "device_cgroup_rules", true
	case "devices.requests":
		return "gpus", true
	case "environment.deny":
		return "denied_environment", true
	case "groups":
		return "denied_groups", true
	case "image.allow":
		return "images.allow", true
	case "image.digest":
		return "images.require_digest", true
	case "image.volumes":
		return "mounts.image_volumes", true
	case "log_driver", "log_options":
		return "log_drivers", true
	case "memory":
		return "unlimited_memory", true
	case "memory.oom_score_adj":
		return "oom_score_adj", true
	case "memory_swap":
		return "no_swap", true
	case "mounts.anonymous":
		return "mounts.anonymous_volumes", true
	case "mounts.denied", "mounts.modes", "mounts.sources":
		return "mounts.host_paths mounts.denied_paths", true
	case "mounts.tmpfs":
		return "mounts.tmpfs_size mounts.tmpfs_options", true
	case "mounts.volume_options", "mounts.volumes":
		return "mounts.volumes", true
	case "namespaces.cgroup", "namespaces.uts":
		return "host_namespaces", true
	case "network.addresses":
		return "network.static_addresses", true
	case "network.host_ip":
		return "network.host_ips", true
	case "network.modes":
		return "network.modes network.names", true
	case "no_new_privileges":
		return "no_new_privileges new_privileges", true
	case "read_only":
		return "readonly_rootfs", true
	case "runtime":
		return "runtimes", true
	case "security_opt.apparmor":
		return "apparmor_profiles", true
	case "security_opt.seccomp":
		return "seccomp_profiles", true
	case "security_opt.selinux":
		return "selinux_labels", true
	case "ulimits":
		return "ulimits zero_ulimits", true
	case "user.non_root":
		return "run_as_non_root", true
	}
	return "", isFixedRule(rule)
}

func isFixedRule(rule string) bool {
	switch rule {
	case "annotations", "auto_remove", "blkio", "capabilities.drop", "capabilities.known", "cgroup_parent", "command", "container_id_file",
		"cpu", "cpu.nano_cpus", "cpu.realtime", "cpu.set", "dns.options", "dns.search", "dns.servers", "domainname", "environment",
		"health_checks", "hostname", "image", "image.command", "image.labels", "image.workdir", "isolation", "labels", "labels.reserved",
		"memory.kernel", "memory.oom_kill_disable", "memory.reservation", "memory.swappiness", "mounts.binds", "mounts.options",
		"mounts.propagation", "mounts.targets", "mounts.types", "mounts.volumes_from", "name", "namespaces.ipc", "namespaces.pid",
		"namespaces.userns", "network.driver_options", "network.endpoints", "network.expose", "network.links", "network.ports",
		"network.publish_all", "privileged", "restart", "security_opt", "security_opt.systempaths", "stdin", "stop_signal", "stop_timeout",
		"storage_opt", "text", "tty", "unknown", "user", "windows", "workdir":
		return true
	}
	return false
}
