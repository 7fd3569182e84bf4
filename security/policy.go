package security

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
)

// Policy is an immutable set of rules. The zero Policy allows no network and no capability; use [BuiltIn].
type Policy struct {
	source string
	rules  rules
}

// rules is the content of a policy. Its JSON form is what the policy's hash is made from, so every field that
// influences a decision has to be in it.
type rules struct {
	// BaseCapabilities is what a container has when its task asks for nothing, AllowedCapabilities the most it can have.
	// Normalised names (CAP_CHOWN), sorted.
	BaseCapabilities    []string `json:"base_capabilities"`
	AllowedCapabilities []string `json:"allowed_capabilities"`
	// NetworkModes that a container may be created with.
	NetworkModes []string `json:"network_modes"`
	// NoNewPrivileges stops setuid binaries and file capabilities from adding rights (prctl(2), PR_SET_NO_NEW_PRIVS).
	NoNewPrivileges bool `json:"no_new_privileges"`
	// PidsLimit is the most processes and threads that a container may hold (pids.max of its cgroup).
	PidsLimit int64 `json:"pids_limit"`
	// Init is the value for a task that says nothing about an init process.
	Init bool `json:"init"`
	// NoSwap limits memory and swap together to the memory limit.
	NoSwap bool `json:"no_swap"`
	// Ulimits are the highest values per name that a task can ask for, in the unit of getrlimit(2); -1 is unlimited. Names
	// that are missing are rejected. For a task that does not ask, the engine's own limits hold, higher or not.
	Ulimits map[string]int64 `json:"ulimits"`
	// ZeroUlimits are set to 0, soft and hard, for a task that does not ask. Lowering to 0 needs no right on any host.
	ZeroUlimits []string `json:"zero_ulimits"`
}

// BuiltIn returns the policy that holds when the operator gave no other.
//
//   - networks bridge and none;
//   - 12 capabilities: the 14 that Docker grants by default less NET_RAW and MKNOD; others are trimmed;
//   - no-new-privileges, at most 4096 processes, no swap, no core dumps, no Docker health check, no init unless the
//     task asks for one;
//   - bind mounts only from the folders that the caller names, never privileged, no devices, no other namespaces.
func BuiltIn() Policy {
	capabilities := []string{
		"CAP_AUDIT_WRITE", "CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL",
		"CAP_NET_BIND_SERVICE", "CAP_SETFCAP", "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT",
	}
	return Policy{source: "built-in", rules: rules{
		BaseCapabilities:    capabilities,
		AllowedCapabilities: capabilities,
		NetworkModes:        []string{"bridge", "none"},
		NoNewPrivileges:     true,
		PidsLimit:           4096,
		NoSwap:              true,
		ZeroUlimits:         []string{"core"},
		Ulimits: map[string]int64{
			"core":       0,        // a dump is written by the host's core_pattern handler, outside the container's limits
			"cpu":        -1,       // these only ever take away from the task itself, or are bounded by its cgroup
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
		},
	}}
}

// Hash names the policy: where it comes from and the first 12 hexadecimal digits of the SHA-256 of its rules. Equal rules
// have equal hashes on every host.
func (p Policy) Hash() string {
	// rules holds only strings, numbers and booleans; json sorts map keys, so this neither fails nor varies.
	canonical, _ := json.Marshal(p.rules)
	sum := sha256.Sum256(canonical)
	source := p.source
	if source == "" {
		source = "none"
	}
	return source + ":" + hex.EncodeToString(sum[:])[:12]
}
