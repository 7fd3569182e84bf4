package main

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
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

func TestWhatTheLoaderHasChangedStaysMapped(t *testing.T) {
	const smaps = `55890ce7b000-55890ce7d000 r--p 00000000 fe:00 247278                     /bin/x
Size:                  8 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd mr mw me sd
55890ce7d000-55890ce81000 r-xp 00002000 fe:00 247278                     /bin/x
Anonymous:             0 kB
Swap:                  0 kB
55890ce83000-55890ce84000 r--p 00007000 fe:00 247278                     /bin/x
Anonymous:             4 kB
Swap:                  0 kB
55890ce84000-55890ce85000 r--p 00008000 fe:00 247278                     /bin/x
Anonymous:             0 kB
Swap:                  4 kB
55890ce85000-55890ce86000 rw-p 00009000 fe:00 247278                     /bin/x
Anonymous:             0 kB
Swap:                  0 kB
7f0000000000-7f0000001000 r--p 00000000 fe:00 247279                     /lib/x.so
Anonymous:             0 kB
Swap:                  0 kB
7f0000001000-7f0000002000 r--p 00000000 00:00 0
Anonymous:             0 kB
Swap:                  0 kB
7f0000002000-7f0000003000 r--p 00000000 fe:00 247278                     /bin/x (deleted)
Anonymous:             0 kB
Swap:                  0 kB
`
	want := []mapping{{0x55890ce7b000, 0x55890ce7d000}, {0x55890ce7d000, 0x55890ce81000}}
	if got := unchanged(strings.NewReader(smaps), "/bin/x"); !slices.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

// TestPositionIndependentProgramGoesOn: some distributions build so by default.
func TestPositionIndependentProgramGoesOn(t *testing.T) {
	dir := t.TempDir()
	source, err := os.ReadFile("frugal_linux.go")
	if err != nil {
		t.Fatal(err)
	}
	program, files := filepath.Join(dir, "program"), map[string]string{
		"frugal_linux.go": string(source),
		"main.go":         "package main\n\nimport \"fmt\"\n\nfunc main() {\n\tforgetProgram()\n\tfmt.Println(map[string]any{\"a\": 1})\n}\n",
	}
	build := exec.Command("go", "build", "-buildmode=pie", "-o", program)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		build.Args = append(build.Args, path)
	}
	for _, c := range []*exec.Cmd{build, exec.Command(program)} {
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%.2000s", c.Path, err, out)
		}
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
