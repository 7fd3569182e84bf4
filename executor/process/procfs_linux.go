package process

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// stat is what we need of /proc/<pid>/stat (proc_pid_stat(5)).
type stat struct {
	comm      string
	state     string // field 3: one letter; Z is a zombie
	parent    int    // field 4: its id, 0 outside of our PID namespace
	flags     uint64 // field 9
	startTime uint64 // field 22: clock ticks after boot
	exitCode  int    // field 52: a wait status; meaningful in state Z only
}

// dead reports whether the process is dead: a zombie, or being reaped.
func (st stat) dead() bool { return st.state == "Z" || st.state == "X" }

// Runs reports whether there is a process of that number in our PID namespace, and not just a zombie.
func Runs(pid int) bool {
	st, err := readStat(pid)
	return err == nil && !st.dead()
}

func procFile(pid int, name string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), name)
}

func readStat(pid int) (stat, error) {
	text, err := os.ReadFile(procFile(pid, "stat"))
	if err != nil {
		return stat{}, err
	}
	st, err := parseStat(string(text))
	if err != nil {
		return stat{}, fmt.Errorf("%s: %w", procFile(pid, "stat"), err)
	}
	return st, nil
}

// parseStat counts the fields from the last ')': the command name before it may
// contain anything, blanks and parentheses included.
func parseStat(text string) (stat, error) {
	open, end := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 0 || end < open {
		return stat{}, fmt.Errorf("no command name in %q", text)
	}
	fields := strings.Fields(text[end+1:]) // fields[0] is field 3
	if len(fields) < 50 {
		return stat{}, fmt.Errorf("%d fields, want 52", len(fields)+2)
	}
	parent, err := strconv.Atoi(fields[4-3])
	if err != nil {
		return stat{}, fmt.Errorf("parent: %w", err)
	}
	flags, err := strconv.ParseUint(fields[9-3], 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("flags: %w", err)
	}
	start, err := strconv.ParseUint(fields[22-3], 10, 64)
	if err != nil {
		return stat{}, fmt.Errorf("start time: %w", err)
	}
	code, err := strconv.Atoi(fields[52-3])
	if err != nil {
		return stat{}, fmt.Errorf("exit code: %w", err)
	}
	return stat{comm: text[open+1 : end], state: fields[0], parent: parent, flags: flags, startTime: start, exitCode: code}, nil
}

// namespaceIDs returns the process's ids in the PID namespaces from ours (first) to its
// own (last): the NSpid line of /proc/<pid>/status (proc_pid_status(5), Linux 4.1).
func namespaceIDs(pid int) ([]int, error) {
	text, err := os.ReadFile(procFile(pid, "status"))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(line, "NSpid:")
		if !ok {
			continue
		}
		var ids []int
		for field := range strings.FieldsSeq(rest) {
			id, err := strconv.Atoi(field)
			if err != nil {
				return nil, fmt.Errorf("%s: NSpid: %w", procFile(pid, "status"), err)
			}
			ids = append(ids, id)
		}
		return ids, nil
	}
	return nil, fmt.Errorf("%s: no NSpid line; Linux 4.1 with PID namespaces is needed", procFile(pid, "status"))
}
