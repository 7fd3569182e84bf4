package security

// BuiltIn returns the policy that holds when the operator gave no other: [BuiltInRules].
func BuiltIn() Policy { return New("built-in", BuiltInRules()) }

// BuiltInRules returns the rules of the built-in policy. docs/policy.md lists what they come to.
//
//   - networks bridge and none;
//   - 12 capabilities: the 14 that Docker grants by default less NET_RAW and MKNOD; others are trimmed;
//   - no-new-privileges, at most 4096 processes, no swap, no core dumps, no Docker health check, no init unless the
//     task asks for one;
//   - bind mounts only from the folders that the caller names, tmpfs up to 1 GiB, no volumes but those that an image brings;
//   - never privileged, no devices, no namespaces of the host's or of other containers.
func BuiltInRules() Rules {
	capabilities := func() []string {
		return []string{
			"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
			"CAP_NET_BIND_SERVICE", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
		}
	}
	return Rules{
		Capabilities:     CapabilityRules{Base: capabilities(), Allow: capabilities(), OnViolation: Trim},
		Images:           ImageRules{Allow: []string{"**"}},
		NoNewPrivileges:  true,
		AppArmorProfiles: []string{"docker-default"},
		DeniedGroups:     hostPowerfulGroups(),
		Network:          NetworkRules{Modes: []string{"bridge", "none"}},
		Mounts:           MountRules{ImageVolumes: true, TmpfsSize: 1 << 30, TmpfsOptions: []string{"noexec", "nosuid", "nodev"}},
		Sysctls:          baselineSysctls(),
		// These choose devices where the engine's default runtime is NVIDIA's. MESOS_*, MARATHON_* and all others pass: what
		// they do, they do inside the container.
		DeniedEnvironment: []string{
			"NVIDIA_VISIBLE_DEVICES", "NVIDIA_MIG_CONFIG_DEVICES", "NVIDIA_MIG_MONITOR_DEVICES", "NVIDIA_IMEX_CHANNELS",
		},
		NoSwap:      true,
		ShmSize:     1 << 30,
		PidsLimit:   4096,
		Ulimits:     highestUlimits(),
		ZeroUlimits: []string{"core"},
	}
}

// baselineSysctls is what the baseline of Kubernetes' Pod Security Standards allows (k8s.io/pod-security-admission, policy
// versions 1.0 to 1.29): all of them belong to a namespace of the container. tcp_rmem and tcp_wmem of version 1.32 are
// left out, since cgroup v1 does not count socket buffers towards the memory limit.
func baselineSysctls() []string {
	return []string{
		"kernel.shm_rmid_forced",
		"net.ipv4.ip_local_port_range",
		"net.ipv4.ip_local_reserved_ports",
		"net.ipv4.ip_unprivileged_port_start",
		"net.ipv4.ping_group_range",
		"net.ipv4.tcp_fin_timeout",
		"net.ipv4.tcp_keepalive_intvl",
		"net.ipv4.tcp_keepalive_probes",
		"net.ipv4.tcp_keepalive_time",
		"net.ipv4.tcp_syncookies",
	}
}

// hostPowerfulGroups own files on hosts by which their members become root there. The numbers are Debian's fixed ones
// (base-passwd), which Docker looks up inside the image only by name.
func hostPowerfulGroups() []string {
	return []string{
		"0", "root",
		"6", "disk",
		"15", "kmem",
		"42", "shadow",
		"docker", "kvm", "libvirt", "lxd", "podman", "sudo", "wheel",
	}
}

func highestUlimits() map[string]int64 {
	return map[string]int64{
		"as":         -1,       // these only ever take away from the task itself, or are bounded by its cgroup
		"core":       0,        // a dump is written by the host's core_pattern handler, outside the container's limits
		"cpu":        -1,       //
		"data":       -1,       //
		"fsize":      -1,       //
		"locks":      -1,       // without effect since Linux 2.4
		"memlock":    64 << 20, // bytes
		"msgqueue":   819200,   // bytes; Linux's default (MQ_BYTES_MAX)
		"nice":       0,        // anything above lets the task raise its priority without CAP_SYS_NICE
		"nofile":     65536,
		"nproc":      8192, // counted per user over the whole host
		"rss":        -1,   // without effect since Linux 2.4.30
		"rtprio":     0,    // anything above gives real-time scheduling without CAP_SYS_NICE
		"rttime":     -1,
		"sigpending": 65536,
		"stack":      -1,
	}
}
