package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
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

// forgetProgram unmaps the pages of the executable that nobody has changed, code and constants. Those that are still
// needed come back from the page cache one by one (MADV_DONTNEED, madvise(2)); a launch uses ten times as many. Without /proc nothing
// happens.
func forgetProgram() {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	maps, err := os.Open("/proc/self/smaps")
	if err != nil {
		return
	}
	defer maps.Close()
	for _, m := range unchanged(maps, self) {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.begin, m.end-m.begin, unix.MADV_DONTNEED)
	}
}

// mapping is a part of the address space.
type mapping struct{ begin, end uintptr }

// unchanged lists the mappings of a file that cannot be written to now, and of which no page was written to before that: in a
// position-independent executable the loader fills in addresses first and protects them afterwards (RELRO, ld(1)), and they would come
// back from the file without. A page that was written to is anonymous, or in the swap (proc_pid_smaps(5)).
func unchanged(smaps io.Reader, file string) (found []mapping) {
	var m mapping
	for lines := bufio.NewScanner(smaps); lines.Scan(); {
		name, figure, _ := bytes.Cut(lines.Bytes(), []byte(" "))
		switch zero := bytes.HasPrefix(bytes.TrimLeft(figure, " "), []byte("0 ")); {
		case !bytes.HasSuffix(name, []byte(":")):
			m = fixed(lines.Text(), file)
		case string(name) == "Anonymous:" && !zero:
			m = mapping{}
		case string(name) == "Swap:" && zero && m != (mapping{}):
			found = append(found, m)
		}
	}
	return found
}

// fixed is the mapping that a line tells of, if it is one of the file and cannot be written to.
func fixed(line, file string) mapping {
	// 00400000-00a1c000 r-xp 00000000 08:01 1234 /path (proc_pid_maps(5))
	f := strings.Fields(line)
	if len(f) != 6 || f[5] != file || f[1] != "r-xp" && f[1] != "r--p" {
		return mapping{}
	}
	from, to, _ := strings.Cut(f[0], "-")
	begin, err1 := strconv.ParseUint(from, 16, 64)
	end, err2 := strconv.ParseUint(to, 16, 64)
	if err1 != nil || err2 != nil {
		return mapping{}
	}
	return mapping{uintptr(begin), uintptr(end)}
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

// raiseLimit sets the next collection to when the garbage is as much as what the last one left, and at least idleGarbage. Pages
// of the heap that are free now don't count: otherwise each collection would allow more than the one before.
func raiseLimit() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	var has runtime.MemStats
	runtime.ReadMemStats(&has)
	used := int64(live[0].Value.Uint64())
	debug.SetMemoryLimit(int64(has.Sys-has.HeapSys) + used + max(idleGarbage, used))
}
