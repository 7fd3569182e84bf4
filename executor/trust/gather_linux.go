package trust

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// maxAncestors bounds the walk; real ones are 2 to 10 deep.
const maxAncestors = 64

// gather looks at the system.
func gather(ctx context.Context, t Target) evidence {
	e := evidence{target: t}
	if t.Pinned || t.Unsafe != nil {
		return e
	}
	if t.Socket != "" {
		return gatherSocket(ctx, e)
	}
	// The nearest ancestors first, and at once: they can end at any time.
	e.ancestors, e.missing = ancestors(os.Getppid())
	if len(e.ancestors) == 0 || e.missing != nil {
		return e
	}
	if e.local, e.missing = isLocal(t.Endpoint.Addr()); e.missing != nil || !e.local {
		return e
	}
	if e.listeners, e.missing = listenersAt(t.Endpoint); e.missing != nil || len(e.listeners) == 0 {
		return e
	}
	e.holders, e.missing = holders(e.ancestors, e.listeners)
	return e
}

// ancestors walks from a process up to process 1.
func ancestors(pid int) ([]Process, error) {
	var found []Process
	for pid > 1 && len(found) < maxAncestors {
		name, parent, err := readStat(pid)
		if err != nil {
			if len(found) > 0 && errors.Is(err, os.ErrNotExist) {
				return found, nil // it ended just now: its children are process 1's
			}
			return found, fmt.Errorf("process %d, an ancestor of the executor, cannot be looked at: %w", pid, err)
		}
		found = append(found, Process{pid, name})
		pid = parent
	}
	return found, nil
}

// readStat reads /proc/<pid>/stat: the name stands in brackets and may hold
// anything, the parent is the second field behind it (proc_pid_stat(5)).
func readStat(pid int) (name string, parent int, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", 0, err
	}
	begin, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if begin < 0 || end < begin {
		return "", 0, errors.New("its stat has another form")
	}
	fields := strings.Fields(string(data[end+1:]))
	if len(fields) < 2 {
		return "", 0, errors.New("its stat has another form")
	}
	parent, err = strconv.Atoi(fields[1])
	return printable(string(data[begin+1 : end])), parent, err
}

// printable keeps a process's name, which it chooses itself, on one line.
func printable(name string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return '?'
		}
		return r
	}, name)
}

// isLocal reports whether an address belongs to an interface of this network
// namespace.
func isLocal(address netip.Addr) (bool, error) {
	if address.IsLoopback() {
		return true, nil
	}
	list, err := net.InterfaceAddrs()
	if err != nil {
		return false, fmt.Errorf("the addresses of this host cannot be listed: %w", err)
	}
	for _, a := range list {
		prefix, err := netip.ParsePrefix(a.String())
		if err == nil && prefix.Addr().Unmap() == address.Unmap() {
			return true, nil
		}
	}
	return false, nil
}

// holders finds which of the ancestors have the listeners open. It stops when it
// has found all. An ancestor that ends meanwhile has none.
func holders(ancestors []Process, listeners []listener) (map[uint64]Process, error) {
	wanted := map[string]uint64{}
	for _, l := range listeners {
		wanted[fmt.Sprintf("socket:[%d]", l.inode)] = l.inode
	}
	found := map[uint64]Process{}
	for _, p := range ancestors {
		if err := search(p, wanted, found); err != nil && !errors.Is(err, os.ErrNotExist) {
			return found, fmt.Errorf("the open files of process %s cannot be listed: %w", p, err)
		}
		if len(wanted) == 0 {
			break
		}
	}
	return found, nil
}

// search moves what a process has open from wanted to found.
func search(p Process, wanted map[string]uint64, found map[uint64]Process) error {
	dir, err := os.Open(fmt.Sprintf("/proc/%d/fd", p.PID))
	if err != nil {
		return err
	}
	defer dir.Close()
	link := make([]byte, 64) // longer ones are no sockets
	for len(wanted) > 0 {
		names, err := dir.Readdirnames(256)
		for _, name := range names {
			n, err := unix.Readlinkat(int(dir.Fd()), name, link)
			if err != nil {
				continue // closed meanwhile
			}
			if inode, ok := wanted[string(link[:n])]; ok {
				found[inode] = p
				delete(wanted, string(link[:n]))
			}
		}
		if len(names) == 0 || err != nil {
			return nil
		}
	}
	return nil
}
