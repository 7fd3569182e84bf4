package cgroupnet

import (
	"context"
	"errors"
	"fmt"
	"path"
	"time"
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

	// Verify checks that each of the processes is in the leaf or in a cgroup below it, and that this cgroup has the class. A process is
	// where its first thread is.
	//
	// Pass pids that were found in the leaf's cgroup.procs of some hierarchy. One that is in the leaf in no hierarchy is taken for a number
	// that was given away again after its process ended, and nothing is said of it. One that has ended, a zombie included, is fine. One
	// that is not positive is refused before anything is looked at.
	//
	// The first process that is elsewhere or has another class is the error, a [MisplacedError], when it is so for the time settle: give
	// [Settle] for processes of which any may be one that is just being started.
	Verify(leaf Placement, class uint32, settle time.Duration, pids ...int) error

	// Watch gives the class back to the leaf and to the cgroups below it whenever one of them loses it, and then tells
	// lost, which is called in the same goroutine: nothing is watched while it blocks. A class that is lost again and again comes back after a pause of up to
	// 10 s. It blocks until ctx ends or the leaf is gone, which are both no errors; an error means that nothing is watched any more.
	// It takes an inotify instance; when there is none it looks every 30 s.
	Watch(ctx context.Context, leaf Placement, class uint32, lost func(Loss)) error
}

// Settle is how long a process may be in the leaf of some hierarchies and not yet of net_cls: runc puts one that it starts into one after
// the other, before it executes anything of the container's.
const Settle = 200 * time.Millisecond

// Loss tells that a cgroup had lost its class.
type Loss struct {
	Cgroup string // its path, as [Placement.Path]
	Found  uint32 // the class it had instead
	Err    error  // why it could not be given its own class back; nil: it has it again
}

// Tagged is a row of [ListTagged].
type Tagged struct {
	Path  string // of the cgroup, as [Placement.Path]
	Class uint32 // 0: a leaf without a class, or a cgroup in a leaf that has lost it
	PIDs  []int  // processes in the cgroup, and in those below that have no row of their own; ascending
}

// ErrLeafGone says that the leaf is not there: [Prepare] did not make it, or something removed it meanwhile.
var ErrLeafGone = errors.New("the leaf cgroup is gone, something else than the executor removed it; launch the task again")

// ForeignClassError says that a leaf has a network class that is not the task's.
type ForeignClassError struct {
	Folder string // of the leaf, with the mount point
	Found  uint32
	Want   uint32

	// Inherited says that the cgroup above has the class, too; a new cgroup takes it from there.
	Inherited bool
}

func (e *ForeignClassError) Error() string {
	text := fmt.Sprintf("%s has the network class 0x%08x already, not the task's 0x%08x", e.Folder, e.Found, e.Want)
	above := path.Dir(e.Folder)
	switch {
	case e.Inherited && path.Base(e.Folder) == "task":
		return text + ", from the executor's own cgroup " + above + "; the agent's isolator cgroups/net_cls gives its executors one when " +
			"--cgroups_net_cls_primary_handle is set: run the agent without that flag, or without the isolator"
	case e.Inherited:
		return text + ", from " + above + "; find out what gives it one, and write 0 to net_cls.classid there"
	}
	return text + "; find out what gives classes to cgroups below " + above
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
