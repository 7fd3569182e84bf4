package hostcheck

import "fmt"

// NestedLeaf is what has to hold so that in custom mode the agent ends a container together with its executor: the task's cgroup is made
// below the executor's own, which the agent's launcher owns (package cgroupnet, Place).
type NestedLeaf struct {
	Freezer string // mount point of the freezer hierarchy of cgroup v1, "" if there is none
	Root    string // the agent's --cgroups_root, "mesos" by default
	Found   bool   // the agent's cgroup is there, below Freezer
	Err     error  // why it is not known
}

// Line needs to know the engine's cgroup driver ("" if that is not known) and whether an agent that could run the executor in
// custom mode is there.
func (n NestedLeaf) Line(driver string, custom bool) Line {
	l := lines{subject: "agent"}
	const name, outlives = "nested leaf", "in custom mode a container outlives an executor that is killed, until the next one starts"
	switch {
	case !custom:
		l.ok(name, "not needed: no agent here has the Mesos containerizer, which custom mode is for")
	case n.Err != nil:
		l.warn(name, fmt.Sprintf("not known: %v", n.Err), "run doctor as root")
	case n.Freezer == "":
		l.warn(name, "no freezer hierarchy of cgroup v1: "+outlives, "use drop-in mode, or boot with cgroup v1")
	case driver != "" && driver != "cgroupfs":
		l.warn(name, fmt.Sprintf("Docker's cgroup driver is %s: %s", driver, outlives), "use drop-in mode, or Docker's cgroup driver cgroupfs")
	case !n.Found:
		l.warn(name, fmt.Sprintf("%s/%s is not there: %s", n.Freezer, n.Root, outlives),
			"start the agent with --launcher=linux; it makes the cgroup itself")
	default:
		l.ok(name, fmt.Sprintf("%s/%s is there: in custom mode the agent ends a container with its executor", n.Freezer, n.Root))
	}
	return l.all[0]
}
