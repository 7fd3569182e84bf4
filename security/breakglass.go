package security

// BreakGlass lifts denials that hold whatever the rest of the [Rules] say, in audit mode too. Each use is a finding with the
// action [Lift]. Privileged containers are not among what can be lifted.
type BreakGlass struct {
	// Reason and Expires are for the findings: why the denials were lifted, and the last day on which they are
	// ("2027-01-31"). Whoever makes the Rules leaves an expired entry out; nothing here reads a clock.
	Reason  string `json:"reason,omitempty"`
	Expires string `json:"expires,omitempty"`
	// HostNamespaces that a task may share with the host: any of "ipc", "pid" and "userns".
	HostNamespaces []string `json:"host_namespaces,omitempty"`
	// Paths of the host that no [MountRules].HostPaths open: an engine's socket, the folders of [neverMounted] and
	// [deniedFolders], the policy's own denied paths. Each opens itself and what is below it; "/" opens nothing. Sockets take
	// what is written to them in read-only mounts, too.
	Paths []HostPath `json:"paths,omitempty"`
	// Unconfined are confinements that a task may switch off: any of "apparmor", "seccomp", "selinux" and "systempaths".
	Unconfined []string `json:"unconfined,omitempty"`
	// Propagation of mounts that a task may ask for: any of "rshared", "rslave", "shared" and "slave".
	Propagation []string `json:"propagation,omitempty"`
}
