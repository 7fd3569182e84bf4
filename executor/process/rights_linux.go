package process

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Rights are what a process may do, as /proc shows it. [Rights.Exceeds] compares them with what was decided.
//
// Linux keeps most of them for each thread by itself. These are those of the process's first thread (of the first that
// lives, when that one has ended), so they tell what the engine gave a container. A program that gives rights up in
// that thread and keeps them in another one, or in another process, is not seen through.
type Rights struct {
	// The sets of capabilities(7): bit n is the capability with number n. They hold in the process's user namespace.
	Effective, Permitted, Inheritable, Bounding, Ambient uint64

	NoNewPrivs bool // no execve(2) gives it more rights (PR_SET_NO_NEW_PRIVS)
	Seccomp    int  // mode of seccomp(2): 0 none, 1 strict, 2 filter

	// The ids, in our user namespace: real, effective, saved, filesystem.
	UIDs, GIDs [4]int
	Groups     []int // supplementary groups; nil when there are none

	// Namespaces are the inode numbers of the namespaces that it is in (namespaces(7)), by kind: "cgroup", "ipc", "mnt", "net",
	// "pid", "user", "uts". A kind that the kernel does not have is missing.
	Namespaces map[string]uint64

	// Shared are the kinds, sorted, that are no wall between it and the host: its namespace is that of process 1 or of
	// its own parent, which is the shim and so in the namespaces of the engine, or the kernel has no such namespaces.
	Shared []string

	// RootUID is the id, in our user namespace, of the container's root: 0, or another one where the engine gives its containers
	// a user namespace (userns-remap). -1 when there is none, or with OwnUserNamespace when it cannot be told.
	RootUID int

	// OwnUserNamespace says that the program has made itself a user namespace, and is in it. The kernel gave it
	// every capability there, for what belongs to that namespace; over anything else it has none. Who is root in the
	// container cannot be told any more when the engine had given it a user namespace before.
	OwnUserNamespace bool

	// Label is what the security modules call it (/proc/<pid>/attr/current): an AppArmor profile with its mode or an SELinux
	// context; "" without such a module.
	Label string
}

// ErrNotExecuted says that the init process is still the engine's own program, which has other rights than the
// container's will have.
var ErrNotExecuted = errors.New("the container's own program has not begun")

// Rights reads the rights of the init process: some dozens of system calls, which take a fifth of a millisecond.
//
// The error wraps os.ErrProcessDone when the process is dead or about to be, [ErrNotExecuted] before it has executed
// the container's program, os.ErrClosed after Close. The engine may answer the start a moment before that
// execve(2): ask again then. Whether a program was executed is the kernel's word, not a name that a process can
// give itself.
func (i *Init) Rights() (Rights, error) {
	r, err := i.readRights()
	// The pidfd's process has lived to this point, so the id meant it all the time.
	dead := false
	if closed := control(i.pidfd, func(fd int) error { dead = exited(fd); return nil }); closed != nil {
		err = closed
	} else if dead {
		err = os.ErrProcessDone
	}
	if err != nil {
		return Rights{}, fmt.Errorf("read the rights of init process %d: %w", i.PID, err)
	}
	return r, nil
}

// rightsTries is how often [Init.Rights] looks when the thread that it looks at, or the parent, ends meanwhile.
const rightsTries = 10

func (i *Init) readRights() (Rights, error) {
	var last error
	for range rightsTries {
		before, err := i.firstThread()
		if errors.Is(err, os.ErrProcessDone) {
			// Or another thread took the first one's place by its execve(2) just as they were looked through.
			last = err
			continue
		}
		if err != nil {
			return Rights{}, err
		}
		r, err := before.rights()
		after, lost := i.firstThread()
		// A thread that ends loses its namespaces first. A parent that is the same was so all the time: when it ends
		// its children get another one before its id is free.
		if lost == nil && after == before {
			return r, err
		}
		last = cmp.Or(lost, errors.New("another thread was its first one, or another process its parent, each time"))
	}
	return Rights{}, last
}

// thread is a living thread of a process that has executed its program.
type thread struct {
	folder string // in /proc
	parent int    // id of the process's parent; 0 outside of our PID namespace
}

// Flags of field 9 of proc_pid_stat(5), which the kernel's include/linux/sched.h names PF_EXITING and PF_FORKNOEXEC; ps(1) shows
// the latter, too. It stands from clone(2) to the first execve(2). runc's init is a clone of a process that has
// executed runc, and executes nothing before the container's program.
const (
	flagExiting    = 0x4
	flagForkNoExec = 0x40
)

// firstThread returns the first thread that is not ending.
func (i *Init) firstThread() (thread, error) {
	t, flags, err := readThread(procFile(i.PID, ""))
	switch {
	case gone(err):
		return thread{}, os.ErrProcessDone
	case err != nil:
		return thread{}, err
	case flags&flagForkNoExec != 0:
		return thread{}, ErrNotExecuted
	case flags&flagExiting == 0:
		return t, nil
	}
	// Others may run on. Of them the flag tells nothing: they are threads that a program has made.
	entries, err := os.ReadDir(procFile(i.PID, "task"))
	if err != nil && !gone(err) {
		return thread{}, err
	}
	for _, entry := range entries {
		t, flags, err := readThread(filepath.Join(procFile(i.PID, "task"), entry.Name()))
		if err == nil && flags&flagExiting == 0 {
			return t, nil
		}
		if err != nil && !gone(err) {
			return thread{}, err
		}
	}
	return thread{}, os.ErrProcessDone
}

func readThread(folder string) (t thread, flags uint64, err error) {
	text, err := os.ReadFile(filepath.Join(folder, "stat"))
	if err != nil {
		return thread{}, 0, err
	}
	line := string(text)
	st, err := parseStat(line)
	if err == nil {
		fields := strings.Fields(line[strings.LastIndexByte(line, ')')+1:]) // fields[0] is field 3
		flags, err = strconv.ParseUint(fields[9-3], 10, 64)
	}
	if err != nil {
		return thread{}, 0, fmt.Errorf("%s: %w", filepath.Join(folder, "stat"), err)
	}
	return thread{folder: folder, parent: st.parent}, flags, nil
}

func (t thread) rights() (Rights, error) {
	text, err := os.ReadFile(filepath.Join(t.folder, "status"))
	if err != nil {
		return Rights{}, err
	}
	r, err := parseRights(string(text))
	if err != nil {
		return Rights{}, fmt.Errorf("%s: %w", filepath.Join(t.folder, "status"), err)
	}
	if r.Namespaces, err = namespaces(t.folder); err != nil {
		return Rights{}, err
	}
	host, err := hostNamespaces()
	if err != nil {
		return Rights{}, err
	}
	if r.Shared, err = t.shared(r.Namespaces, host); err != nil {
		return Rights{}, err
	}
	if r.Namespaces["user"] != host["user"] {
		if err := t.mapUsers(&r, host["user"]); err != nil {
			return Rights{}, err
		}
	}
	r.Label = t.label()
	return r, nil
}

// parseRights reads /proc/<pid>/status (proc_pid_status(5)). The command name in it cannot imitate a line: the kernel
// escapes its line breaks.
func parseRights(text string) (Rights, error) {
	var r Rights
	sets := map[string]*uint64{
		"CapInh": &r.Inheritable, "CapPrm": &r.Permitted, "CapEff": &r.Effective, "CapBnd": &r.Bounding, "CapAmb": &r.Ambient,
	}
	missing := map[string]bool{"Uid": true, "Gid": true, "Groups": true, "NoNewPrivs": true}
	for name := range sets {
		missing[name] = true
	}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		var err error
		switch name {
		case "Uid":
			err = parseIDs(value, &r.UIDs)
		case "Gid":
			err = parseIDs(value, &r.GIDs)
		case "Groups":
			r.Groups, err = parseNumbers(value)
		case "NoNewPrivs":
			r.NoNewPrivs, err = strconv.ParseBool(value)
		case "Seccomp": // missing in a kernel without seccomp
			r.Seccomp, err = strconv.Atoi(value)
		default:
			set := sets[name]
			if set == nil {
				continue
			}
			*set, err = strconv.ParseUint(value, 16, 64)
		}
		if err != nil {
			return Rights{}, fmt.Errorf("%s: %w", name, err)
		}
		delete(missing, name)
	}
	for name := range missing {
		return Rights{}, fmt.Errorf("no line %s; Linux 4.10 is needed", name)
	}
	return r, nil
}

func parseIDs(text string, ids *[4]int) error {
	numbers, err := parseNumbers(text)
	if err == nil && len(numbers) != len(ids) {
		err = fmt.Errorf("%d ids, want %d", len(numbers), len(ids))
	}
	copy(ids[:], numbers)
	return err
}

func parseNumbers(text string) (numbers []int, err error) {
	for field := range strings.FieldsSeq(text) {
		n, err := strconv.ParseUint(field, 10, 32)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, int(n))
	}
	return numbers, nil
}

// label is for people only, so that one that cannot be read is none.
func (t thread) label() string {
	text, err := os.ReadFile(filepath.Join(t.folder, "attr", "current"))
	if err != nil { // EINVAL without a security module that has labels
		return ""
	}
	return strings.TrimRight(string(text), "\n\x00")
}
