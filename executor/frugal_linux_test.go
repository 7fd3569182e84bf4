package main

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
)

func TestGarbageIsCollectedWhenThereIsTooMuchOfIt(t *testing.T) {
	restoreRuntime(t)
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
	restoreRuntime(t)
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

// TestGarbageDoesNotRaiseTheLimit: an executor that makes garbage for weeks must not grow by it.
func TestGarbageDoesNotRaiseTheLimit(t *testing.T) {
	restoreRuntime(t)
	hurry()
	calmDown()
	before := debug.SetMemoryLimit(-1)
	var kept []byte
	for range 1 << 12 {
		kept = make([]byte, 1<<16)
	}
	runtime.KeepAlive(kept)
	if after := debug.SetMemoryLimit(-1); after > before+2*idleGarbage {
		t.Errorf("256 MiB of garbage raised the limit from %d to %d MiB", before>>20, after>>20)
	}
}

// restoreRuntime undoes what hurry and calmDown set at the end of a test.
func restoreRuntime(t *testing.T) {
	t.Helper()
	threads := runtime.GOMAXPROCS(0)
	limit, percent := debug.SetMemoryLimit(math.MaxInt64), debug.SetGCPercent(100)
	t.Cleanup(func() {
		runtime.GOMAXPROCS(threads)
		debug.SetMemoryLimit(limit)
		debug.SetGCPercent(percent)
	})
}

func collections() uint32 {
	var has runtime.MemStats
	runtime.ReadMemStats(&has)
	return has.NumGC
}

func TestIdleExecutorKeepsLittleOfItsProgramMapped(t *testing.T) {
	before := mappedFiles(t)
	forgetProgram()
	if after := mappedFiles(t); after >= before {
		t.Errorf("%d kB are mapped, %d before", after, before)
	}
}

// mappedFiles is how much of files is mapped and present, in kB (RssFile, proc_pid_status(5)).
func mappedFiles(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "RssFile:")
	var kib int
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		t.Fatal(err)
	}
	return kib
}
