package main

import (
	"runtime"
	"runtime/debug"
)

// An executor lives beside hundreds of its kind, for weeks, and works for some milliseconds at either end.
const (
	// parallel bounds the threads that run Go code. Each of them has caches of its own, and Go would take one for each CPU of
	// the host, and look every half minute whether that is still right.
	parallel = 2
	// launchGC puts off the first garbage collection (GOGC; from 4 MiB to 16 MiB): a launch makes some 6 MiB, and most tasks
	// are not worth more than one collection.
	launchGC = 400
	// idleGC collects at 2 MiB instead of 4: it is seldom, and what grew does not shrink by itself.
	idleGC = 50
)

// hurry is for the launch of a task.
func hurry() {
	runtime.GOMAXPROCS(min(parallel, runtime.NumCPU()))
	debug.SetGCPercent(launchGC)
}

// calmDown gives back what the launch needed: the task runs now, perhaps for months.
func calmDown() {
	debug.SetGCPercent(idleGC)
	debug.FreeOSMemory()
}
