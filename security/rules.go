package security

// Rules are the content of a policy: what a task may ask for, and what its container gets whether asked for or not.
//
// A list that is empty allows nothing, a limit that is 0 allows none of it, and a malformed entry matches nothing. So the
// zero Rules are the strictest there are: they allow no container at all, as it would have no network mode.
//
// Some things are no matter of rules; no policy can allow them: privileged containers, namespaces and volumes of other
// containers, driver options of local volumes, publishing all ports, links, restarts, removal and health checks by the
// engine, and a cgroup parent of the task. Some can be allowed only by [BreakGlass], which is written apart from all other rules:
// the host's PID, IPC and user namespaces, the engine's own sockets and the executor's files (see [HostPath]), no seccomp, AppArmor or
// SELinux, the paths of /proc and /sys that the engine hides, and mounts that are not private.
//
// In audit mode the rules change nothing about a container and say what they would have done; the two kinds above hold, and so do
// [MountRules].DeniedPaths and, for a task that asks for none, PidsLimit.
//
// A pattern is a text in which '*' stands for any number of characters but '/'. All other characters stand for
// themselves.
//
// The JSON form is what the policy's hash is made from, so every field that influences a decision has to be in it.
type Rules struct {
	// Mode is [Audit], or else [Enforce], as which anything else counts.
	Mode Mode `json:"mode,omitempty"`
	// BreakGlass lifts denials that nothing else lifts.
	BreakGlass BreakGlass `json:"break_glass,omitzero"`

	Capabilities CapabilityRules `json:"capabilities"`
	Images       ImageRules      `json:"images"`

	// NoNewPrivileges stops setuid binaries and file capabilities from adding rights (prctl(2), PR_SET_NO_NEW_PRIVS), unless
	// the task switches it off, which it can only where NewPrivileges is set.
	NoNewPrivileges bool `json:"no_new_privileges"`
	// NewPrivileges lets a task ask for no-new-privileges=false.
	NewPrivileges bool `json:"new_privileges"`
	// SeccompProfiles that a task may name, and what the engine is sent for each: a profile in JSON. Files are never read.
	// "unconfined" is neither a name nor a profile here. For a task that names none, the engine's own profile holds.
	SeccompProfiles map[string]string `json:"seccomp_profiles,omitempty"`
	// AppArmorProfiles that a task may name. "unconfined" is none of them, also as a part of a name.
	AppArmorProfiles []string `json:"apparmor_profiles,omitempty"`
	// SELinuxLabels that a task may set, as patterns of what follows label= ("type:container_t", "level:s0:*"). No pattern stands
	// for "disable" and for the types that are as good as that, [UnconfinedLabels].
	SELinuxLabels []string `json:"selinux_labels,omitempty"`
	// HostNamespaces that a task may share with the host: any of "cgroup" and "uts"; the others need [BreakGlass].
	HostNamespaces []string `json:"host_namespaces,omitempty"`
	// RunAsNonRoot demands a user by number other than 0, of the task or else of the image: whether a name is root is
	// decided by a file in the image.
	RunAsNonRoot bool `json:"run_as_non_root"`
	// DeniedGroups cannot be added to the container's process, nor be its primary group if it is not root's: names, and
	// numbers in decimal. As a primary group, 0 is not denied.
	DeniedGroups []string `json:"denied_groups,omitempty"`
	// ReadonlyRootfs makes every container's root file system read-only.
	ReadonlyRootfs bool `json:"readonly_rootfs"`

	Network NetworkRules `json:"network"`
	Mounts  MountRules   `json:"mounts"`

	// Devices that a task may have.
	Devices []DeviceRule `json:"devices,omitempty"`
	// DeviceCgroupRules that a task may add, as they are written ("c 10:229 rwm").
	DeviceCgroupRules []string `json:"device_cgroup_rules,omitempty"`
	// GPUs lets a task request GPUs from the engine's driver for them.
	GPUs bool `json:"gpus"`

	// Sysctls that a task may set, as patterns of their names. Those of a namespace that it shares with the host are
	// rejected all the same.
	Sysctls []string `json:"sysctls,omitempty"`
	// DeniedEnvironment are patterns of the names of variables that are left out. If NVIDIA_VISIBLE_DEVICES is among them, every
	// container without a device request gets it with the value void: leaving it out would let the image's hold.
	DeniedEnvironment []string `json:"denied_environment,omitempty"`
	// Init is the value for a task that says nothing about an init process.
	Init bool `json:"init"`
	// Runtimes that a task may name. The engine's default needs no entry.
	Runtimes []string `json:"runtimes,omitempty"`
	// LogDrivers that a task may choose.
	LogDrivers []LogDriver `json:"log_drivers,omitempty"`

	// UnlimitedMemory lets a task have no memory limit, only a reservation (Mesos: limits["mem"] is infinite).
	UnlimitedMemory bool `json:"unlimited_memory"`
	// NoSwap limits memory and swap together to the memory limit.
	NoSwap bool `json:"no_swap"`
	// ShmSize is the largest /dev/shm that a task can ask for, in bytes; more is trimmed, as is what is above the memory
	// limit. With 0 the engine's default (64 MiB) holds for every task.
	ShmSize int64 `json:"shm_size"`
	// OOMScoreAdj is the lowest score that a task can ask for, from -1000 to 1000 (proc(5), oom_score_adj). Below 0 the
	// container is spared at the cost of the host's own processes.
	OOMScoreAdj int `json:"oom_score_adj"`
	// PidsLimit is the most processes and threads that a container may hold (pids.max of its cgroup), and what it gets if
	// its task does not ask for fewer. It must be above 0.
	PidsLimit int64 `json:"pids_limit"`
	// Ulimits are the highest values per name that a task can ask for, in the unit of getrlimit(2); -1 is unlimited. Names
	// that are missing are rejected. For a task that does not ask, the engine's own limits hold, higher or not.
	Ulimits map[string]int64 `json:"ulimits,omitempty"`
	// ZeroUlimits are set to 0, soft and hard, for a task that does not ask. Lowering to 0 needs no right on any host.
	ZeroUlimits []string `json:"zero_ulimits,omitempty"`
}

// CapabilityRules say what a container may have of root's rights. Normalised names (CAP_CHOWN).
type CapabilityRules struct {
	// Base is what a container has when its task asks for nothing, Allow the most it can have.
	Base  []string `json:"base,omitempty"`
	Allow []string `json:"allow,omitempty"`
	// OnViolation is what happens to a capability that a task asks for beyond Allow: [Trim] (also when it is empty), the
	// container runs without it, or [Reject].
	OnViolation Action `json:"on_violation,omitempty"`
}

// ImageRules say which images may run.
type ImageRules struct {
	// Allow are patterns of repositories as Docker writes them in full ("docker.io/library/busybox",
	// "registry.example:5000/team/app"). A "**" at the end stands for everything below: "registry.example/**".
	Allow []string `json:"allow,omitempty"`
	// RequireDigest refuses references without a digest: a tag can be moved to another image.
	RequireDigest bool `json:"require_digest"`
}

// NetworkRules say which networks a container may be connected to, and how.
type NetworkRules struct {
	// Modes are "bridge", "none" and "host". An unset mode is never one of them.
	Modes []string `json:"modes,omitempty"`
	// Names are patterns of user networks. The name of a mode is none, so no pattern allows the host's network. A pattern
	// with '*' allows no name that consists of the digits 0 to 9 and a to f, which the engine could take for the start of
	// another network's ID; write such a name out.
	Names []string `json:"names,omitempty"`
	// Aliases lets a task choose names for its container on a user network.
	Aliases bool `json:"aliases"`
	// StaticAddresses lets a task choose its container's IP addresses; MACAddress the hardware address.
	StaticAddresses bool `json:"static_addresses"`
	MACAddress      bool `json:"mac_address"`
	// HostIPs are the addresses of the host that a port may be published on. A port without an address is published on
	// all of them.
	HostIPs []string `json:"host_ips,omitempty"`
	// HostGateway lets a task add the name of its choice for the host (add-host NAME:host-gateway).
	HostGateway bool `json:"host_gateway"`
}

// MountRules say what may be mounted beside the folders that the caller of [Policy.Review] names.
type MountRules struct {
	HostPaths []HostPath `json:"host_paths,omitempty"`
	// DeniedPaths are never mounted, nor is anything below or above them, whatever HostPaths say and in audit mode too: the agent's
	// work directory, the socket and the data of an engine that has them in unusual places. [BreakGlass] opens them like others.
	DeniedPaths []string `json:"denied_paths,omitempty"`
	// Volumes that a task may mount by name.
	Volumes []VolumeRule `json:"volumes,omitempty"`
	// AnonymousVolumes lets a task have volumes without a name, of the engine's local driver. They are on the engine's
	// disk, without a limit.
	AnonymousVolumes bool `json:"anonymous_volumes"`
	// ImageVolumes lets an image bring such volumes itself (VOLUME), as many ordinary ones do.
	ImageVolumes bool `json:"image_volumes"`
	// TmpfsSize is the largest tmpfs in bytes; more is trimmed, and a tmpfs without a size gets this one. With 0 none is
	// allowed. Its pages count towards the memory limit.
	TmpfsSize int64 `json:"tmpfs_size"`
	// TmpfsOptions are set for every tmpfs: any of "noexec", "nosuid" and "nodev". A task cannot ask for the contrary.
	TmpfsOptions []string `json:"tmpfs_options,omitempty"`
}

// HostPath allows bind mounts of a folder of the host and of everything below it.
//
// "/" allows nothing. Below a place such as /etc or /var/lib/docker (all of them: [deniedFolders]) it takes a Path that
// itself lies below that place: /etc/ssl/certs opens a part of /etc, /etc does not. The places in [neverMounted] are not
// opened by any Path of [MountRules].
//
// Here, paths are compared by their text. For where they lead see [HostBind].
type HostPath struct {
	Path string `json:"path"`
	// Writable allows mounts that are not read-only.
	Writable bool `json:"writable"`
}

// VolumeRule allows volumes of one driver by name.
type VolumeRule struct {
	// Driver is the name of the volume plugin; "local" is the engine's own.
	Driver string `json:"driver"`
	// Names are patterns of the volumes' names.
	Names []string `json:"names,omitempty"`
	// Options are the names of the driver's options that a task may set. Those of "local" are rejected all the same: they
	// can mount any folder of the host.
	Options []string `json:"options,omitempty"`
}

// DeviceRule allows devices of the host.
type DeviceRule struct {
	// Path is a pattern of paths on the host ("/dev/fuse", "/dev/ttyUSB*"). A folder stands for all devices in it, at any depth
	// (moby, oci/devices_linux.go, DevicesFromPath).
	Path string `json:"path"`
	// Permissions are the most that a task can have: letters of "rwm" (read, write, mknod).
	Permissions string `json:"permissions"`
}

// LogDriver allows a log driver of the engine.
type LogDriver struct {
	// Name of the driver; "" is the engine's default, whose options a task may then set.
	Name string `json:"name"`
	// Options are the names of the options that a task may set.
	Options []string `json:"options,omitempty"`
}
