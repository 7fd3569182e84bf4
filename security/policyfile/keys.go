package policyfile

import (
	"maps"
	"slices"

	"mesos-docker-executor/internal/message"
	"mesos-docker-executor/security"
)

// fact is what is known of a rule's key beside its name and type. A key without one is read by its type alone.
type fact struct {
	meaning string // half a sentence
	allowed string // what can be written: it completes "write ..."
	// text checks one text (the value, or each element of a list or map) and returns it in the spelling that the rules know.
	text func(string) (string, error)
	// name checks a name of a map.
	name func(string) error
	// least and most bound a number; both 0 is any.
	least, most int64
	// sizes are the names of a map whose numbers are sizes with units. So is a number whose key ends in _size.
	sizes []string
	// unlimited: the number may be "unlimited", which is -1.
	unlimited bool
	// required: an entry of a list has to have it, and if it is a list, not empty.
	required bool
}

func (f fact) allowedOr(what string) string {
	if f.allowed == "" {
		return what
	}
	return f.allowed
}

// facts returns what is known of all keys of rules and of what break_glass allows. It is the one list that the checks, the
// messages and the commented policy come from.
func facts() map[string]fact {
	all := map[string]fact{}
	for _, some := range []map[string]fact{rightsFacts(), networkFacts(), mountFacts(), deviceFacts(), processFacts(), limitFacts(), breakGlassFacts()} {
		maps.Copy(all, some)
	}
	return all
}

func rightsFacts() map[string]fact {
	return map[string]fact{
		"capabilities": {meaning: "What a container may have of root's rights (capabilities(7)); names in any case, with or without CAP_"},
		"capabilities.base": {meaning: "what a container has when its task asks for nothing; of these, what allow has not is never given",
			allowed: "names such as NET_BIND_SERVICE", text: aCapability},
		"capabilities.allow": {meaning: "the most that a task can have", allowed: "names such as NET_BIND_SERVICE",
			text: aCapability},
		"capabilities.on_violation": {meaning: "what happens to a capability that is not allowed: trim (the container runs without it) or reject",
			allowed: message.OneOf([]string{string(security.Trim), string(security.Reject)}), text: among(string(security.Trim), string(security.Reject))},

		"images": {meaning: "Which images may run"},
		"images.allow": {meaning: "patterns of repositories in full; * is any text without a slash, ** at the end all below",
			allowed: "patterns such as docker.io/library/* or registry.example/**", text: imagePattern},
		"images.require_digest": {meaning: "refuse images that are named by a tag, which can be moved, and not by a digest", allowed: onOff},

		"no_new_privileges": {meaning: "setuid programs and file capabilities add no rights", allowed: onOff},
		"new_privileges":    {meaning: "let a task switch no_new_privileges off", allowed: onOff},
		"seccomp_profiles": {meaning: "profiles that a task may name: name and path of a JSON file of root's; names are merged, none takes one away",
			allowed: "absolute paths of JSON files", name: checkProfileName, text: seccompPath},
		"apparmor_profiles": {meaning: "profiles that a task may name; they have to be loaded on the host", allowed: "names of loaded profiles",
			text: confined("unconfined", "apparmor", nonEmpty)},
		"selinux_labels": {meaning: "patterns of labels that a task may set", allowed: "patterns such as type:container_t or level:s0:*",
			text: confined("disable", "selinux", selinuxLabel)},
		"host_namespaces": {meaning: "namespaces that a task may share with the host: cgroup, uts; others by break_glass only",
			allowed: "`cgroup`, `uts`",
			text:    ordinaryNamespace},
		"run_as_non_root": {meaning: "demand a user by number other than 0, of the task or the image", allowed: onOff},
		"denied_groups": {meaning: "groups that no process gets: names, and numbers in quotes",
			allowed: "names or numbers of groups", text: account},
		"readonly_rootfs": {meaning: "make every container's root file system read-only", allowed: onOff},
	}
}

const onOff = "`true` or `false`"

func networkFacts() map[string]fact {
	return map[string]fact{
		"network": {meaning: "Which networks a container may be connected to, and how"},
		"network.modes": {meaning: "networks of the engine itself that a task may name: bridge, none, host",
			allowed: "`bridge`, `none`, `host`", text: among("bridge", "none", "host")},
		"network.names":            {meaning: "patterns of user networks", allowed: "patterns such as team-*", text: networkPattern},
		"network.aliases":          {meaning: "let a task choose further names on a user network", allowed: onOff},
		"network.static_addresses": {meaning: "let a task choose its IP addresses", allowed: onOff},
		"network.mac_address":      {meaning: "let a task choose its hardware address", allowed: onOff},
		"network.host_ips": {meaning: "addresses of the host that a port may be published on; without one it is published on all",
			allowed: "IP addresses of the host", text: hostIP},
		"network.host_gateway": {meaning: "let a task add a name for the host (add-host NAME:host-gateway)", allowed: onOff},
	}
}

func mountFacts() map[string]fact {
	return map[string]fact{
		"mounts": {meaning: "What may be mounted beside the sandbox"},
		"mounts.host_paths": {meaning: "folders of the host, each with all below it; a key +host_paths adds to the inherited ones",
			allowed: "entries such as {path: /srv/data, writable: false}"},
		"mounts.host_paths.path":     {meaning: "absolute path", allowed: "an absolute path", text: hostPath, required: true},
		"mounts.host_paths.writable": {meaning: "whether it may be mounted for writing", allowed: onOff},
		"mounts.denied_paths": {meaning: "never mounted, nor what is below or above them, whatever host_paths says",
			allowed: "absolute paths", text: hostPath},
		"mounts.volumes": {meaning: "volumes of the engine or of plugins by name; +volumes adds",
			allowed: "entries such as {driver: local, names: [team-*]}"},
		"mounts.volumes.driver": {meaning: "name of the plugin; local is the engine's own",
			allowed: "the driver's name, such as local", text: word, required: true},
		"mounts.volumes.names": {meaning: "patterns of the volumes' names",
			allowed: "patterns such as team-*", text: volumePattern, required: true},
		"mounts.volumes.options":   {meaning: "options of the driver that a task may set", allowed: "names of options", text: word},
		"mounts.anonymous_volumes": {meaning: "let a task have volumes without a name, which take disk space without a limit", allowed: onOff},
		"mounts.image_volumes":     {meaning: "let an image bring such volumes (VOLUME)", allowed: onOff},
		"mounts.tmpfs_size": {meaning: "largest tmpfs, and size of one without a size; 0 allows none",
			allowed: "a size such as 512MiB", most: maxSize},
		"mounts.tmpfs_options": {meaning: "set for every tmpfs: noexec, nosuid, nodev",
			allowed: "`noexec`, `nosuid`, `nodev`", text: among("noexec", "nosuid", "nodev")},
	}
}

func deviceFacts() map[string]fact {
	return map[string]fact{
		"devices": {meaning: "devices of the host that a task may have; +devices adds",
			allowed: "entries such as {path: /dev/fuse, permissions: rwm}"},
		"devices.path": {meaning: "pattern of paths in /dev; a folder stands for all devices in it", allowed: "a path such as /dev/fuse", text: devicePattern, required: true},
		"devices.permissions": {meaning: "the most of them: letters of rwm (read, write, mknod)",
			allowed: "letters of `rwm`", text: devicePermissions, required: true},
		"device_cgroup_rules": {meaning: "device rules that a task may add, as it writes them",
			allowed: "rules such as \"c 10:229 rwm\"", text: deviceRule},
		"gpus": {meaning: "let a container request GPUs; without an effect yet: the flag and the resource gpus are refused before", allowed: onOff},
	}
}

func processFacts() map[string]fact {
	return map[string]fact{
		"sysctls": {meaning: "patterns of the kernel parameters that a task may set, of the container's own namespaces",
			allowed: "names such as net.ipv4.tcp_syncookies", text: sysctlPattern},
		"denied_environment": {meaning: "patterns of variables that are left out", allowed: "patterns such as NVIDIA_*", text: variablePattern},
		"init":               {meaning: "give a task an init process that says nothing about one", allowed: onOff},
		"runtimes": {meaning: "runtimes that a task may name; the engine's default needs no entry",
			allowed: "names of runtimes", text: word},
		"log_drivers": {meaning: "log drivers that a task may choose; \"\" is the engine's default; +log_drivers adds",
			allowed: "entries such as {name: json-file, options: [max-size]}"},
		"log_drivers.name": {meaning: "name of the driver",
			allowed: "the driver's name, \"\" for the engine's default", text: wordOrNone, required: true},
		"log_drivers.options": {meaning: "options that a task may set", allowed: "names of options", text: word},
	}
}

// Ranges that the kernel has: proc(5) of oom_score_adj, and PID_MAX_LIMIT (include/linux/threads.h).
const (
	maxOOMScore = 1000
	maxPids     = 4 << 20
)

func limitFacts() map[string]fact {
	known := ulimits()
	return map[string]fact{
		"unlimited_memory": {meaning: "let a task have no memory limit (Mesos: limits[\"mem\"] is infinite)", allowed: onOff},
		"no_swap":          {meaning: "limit memory and swap together to the memory limit", allowed: onOff},
		"shm_size": {meaning: "largest /dev/shm that a task can ask for; 0 leaves every task the engine's default (64MiB)",
			allowed: "a size such as 512MiB", most: maxSize},
		"oom_score_adj": {meaning: "lowest score that a task can ask for, -1000 to 1000; below 0 it is spared at the host's cost",
			allowed: "a number from -1000 to 1000", least: -maxOOMScore, most: maxOOMScore},
		"pids_limit": {meaning: "most processes and threads, and what a task gets that asks for no fewer",
			allowed: "a number from 1 to 4194304", least: 1, most: maxPids},
		"ulimits": {meaning: "highest values that a task can ask for; bytes with units; names are merged, none takes one away",
			allowed: "a number, a size such as 64MiB for " + byteUlimitList() + ", or unlimited",
			name:    known, sizes: byteUlimits(), unlimited: true, most: maxSize},
		"zero_ulimits": {meaning: "set to 0 for a task that does not ask",
			allowed: "names of ulimits", text: func(s string) (string, error) { return s, known(s) }},
	}
}

func breakGlassFacts() map[string]fact {
	return map[string]fact{
		"break_glass.host_namespaces": {meaning: "namespaces of the host: ipc, pid, userns",
			allowed: "`ipc`, `pid`, `userns`", text: among("ipc", "pid", "userns")},
		"break_glass.paths": {meaning: "paths of the host that no host_paths opens",
			allowed: "entries such as {path: /run/docker.sock, writable: true}"},
		"break_glass.paths.path":     {meaning: "absolute path", allowed: "an absolute path", text: hostPath, required: true},
		"break_glass.paths.writable": {meaning: "whether it may be mounted for writing", allowed: onOff},
		"break_glass.unconfined": {meaning: "confinements to switch off: apparmor, seccomp, selinux, systempaths",
			allowed: "`apparmor`, `seccomp`, `selinux`, `systempaths`", text: among("apparmor", "seccomp", "selinux", "systempaths")},
		"break_glass.propagation": {meaning: "of mounts: rshared, rslave, shared, slave",
			allowed: "`rshared`, `rslave`, `shared`, `slave`", text: among("rshared", "rslave", "shared", "slave")},
	}
}

// among takes one of some words.
func among(words ...string) func(string) (string, error) {
	return func(s string) (string, error) {
		if !slices.Contains(words, s) {
			return "", wrongWord(s, words)
		}
		return s, nil
	}
}
