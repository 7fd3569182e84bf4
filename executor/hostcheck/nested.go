package hostcheck

import "fmt"

// NestedLeaves is what has to hold so that in custom mode an agent ends a container together with its executor: the task's cgroup is made
// below the executor's own, which the agent's launcher owns (package cgroupnet, Place).
type NestedLeaves struct {
	Freezer string // mount point of the freezer hierarchy of cgroup v1, "" if there is none
	Err     error  // why it is not known
	Leaves  []NestedLeaf
}

// NestedLeaf is the place of an agent that could run the executor in custom mode.
type NestedLeaf struct {
	Root  string // the agent's --cgroups_root, "mesos" by default
	Found bool   // the agent's cgroup is there, below Freezer
	Err   error  // why it is not known
}

// Lines need to know the engine's cgroup driver ("" if that is not known).
func (n NestedLeaves) Lines(driver string) Lines {
	l := &lines{subject: "agent"}
	if len(n.Leaves) == 0 {
		l.ok("nested leaf", "not needed: no agent here is known to have the Mesos containerizer, which custom mode is for")
	}
	for _, leaf := range n.Leaves {
		n.one(leaf, driver, l)
	}
	return l.all
}

func (n NestedLeaves) one(leaf NestedLeaf, driver string, l *lines) {
	const name, outlives = "nested leaf", "in custom mode a container outlives an executor that is killed, until the next one starts"
	err := n.Err
	if err == nil {
		err = leaf.Err
	}
	switch {
	case err != nil:
		l.warn(name, fmt.Sprintf("not known: %v", err), "run doctor as root")
	case n.Freezer == "":
		l.warn(name, "no freezer hierarchy of cgroup v1: "+outlives, "use drop-in mode, or boot with cgroup v1")
	case driver != "" && driver != "cgroupfs":
		l.warn(name, fmt.Sprintf("Docker's cgroup driver is %s: %s", driver, outlives), "use drop-in mode, or Docker's cgroup driver cgroupfs")
	case !leaf.Found:
		l.warn(name, fmt.Sprintf("%s/%s is not there: %s", n.Freezer, leaf.Root, outlives),
			"start the agent with --launcher=linux; it makes the cgroup itself")
	default:
		l.ok(name, fmt.Sprintf("%s/%s is there: in custom mode the agent ends a container with its executor", n.Freezer, leaf.Root))
	}
}
