package admission

import (
	"context"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
)

// descriptors counts the open files of this process, by what each leads to: runtime's own come and go.
func descriptors(t *testing.T, dir string) (n int) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	for _, entry := range entries {
		target, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if err == nil && len(target) >= len(dir) && target[:len(dir)] == dir {
			n++
		}
	}
	return n
}

func TestIdleGateHasNothingOpen(t *testing.T) {
	dir := t.TempDir()
	goroutines := runtime.NumGoroutine()
	var all sync.WaitGroup
	for range 10 {
		g := newGate(t, dir+"/engine")
		all.Go(func() {
			for range 20 {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				g.Failed(errFrozen)
				g.Fit(ctx, time.Minute, frozen)
				g.Fit(t.Context(), 0, frozen)
				g.Answered()
				g.Open()
				if leave, _, err := g.Enter(ctx, Start); err == nil {
					time.Sleep(5 * time.Millisecond)
					leave()
				}
				cancel()
			}
		})
	}
	all.Wait()
	if n := descriptors(t, dir); n != 0 {
		t.Errorf("%d files are open", n)
	}
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > goroutines; runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), goroutines)
		}
	}
}

// BenchmarkHealthyLaunch is what a launch pays here while all is well; "after trouble" with a state that was closed again.
func BenchmarkHealthyLaunch(b *testing.B) {
	for _, after := range []string{"never any trouble", "after trouble"} {
		b.Run(after, func(b *testing.B) {
			g := New(Options{Dir: b.TempDir() + "/engine", Engine: theirEngine, MaxStarts: 16, MaxPulls: 8})
			if after == "after trouble" {
				g.Failed(errFrozen)
				g.tell(event{kind: probeDone, began: time.Now()})
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := g.Fit(b.Context(), 0, well); err != nil {
					b.Fatal(err)
				}
				leave, _, err := g.Enter(b.Context(), Start)
				if err != nil {
					b.Fatal(err)
				}
				leave()
			}
			if g.alone.Load() {
				b.Fatal("nothing was shared")
			}
		})
	}
}
