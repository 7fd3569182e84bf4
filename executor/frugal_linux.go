package main

import (
	"runtime"
	"runtime/debug"
)

// An executor lives beside hundreds of its kind, for weeks, and works for some milliseconds at either end. So garbage is
// collected when there is too much of it, not by Go's rule of proportion and not every two minutes: each collection takes
// 2 ms of CPU time and leaves 0.3 MB of the collector's own behind. A task that is larger than the limits makes collections
// more frequent, and nothing worse.
const (
	// parallel bounds the threads that run Go code. Each of them has caches of its own, and Go would take one for each CPU of
	// the host, and look every now and then whether that is still right.
	parallel = 2
	// launchMemory is what the process may have before the first collection. A usual launch stays below.
	launchMemory = 16 << 20
	// idleGarbage may be gathered while the task runs.
	idleGarbage = 4 << 20
)

// hurry is for the launch of a task.
func hurry() {
	runtime.GOMAXPROCS(min(parallel, runtime.NumCPU()))
	debug.SetMemoryLimit(launchMemory)
	debug.SetGCPercent(-1)
}

// calmDown gives back what the launch needed: the task runs now, perhaps for months.
func calmDown() {
	debug.FreeOSMemory()
	var has runtime.MemStats
	runtime.ReadMemStats(&has)
	debug.SetMemoryLimit(int64(has.Sys-has.HeapReleased) + idleGarbage)
}
