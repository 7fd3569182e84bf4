//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// usage of a process, all its threads together.
type activity struct {
	cpu       float64 // seconds on a CPU since the process began
	voluntary float64 // context switches because a thread went to sleep
}

// activityOf adds up the threads of a process. The files of the process itself tell of its first thread only
// (Documentation/scheduler/sched-stats.rst, proc_pid_status(5)).
func activityOf(pid int) (activity, error) {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
	if err == nil && len(threads) == 0 {
		err = fmt.Errorf("process %d has ended", pid)
	}
	var sum activity
	for _, thread := range threads {
		if err != nil {
			break
		}
		var cpu, switches float64
		if cpu, err = read(filepath.Join(thread, "schedstat"), parseSchedstat); err == nil {
			switches, err = read(filepath.Join(thread, "status"), keyed("voluntary_ctxt_switches"))
		}
		sum.cpu += cpu
		sum.voluntary += switches
	}
	return sum, err
}

// memory of a process, in MB of 1,000,000 bytes.
type memory struct{ rss, anon, pss float64 }

func memoryOf(pid int) (m memory, err error) {
	status, rollup := fmt.Sprintf("/proc/%d/status", pid), fmt.Sprintf("/proc/%d/smaps_rollup", pid)
	for _, one := range []struct {
		to        *float64
		file, key string
	}{{&m.rss, status, "VmRSS"}, {&m.anon, status, "RssAnon"}, {&m.pss, rollup, "Pss"}} {
		kib, err := read(one.file, keyed(one.key))
		if err != nil {
			return memory{}, err
		}
		*one.to = kib * 1024 / 1e6
	}
	return m, nil
}

func read(path string, parse func(string) (float64, error)) (float64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	value, err := parse(string(text))
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	return value, nil
}

// parseSchedstat returns the seconds on a CPU, the first of three numbers, in nanoseconds.
func parseSchedstat(text string) (float64, error) {
	fields := strings.Fields(text)
	if len(fields) != 3 {
		return 0, fmt.Errorf("%q are not the three numbers of a schedstat", text)
	}
	nanoseconds, err := strconv.ParseUint(fields[0], 10, 64)
	return float64(nanoseconds) / 1e9, err
}

// keyed returns a parser for files of lines like "VmRSS:	    1234 kB"; the unit is left to the caller.
func keyed(key string) func(string) (float64, error) {
	return func(text string) (float64, error) {
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(line, ":")
			if fields := strings.Fields(value); name == key && len(fields) > 0 {
				return strconv.ParseFloat(fields[0], 64)
			}
		}
		return 0, fmt.Errorf("no line %s", key)
	}
}
