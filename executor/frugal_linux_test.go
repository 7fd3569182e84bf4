package main

import (
	"math"
	"runtime"
	"runtime/debug"
	"testing"
)

func TestGarbageIsCollectedWhenThereIsTooMuchOfIt(t *testing.T) {
	threads := runtime.GOMAXPROCS(0)
	limit, percent := debug.SetMemoryLimit(math.MaxInt64), debug.SetGCPercent(100)
	t.Cleanup(func() {
		runtime.GOMAXPROCS(threads)
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
	})
	hurry()
	if got := runtime.GOMAXPROCS(0); got > parallel {
		t.Errorf("%d threads, want %d", got, parallel)
	}
	calmDown()
	before := collections()
	var kept []byte
	for range 16 {
		kept = make([]byte, idleGarbage/4)
	}
	runtime.KeepAlive(kept)
	if collections() == before {
		t.Errorf("no collection although %d MiB of garbage were made", 16*idleGarbage/4>>20)
	}
}

// TestALargeTaskIsNotCollectedToDeath keeps ten times what is there before the first collection.
func TestALargeTaskIsNotCollectedToDeath(t *testing.T) {
	threads := runtime.GOMAXPROCS(0)
	limit, percent := debug.SetMemoryLimit(math.MaxInt64), debug.SetGCPercent(100)
	t.Cleanup(func() {
		runtime.GOMAXPROCS(threads)
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
	})
	hurry()
	before := collections()
	kept := make([][]byte, 0, 10*launchMemory>>16)
	for range cap(kept) {
		kept = append(kept, make([]byte, 1<<16))
	}
	runtime.KeepAlive(kept)
	if n := collections() - before; n > 100 {
		t.Errorf("%d collections while %d MiB were allocated", n, len(kept)>>4)
	}
}

func TestOnlyWhatCannotBeWrittenOfTheProgramIsForgotten(t *testing.T) {
	for line, want := range map[string]bool{
		"00400000-00401000 r-xp 00000000 08:01 11 /opt/x": true,
		"00401000-00402000 r--p 00001000 08:01 11 /opt/x": true,
		"00402000-00403000 rw-p 00002000 08:01 11 /opt/x": false,
		"00400000-00401000 r-xp 00000000 08:01 11 /opt/y": false,
		"00400000-00401000 r--p 00000000 00:00 0 [vvar]":  false,
		"7f0000000000-7f0000001000 r--p 00000000 00:00 0": false,
		"garbage": false,
		"":        false,
	} {
		if start, length, ok := programPart(line, "/opt/x"); ok != want || ok && (start < 0x400000 || length != 0x1000) {
			t.Errorf("%q: %x %x %v", line, start, length, ok)
		}
	}
	forgetProgram()
	TestGarbageIsCollectedWhenThereIsTooMuchOfIt(t) // the program still works
}

func collections() uint32 {
	var has runtime.MemStats
	runtime.ReadMemStats(&has)
	return has.NumGC
}
