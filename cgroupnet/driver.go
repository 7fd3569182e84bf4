package cgroupnet

import (
	"context"
	"errors"
	"fmt"
)

// Driver gives leaves their network class in one of the kernel's ways. [Support.Driver] returns one.
//
// A class is a 32-bit number 0xAAAABBBB as tc(8) has it, major and minor. Refused, before anything is looked at, are those with a
// half of 0 or 0xffff: 0 is no class, the others are not classes but qdiscs to tc, or its own marks (linux/pkt_sched.h:
// TC_H_ROOT, TC_H_UNSPEC).
//
// All methods may be called from any goroutine. None of them changes a cgroup that the calling process is in.
type Driver interface {
	// Name is the kernel's name of the way: "net_cls".
	Name() string

	// Assign gives the class to the leaf that [Prepare] made and reads it back. To be called before the container is started: a
	// cgroup takes its parent's class when it is made, and never again. It is fine when the leaf has the class already. Errors:
	// [ForeignClassError] when it has another one, [ErrLeafGone] when it is not there.
	Assign(leaf Placement, class uint32) error

	// Verify checks that each of the processes is in the leaf or in a cgroup below it, and that its cgroup has the class. Pass
	// pids that were found in the leaf's cgroup.procs, in whatever hierarchy: one that is in the leaf in no hierarchy
	// any more has ended and its number was given away again, so nothing is said of it. Processes that have ended, zombies included,
	// are fine; a pid that is not positive is refused before anything is looked at. The first process that is elsewhere, or without its
	// class, is the error: a [MisplacedError].
	Verify(leaf Placement, class uint32, pids ...int) error

	// Watch gives the class back to the leaf and to the cgroups below it whenever one of them loses it, and tells
	// lost, which is called in the same goroutine and must not block. It blocks until ctx ends or the leaf is gone, which
	// are both no errors; an error means that nothing is watched any more.
	Watch(ctx context.Context, leaf Placement, class uint32, lost func(Loss)) error
}

// Loss tells that a cgroup had lost its class.
type Loss struct {
	Cgroup string // its path, as [Placement.Path]
	Found  uint32 // the class it had instead
	Err    error  // why it could not be given its own class back; nil: it has it again
}

// Tagged is a cgroup with a network class, as [ListTagged] returns it.
type Tagged struct {
	Path  string // as [Placement.Path]
	Class uint32 // 0 only for leaves without a class
	PIDs  []int  // of the processes in it, and in the cgroups below it that have no row of their own; ascending
}

// ErrLeafGone says that the leaf is not there: [Prepare] did not make it, or something removed it meanwhile.
var ErrLeafGone = errors.New("the leaf cgroup is gone, something else than the executor removed it; launch the task again")

// ForeignClassError says that a leaf has a network class that is not the task's.
type ForeignClassError struct {
	Folder string // of the leaf, with the mount point
	Found  uint32
	Want   uint32
	Nested bool // the leaf is below the executor's own cgroup
}

func (e *ForeignClassError) Error() string {
	text := fmt.Sprintf("%s has network class 0x%08x already, which is not the task's 0x%08x; ", e.Folder, e.Found, e.Want)
	if e.Nested {
		return text + "an agent with the isolator cgroups/net_cls and --cgroups_net_cls_primary_handle gives its executors a class of its own, " +
			"which the leaf below inherits: run the agent without the handle"
	}
	return text + "find out what gives classes to cgroups there, and stop it"
}

// MisplacedError says that a process of a task has not the task's network class.
type MisplacedError struct {
	PID    int
	Cgroup string // where it is in the net_cls hierarchy
	Leaf   string // where it should be, or below
	Found  uint32 // the class of Cgroup
	Want   uint32
}

func (e *MisplacedError) Error() string {
	if !inside(e.Cgroup, e.Leaf) {
		return fmt.Sprintf("process %d is in the net_cls cgroup %s (class 0x%08x), not in its leaf %s (class 0x%08x); "+
			"a Docker daemon whose mount namespace lacks net_cls, or that is confined to a cgroup namespace, puts containers there: mount net_cls before it starts",
			e.PID, e.Cgroup, e.Found, e.Leaf, e.Want)
	}
	return fmt.Sprintf("process %d is in the net_cls cgroup %s, which has class 0x%08x instead of 0x%08x; find out what changes classes there",
		e.PID, e.Cgroup, e.Found, e.Want)
}

// checkClass accepts the classes that a container can have.
func checkClass(class uint32) error {
	major, minor := uint16(class>>16), uint16(class)
	if major == 0 || major == 0xffff || minor == 0 || minor == 0xffff {
		return fmt.Errorf("0x%08x is no network class for a container: neither half may be 0 or 0xffff", class)
	}
	return nil
}
