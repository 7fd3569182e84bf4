package cgroupnet

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// watching is a Watch that runs until the end of the test, or until stop.
type watching struct {
	cancel context.CancelFunc
	ended  chan error

	mu     sync.Mutex
	losses []Loss
}

func watchLeaf(t *testing.T, d netCLS, leaf Placement) *watching {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w := &watching{cancel: cancel, ended: make(chan error, 1)}
	go func() {
		w.ended <- d.Watch(ctx, leaf, testClass, func(l Loss) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.losses = append(w.losses, l)
		})
	}()
	t.Cleanup(cancel)
	return w
}

func (w *watching) lost() []Loss {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.losses)
}

// end waits for Watch to return; stop makes it.
func (w *watching) end(t *testing.T) {
	t.Helper()
	select {
	case err := <-w.ended:
		if err != nil {
			t.Errorf("watch: %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("watch goes on")
	}
}

func (w *watching) stop(t *testing.T) {
	t.Helper()
	w.cancel()
	w.end(t)
}

// started waits until the leaf is watched: a class that is lost comes back.
func (w *watching) started(t *testing.T, d netCLS, leaf Placement) {
	t.Helper()
	setClass(t, d.hierarchy, leaf.Path, 0)
	waitFor(t, "the first class to come back", func() bool { return len(w.lost()) > 0 })
	want := Loss{Cgroup: leaf.Path}
	if lost := w.lost(); len(lost) != 1 || lost[0] != want {
		t.Errorf("lost %+v", lost)
	}
	if class := readTestClass(t, d.hierarchy, leaf.Path); class != testClass {
		t.Errorf("class %#x", class)
	}
}

func TestLostClassComesBack(t *testing.T) {
	d, _, leaf := assigned(t)
	w := watchLeaf(t, d, leaf)
	w.started(t, d, leaf)

	// The container's cgroup is made, by Docker, then made anew, and has another one in it.
	container := leaf.Path + "/docker"
	for _, losing := range [][]string{{container}, {container + "/inner", container}} {
		makeCgroup(t, d.hierarchy, container)
		makeCgroup(t, d.hierarchy, container+"/inner")
		for _, cgroup := range losing {
			setClass(t, d.hierarchy, cgroup, 0x0020_0003)
			waitFor(t, cgroup+" to get its class back", func() bool {
				return slices.Contains(w.lost(), Loss{Cgroup: cgroup, Found: 0x0020_0003}) && readTestClass(t, d.hierarchy, cgroup) == testClass
			})
		}
		if err := errors.Join(os.Remove(d.hierarchy.Folder(container+"/inner")), os.Remove(d.hierarchy.Folder(container))); err != nil {
			t.Fatal(err)
		}
		w.mu.Lock()
		w.losses = nil
		w.mu.Unlock()
	}
	w.stop(t)
	setClass(t, d.hierarchy, leaf.Path, 0)
	if class := readTestClass(t, d.hierarchy, leaf.Path); class != 0 {
		t.Errorf("the class comes back after the end")
	}
}

func TestClassThatWasLostBeforeTheWatchComesBack(t *testing.T) {
	d, _, leaf := assigned(t)
	child := leaf.Path + "/docker"
	makeCgroup(t, d.hierarchy, child)
	setClass(t, d.hierarchy, child, 0)
	w := watchLeaf(t, d, leaf)
	waitFor(t, "the class", func() bool { return readTestClass(t, d.hierarchy, child) == testClass && len(w.lost()) == 1 })
	if lost, want := w.lost()[0], (Loss{Cgroup: child}); lost != want {
		t.Errorf("lost %+v", lost)
	}
	w.stop(t)
}

func TestWatchEndsWithItsLeaf(t *testing.T) {
	d, hs, leaf := assigned(t)
	w := watchLeaf(t, d, leaf)
	w.started(t, d, leaf)
	makeCgroup(t, d.hierarchy, leaf.Path+"/docker")
	if err := Remove(hs, leaf); err != nil {
		t.Fatal(err)
	}
	w.end(t)
	if err := d.Watch(t.Context(), leaf, testClass, func(l Loss) { t.Errorf("lost %+v", l) }); err != nil {
		t.Errorf("without a leaf: %v", err)
	}
	if exists(t, d.hierarchy, path.Dir(leaf.Path)) {
		t.Error("the leaf's folders are there again")
	}
	if lost := w.lost(); len(lost) != 1 {
		t.Errorf("lost %+v", lost)
	}
}

func TestWatchCostsOneGoroutineAndOneDescriptor(t *testing.T) {
	d, _, leaf := assigned(t)
	goroutines, files := runtime.NumGoroutine(), openFiles(t)
	w := watchLeaf(t, d, leaf)
	w.started(t, d, leaf)
	// The leaf, its class, the folder above: watches of cgroups that have gone do not stay.
	for range 4 {
		child := leaf.Path + "/docker"
		makeCgroup(t, d.hierarchy, child)
		waitFor(t, "the child to be watched", func() bool { return watches(t) == 5 })
		if err := os.Remove(d.hierarchy.Folder(child)); err != nil {
			t.Fatal(err)
		}
		waitFor(t, "the child not to be watched", func() bool { return watches(t) == 3 })
	}
	waitFor(t, "the look to be over", func() bool { return openFiles(t) <= files+1 })
	if n := runtime.NumGoroutine(); n > goroutines+1 {
		t.Errorf("%d goroutines, %d before", n, goroutines)
	}
	w.stop(t)
	// What a test before this one had not given back yet may have gone meanwhile.
	waitFor(t, "all to be given back", func() bool { return runtime.NumGoroutine() <= goroutines && openFiles(t) <= files })
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// watches counts the watches of this process's inotify instances.
func watches(t *testing.T) int {
	t.Helper()
	infos, err := filepath.Glob("/proc/self/fdinfo/*")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, info := range infos {
		text, err := os.ReadFile(info)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		count += strings.Count(string(text), "inotify wd:")
	}
	return count
}

// Another program that sets its own class whenever it sees ours.
func TestFightOverAClassIsSlow(t *testing.T) {
	d, _, leaf := assigned(t)
	w := watchLeaf(t, d, leaf)
	w.started(t, d, leaf)
	rewrites := 0
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(600 * time.Millisecond); time.Now().Before(end); <-tick.C {
		if readTestClass(t, d.hierarchy, leaf.Path) == testClass {
			setClass(t, d.hierarchy, leaf.Path, 0x0020_0003)
			rewrites++
		}
	}
	// Pauses of 100, 200 and 400 ms.
	if rewrites > 4 {
		t.Errorf("the class was written %d times", rewrites)
	}
	waitFor(t, "the class to come back in the end", func() bool { return readTestClass(t, d.hierarchy, leaf.Path) == testClass })
	w.stop(t)
}

func TestPausesGrowToALimitAndShrinkInCalm(t *testing.T) {
	d, _, leaf := assigned(t)
	synctest.Test(t, func(t *testing.T) {
		w := &watch{netCLS: d, leaf: leaf.Path, class: testClass, lost: func(Loss) {}}
		look := func() time.Duration {
			if err := w.look(func(string) error { return nil }); err != nil {
				t.Fatal(err)
			}
			return w.untilNext()
		}
		lose := func() time.Duration {
			setClass(t, d.hierarchy, leaf.Path, 0)
			return look()
		}
		var got []time.Duration
		for range 9 {
			got = append(got, lose())
			time.Sleep(w.untilNext())
		}
		const ms = time.Millisecond
		want := []time.Duration{100 * ms, 200 * ms, 400 * ms, 800 * ms, 1600 * ms, 3200 * ms, 6400 * ms, longestPause, longestPause}
		if !slices.Equal(got, want) {
			t.Errorf("pauses %v", got)
		}
		if p := look(); p != longestPause {
			t.Errorf("pause %v after a look without a loss", p)
		}
		time.Sleep(calmAfter + time.Second)
		if p := look(); p != eventPause {
			t.Errorf("pause %v in calm", p)
		}
		if p := lose(); p != firstPause {
			t.Errorf("pause %v after calm", p)
		}
	})
}

func TestWithoutInotifyTheClassesAreLookedAtNowAndThen(t *testing.T) {
	d, hs, leaf := assigned(t)
	d.newEvents = func() (*os.File, error) { return nil, unix.EMFILE }
	synctest.Test(t, func(t *testing.T) {
		w := watchLeaf(t, d, leaf)
		synctest.Wait()
		setClass(t, d.hierarchy, leaf.Path, 0)
		time.Sleep(LookEvery - time.Second)
		synctest.Wait()
		if lost := w.lost(); len(lost) > 0 {
			t.Errorf("lost %+v", lost)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		if lost := w.lost(); len(lost) != 1 || lost[0] != (Loss{Cgroup: leaf.Path}) {
			t.Errorf("lost %+v", lost)
		}
		if class := readTestClass(t, d.hierarchy, leaf.Path); class != testClass {
			t.Errorf("class %#x", class)
		}
		w.stop(t)

		w = watchLeaf(t, d, leaf)
		synctest.Wait()
		if err := Remove(hs, leaf); err != nil {
			t.Fatal(err)
		}
		time.Sleep(LookEvery)
		synctest.Wait()
		w.end(t)
	})
}

func TestInotifyThatBecomesFreeIsUsed(t *testing.T) {
	d, _, leaf := assigned(t)
	tries := 0
	real := d.newEvents
	d.lookEvery = time.Millisecond
	d.newEvents = func() (*os.File, error) {
		if tries++; tries < 3 {
			return nil, unix.EMFILE
		}
		return real()
	}
	w := watchLeaf(t, d, leaf)
	waitFor(t, "the leaf to be watched", func() bool { return watches(t) == 3 })
	w.started(t, d, leaf)
	w.stop(t)
}

// watchedWithOwnMounts watches the leaf whose root the parent process made, in a hierarchy that is mounted a second time, out of the
// driver's sight.
func watchedWithOwnMounts(t *testing.T) (d netCLS, leaf Placement, other Hierarchy, w *watching) {
	t.Helper()
	d = driver(t)
	leaf = place(t, os.Getenv("CGROUPNET_TEST_ROOT"), "c1")
	other = Hierarchy{Dir: t.TempDir()}
	mountCgroup(t, other.Dir, strings.Join(d.hierarchy.Controllers, ","))
	w = watchLeaf(t, d, leaf)
	w.started(t, d, leaf)
	return d, leaf, other, w
}

func TestClassThatCannotComeBackIsTriedAgain(t *testing.T) {
	if !hasOwnMounts(t) {
		_, _, leaf := assigned(t)
		withOwnMounts(t, "CGROUPNET_TEST_ROOT="+path.Dir(path.Dir(leaf.Path)))
		return
	}
	d, leaf, other, w := watchedWithOwnMounts(t)
	mount(t, "", d.hierarchy.Dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
	setClass(t, other, leaf.Path, 0x0020_0003)
	waitFor(t, "two tries", func() bool { return len(w.lost()) == 3 })
	for _, l := range w.lost()[1:] {
		if l.Cgroup != leaf.Path || l.Found != 0x0020_0003 || !errors.Is(l.Err, unix.EROFS) {
			t.Errorf("lost %+v", l)
		}
	}
	mount(t, "", d.hierarchy.Dir, "", unix.MS_REMOUNT|unix.MS_BIND, "")
	waitFor(t, "the class", func() bool { return readTestClass(t, other, leaf.Path) == testClass })
	w.stop(t)
}

func TestWatchOfAnUnmountedHierarchyIsAnError(t *testing.T) {
	if !hasOwnMounts(t) {
		_, _, leaf := assigned(t)
		withOwnMounts(t, "CGROUPNET_TEST_ROOT="+path.Dir(path.Dir(leaf.Path)))
		return
	}
	d, leaf, other, w := watchedWithOwnMounts(t)
	unmount(t, d.hierarchy.Dir)
	check := unchanged(t, d.hierarchy.Dir)
	setClass(t, other, leaf.Path, 0x0020_0003)
	if err := <-w.ended; !errors.Is(err, ErrNotCgroup) {
		t.Errorf("error %v", err)
	}
	check()
	setClass(t, other, leaf.Path, testClass)
}
