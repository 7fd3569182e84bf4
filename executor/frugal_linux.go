package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
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
