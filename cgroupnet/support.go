package cgroupnet

// Support is what the host offers for network classes, as [Probe] found it.
type Support struct {
	// Mode is how the host's cgroups are mounted at /sys/fs/cgroup: "legacy" (v1), "hybrid" (v1, and v2 without controllers in
	// /sys/fs/cgroup/unified), "unified" (v2 only) or "unavailable" (nothing there).
	Mode string

	// Kernel says that the kernel has the net_cls controller and that it is enabled.
	Kernel bool

	// NetCLS is the net_cls hierarchy, nil when it cannot be used.
	NetCLS *Hierarchy

	// Problem says why NetCLS is nil. It is nil when NetCLS is not.
	Problem *UnsupportedError
}

// Lack is a kind of reason why a host cannot give containers a network class.
type Lack string

// The reasons, in the order in which [Probe] looks for them. When there are several mounts, it is the one that is nearest to being usable.
const (
	// LackController: the kernel was built without CONFIG_CGROUP_NET_CLASSID.
	LackController Lack = "no controller"
	// LackEnabled: a parameter of the kernel, cgroup_disable= or cgroup_no_v1=, switches the controller off.
	LackEnabled Lack = "disabled"
	// LackV1: only cgroup v2 is mounted, which has no net_cls. runc puts no container into a v1 cgroup there, even if one is mounted elsewhere.
	LackV1 Lack = "unified"
	// LackMount: the hierarchy is mounted nowhere.
	LackMount Lack = "not mounted"
	// LackImitated: as LackMount, and there is a plain folder of its name that something wrote into as if it were mounted.
	LackImitated Lack = "imitated"
	// LackWhole: only a part of the hierarchy is mounted, as containers have it.
	LackWhole Lack = "partly mounted"
	// LackVisible: another mount hides the hierarchy's.
	LackVisible Lack = "hidden"
	// LackPlace: it is mounted where runc does not look.
	LackPlace Lack = "mounted elsewhere"
	// LackWritable: it is mounted read-only.
	LackWritable Lack = "read-only"
)

// UnsupportedError says why the host cannot give containers a network class.
type UnsupportedError struct {
	Kind    Lack
	Missing string // what is missing, with the folder that is concerned
	Remedy  string // what the operator does about it
}

func (e *UnsupportedError) Error() string {
	return "this host cannot give containers a network class: " + e.Missing + "; " + e.Remedy
}
