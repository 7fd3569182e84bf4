package trust

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"mesos-docker-executor/executor/rootpath"
)

// Target is where the agent is said to be.
type Target struct {
	// Pinned says that the operator named it.
	Pinned bool
	// Endpoint is the agent's address; not looked at if there is a Socket.
	Endpoint netip.AddrPort
	// Socket is the path of the agent's Unix socket, and Dial how to connect to
	// it. One that is not pinned comes from [AtSocket].
	Socket string
	Dial   func(ctx context.Context, path string) (net.Conn, error)
	// Unsafe is why others than root can change what Socket leads to, nil if
	// they cannot. It continues a sentence that begins with the path.
	Unsafe error
}

// AtSocket is the target of a path that is not pinned. Its Socket is the path
// without symbolic links, for everybody who connects: a link may be a task's,
// which could lead this package to one socket and the session to another.
// workDir is the agent's, resolved. It looks at the file system, and so may block
// for as long as that does.
func AtSocket(path, workDir string, dial func(context.Context, string) (net.Conn, error)) Target {
	where, err := rootpath.Resolve(path, workDir)
	return Target{Socket: where, Dial: dial, Unsafe: err}
}

// String names the target in messages.
func (t Target) String() string {
	if t.Socket != "" {
		return t.Socket
	}
	return t.Endpoint.String()
}

// Verdict says whether a target is the agent that started this process.
type Verdict struct {
	Trusted bool
	Why     string // half a sentence about the target
}

// Process is an ancestor of this process.
type Process struct {
	PID  int
	Name string // as in /proc/<pid>/comm
}

func (p Process) String() string { return fmt.Sprintf("%d (%s)", p.PID, p.Name) }

// listener is a listening TCP socket.
type listener struct {
	address netip.AddrPort
	inode   uint64
}

// evidence is all that a verdict depends on.
type evidence struct {
	target    Target
	ancestors []Process // nearest first, without process 1
	missing   error     // what could not be found out

	local     bool               // TCP: the address is one of this host's
	listeners []listener         // TCP: those that a connection to the target may reach
	holders   map[uint64]Process // TCP: which ancestor has a listener, by inode

	peer int // Unix: the process that listens; 0: in no pid namespace that we see
}

// decide is the rule.
func decide(e evidence) Verdict {
	switch {
	case e.target.Pinned:
		return Verdict{true, "is pinned in config.yaml"}
	case e.target.Unsafe != nil:
		return no("may be made, or replaced, by others than root: it %v", e.target.Unsafe)
	case len(e.ancestors) == 0 && e.missing == nil:
		return no("cannot be checked: the executor's parent is process 1; the agent that started it has ended, or runs as process 1 of a container")
	case e.missing != nil:
		return no("cannot be checked: %v", e.missing)
	case e.target.Socket != "":
		return decideSocket(e)
	default:
		return decideTCP(e)
	}
}

func decideTCP(e evidence) Verdict {
	switch {
	case !e.local:
		return no("is not an address of this host")
	case len(e.listeners) == 0:
		return no("has nobody listening in the executor's network namespace")
	}
	var holder Process
	for _, l := range e.listeners {
		var found bool
		if holder, found = e.holders[l.inode]; !found {
			return no("is listened on by a process that did not start the executor (its ancestors: %s)", names(e.ancestors))
		}
	}
	return Verdict{true, fmt.Sprintf("is listened on by process %s, which started the executor", holder)}
}

func decideSocket(e evidence) Verdict {
	at := slices.IndexFunc(e.ancestors, func(p Process) bool { return p.PID == e.peer })
	switch {
	case e.peer == 0:
		return no("is listened on by a process outside of the executor's pid namespace")
	case at < 0:
		return no("is listened on by process %d, which did not start the executor (its ancestors: %s)", e.peer, names(e.ancestors))
	}
	return Verdict{true, fmt.Sprintf("is listened on by process %s, which started the executor", e.ancestors[at])}
}

func no(format string, args ...any) Verdict { return Verdict{false, fmt.Sprintf(format, args...)} }

func names(processes []Process) string {
	var list []string
	for _, p := range processes {
		list = append(list, p.String())
	}
	return strings.Join(list, ", ")
}

// reaches reports whether a connection to an address may end at a listener.
// Whether a socket on [::] takes IPv4 as well is not to be seen, so it is
// assumed.
func (l listener) reaches(target netip.AddrPort) bool {
	own, wanted := l.address.Addr().Unmap(), target.Addr().Unmap()
	if l.address.Port() != target.Port() {
		return false
	}
	return own == wanted || own.IsUnspecified() && (own.Is6() || wanted.Is4())
}
