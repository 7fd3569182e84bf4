package main

import (
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// An executor lives beside hundreds of its kind, for weeks, and works for some milliseconds at either end. So garbage is
// collected by its amount, not every two minutes as well, as Go's rule of proportion has it: each collection takes 2 ms of CPU
// time and leaves 0.3 MB of the collector's own behind.
const (
	// parallel bounds the threads that run Go code. Each of them has caches of its own, and Go would take one for each CPU of
	// the host, and look every now and then whether that is still right.
	parallel = 2
	// launchMemory is what the process may have before the first collection. A usual launch stays below.
	launchMemory = 16 << 20
	// idleGarbage may be gathered between two collections, or as much as there is in use, if that is more.
	idleGarbage = 4 << 20
)

// hurry is for the launch of a task.
func hurry() {
	runtime.MemProfileRate = 0 // nobody asks for the profile, and each sample stays
	runtime.GOMAXPROCS(min(parallel, runtime.NumCPU()))
	debug.SetMemoryLimit(launchMemory)
	debug.SetGCPercent(-1)
	followCollections()
}

// calmDown gives back what the launch needed: the task runs now, perhaps for months.
func calmDown() {
	debug.FreeOSMemory()
	raiseLimit()
	forgetProgram()
}

// followCollections has the limit raised after each collection. Under a limit that stands, a process that has come to need
// more than that would do nothing but collect.
func followCollections() {
	seen := new([64]byte) // reachable from nowhere: gone with the next collection
	runtime.AddCleanup(seen, func(struct{}) {
		raiseLimit()
		followCollections()
	}, struct{}{})
}

// raiseLimit sets the next collection to when the garbage is as much as what is in use now, and at least idleGarbage.
func raiseLimit() {
	var has runtime.MemStats
	runtime.ReadMemStats(&has)
	debug.SetMemoryLimit(int64(has.Sys-has.HeapReleased) + max(idleGarbage, int64(has.HeapAlloc)))
}

// forgetProgram takes the pages of the program itself out of this process: what a launch needs of it, three quarters, is of
// no use to an idle executor. The kernel keeps them for all executors in its page cache, and maps them again when they are used
// (madvise(2), MADV_DONTNEED). Only what nobody can write to is forgotten, so nothing is lost.
func forgetProgram() {
	program, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return
	}
	for line := range strings.SplitSeq(string(maps), "\n") {
		start, length, ok := programPart(line, program)
		if ok {
			// Of no consequence when it fails.
			_, _, _ = unix.RawSyscall(unix.SYS_MADVISE, start, length, unix.MADV_DONTNEED)
		}
	}
}

// programPart reads a line of /proc/self/maps (proc_pid_maps(5)) and returns the range, if it is one of the program's that
// cannot be written to.
func programPart(line, program string) (start, length uintptr, ok bool) {
	fields := strings.Fields(line)
	if len(fields) != 6 || fields[5] != program || fields[1] != "r-xp" && fields[1] != "r--p" {
		return 0, 0, false
	}
	from, to, _ := strings.Cut(fields[0], "-")
	begin, err := strconv.ParseUint(from, 16, 64)
	if err != nil {
		return 0, 0, false
	}
	end, err := strconv.ParseUint(to, 16, 64)
	if err != nil || end <= begin {
		return 0, 0, false
	}
	return uintptr(begin), uintptr(end - begin), true
}
