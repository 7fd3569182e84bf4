package process

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
)

// Process is what messages say of a process.
type Process struct {
	PID         int    // in our PID namespace; 0 when it is in one that we cannot see
	State       string // one letter of proc_pid_stat(5): R, S, D (uninterruptible), T, Z, ...
	Comm        string // command name as the process set it, at most 15 bytes, unprintable bytes escaped
	WaitChannel string // kernel function it sleeps in, "" if none or unknown
}

func (p Process) String() string {
	s := fmt.Sprintf("%d (%s) state %s", p.PID, p.Comm, p.State)
	if p.WaitChannel != "" {
		s += " in " + p.WaitChannel
	}
	return s
}

// Processes lists the processes of the leaf and of all cgroups below it, by id; none when
// the leaf does not exist. Zombies are left out: they are dead, and wait only for
// their parent to ask for the status.
func (l *Leaf) Processes() ([]Process, error) {
	pids, err := l.pids()
	if err != nil {
		return nil, err
	}
	var ps []Process
	for pid := range pids {
		if pid <= 0 {
			ps = append(ps, Process{State: "?", Comm: "in another PID namespace"})
			continue
		}
		st, err := readStat(pid)
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !st.dead() {
			ps = append(ps, st.describe(pid))
		}
	}
	slices.SortFunc(ps, func(a, b Process) int { return cmp.Compare(a.PID, b.PID) })
	return ps, nil
}

func (st stat) describe(pid int) Process {
	comm := fmt.Sprintf("%q", st.comm)
	return Process{PID: pid, State: st.state, Comm: comm[1 : len(comm)-1], WaitChannel: waitChannel(pid)}
}

// waitChannel reads /proc/<pid>/wchan, which is "0" for a process that does not
// sleep in the kernel and for readers that may not know (proc_pid_wchan(5)).
func waitChannel(pid int) string {
	text, err := os.ReadFile(procFile(pid, "wchan"))
	if err != nil {
		return ""
	}
	return strings.TrimPrefix(string(text), "0")
}
