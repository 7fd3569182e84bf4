package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// namespaceKinds are the kinds that a container can have of its own, by their names in /proc/<pid>/ns.
func namespaceKinds() []string {
	return []string{"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"}
}

// namespaces reads the inode numbers of the namespaces that a process is in.
func namespaces(folder string) (map[string]uint64, error) {
	all := map[string]uint64{}
	for _, kind := range namespaceKinds() {
		name := filepath.Join(folder, "ns", kind)
		link, err := os.Readlink(name) // "net:[4026531840]"
		if errors.Is(err, os.ErrNotExist) {
			continue // also when the process is ending, which the caller looks for
		}
		if err != nil {
			return nil, err
		}
		number, isOne := strings.CutPrefix(link, kind+":[")
		inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64)
		if err != nil || !isOne {
			return nil, fmt.Errorf("%s is %q, want %s:[<number>]", name, link, kind)
		}
		all[kind] = inode
	}
	return all, nil
}

// hostNamespaces reads those of process 1. Ours stand in when we lack a capability that process 1 has, and so may not look
// (ptrace(2), access mode checking). Ours say less, as we may be in a container of the agent's.
func hostNamespaces() (map[string]uint64, error) {
	host, err := namespaces("/proc/1")
	if errors.Is(err, os.ErrPermission) {
		// A thread that has entered a namespace of a task runs no other goroutine than the one that did so; it may be
		// the first thread, of which /proc/self tells.
		return namespaces("/proc/thread-self")
	}
	return host, err
}

// shared finds the kinds in which the thread is not apart from the host.
func (t thread) shared(its, host map[string]uint64) ([]string, error) {
	parents := map[string]uint64{}
	if t.parent != 0 {
		var err error
		if parents, err = namespaces(procFile(t.parent, "")); err != nil {
			return nil, err
		}
	}
	var kinds []string
	for _, kind := range namespaceKinds() {
		if n := its[kind]; n == 0 || n == host[kind] || n == parents[kind] {
			kinds = append(kinds, kind)
		}
	}
	return kinds, nil
}

// mapUsers tells what the ids mean to a thread whose user namespace is not the host's.
func (t thread) mapUsers(r *Rights, host uint64) error {
	// A process never changes its PID namespace, so the owner of that one is the user namespace in which the
	// engine has made the container.
	engines, err := namespaceOwner(filepath.Join(t.folder, "ns", "pid"))
	if err != nil {
		return err
	}
	if engines == r.Namespaces["user"] {
		r.RootUID, err = readRootUID(t.folder)
		return err
	}
	r.OwnUserNamespace = true
	if engines != host {
		r.RootUID = -1
	}
	return nil
}

// namespaceOwner returns the inode number of the user namespace that a namespace belongs to (ioctl_ns(2), Linux 4.9).
func namespaceOwner(namespace string) (uint64, error) {
	f, err := os.Open(namespace)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	fd, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_USERNS)
	if err != nil {
		return 0, fmt.Errorf("find the owner of %s: %w", namespace, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return 0, fmt.Errorf("find the owner of %s: %w", namespace, err)
	}
	return st.Ino, nil
}

// readRootUID finds in uid_map (user_namespaces(7)) which of our users is root in the user namespace of a process; -1 when
// nobody is.
func readRootUID(folder string) (int, error) {
	name := filepath.Join(folder, "uid_map")
	text, err := os.ReadFile(name)
	if err != nil {
		return -1, err
	}
	for line := range strings.Lines(string(text)) {
		numbers, err := parseNumbers(line) // first id inside, first id outside, how many
		if err != nil || len(numbers) != 3 {
			return -1, fmt.Errorf("%s: %q is no mapping", name, line)
		}
		if numbers[0] == 0 {
			return numbers[1], nil
		}
	}
	return -1, nil
}
