package cgroupnet

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// testRoot returns the host's hierarchies and a cgroup root of the test's own. At the end
// it removes the root and fails the test when anything else of it is left.
func testRoot(t *testing.T) ([]Hierarchy, string) {
	t.Helper()
	hs, err := Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	root := "/mesos-docker-executor-test-" + rand.Text()
	t.Cleanup(func() {
		for _, h := range hs {
			err := os.Remove(h.Folder(root))
			if err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Errorf("left behind: %v", err)
			}
		}
	})
	return hs, root
}

func place(t *testing.T, root, id string) Placement {
	t.Helper()
	p, err := Place(PlaceInput{Root: root, ContainerID: id, CgroupDriver: "cgroupfs"})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func exists(t *testing.T, h Hierarchy, cgroup string) bool {
	t.Helper()
	_, err := os.Stat(h.Folder(cgroup))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

// sleeper starts a process in the cgroup of one hierarchy. end ends and reaps it.
func sleeper(t *testing.T, h Hierarchy, cgroup string) (end func()) {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(end)
	if err := os.WriteFile(filepath.Join(h.Folder(cgroup), "cgroup.procs"), []byte(strconv.Itoa(cmd.Process.Pid)), 0); err != nil {
		t.Fatal(err)
	}
	return end
}

// plainHierarchy picks one that takes a process into a new cgroup without further
// settings.
func plainHierarchy(t *testing.T, hs []Hierarchy) Hierarchy {
	t.Helper()
	i := slices.IndexFunc(hs, func(h Hierarchy) bool { return h.Unified || h.Has("freezer") })
	if i < 0 {
		t.Fatal("neither a freezer nor a cgroup v2 hierarchy is mounted")
	}
	return hs[i]
}

func TestPrepareAndRemoveInEveryHierarchy(t *testing.T) {
	hs, root := testRoot(t)
	p := place(t, root, "c1")
	for range 2 { // the second time the leaf is there already
		if err := Prepare(hs, p); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range hs {
		if !exists(t, h, p.Path) {
			t.Errorf("no leaf in %s", h.Dir)
		}
	}
	for range 2 { // the second time it is gone already
		if err := Remove(hs, p); err != nil {
			t.Fatal(err)
		}
	}
	for _, h := range hs {
		if exists(t, h, path.Dir(p.Path)) {
			t.Errorf("the class folder is left in %s", h.Dir)
		}
		if !exists(t, h, root) {
			t.Errorf("the root was removed from %s", h.Dir)
		}
	}
}

func TestRemoveTakesWhatDockerLeftInTheLeaf(t *testing.T) {
	hs, root := testRoot(t)
	p := place(t, root, "c1")
	deep := Placement{Path: p.Path + "/" + strings.Repeat("0a", 32) + "/inner"}
	if err := Prepare(hs, deep); err != nil {
		t.Fatal(err)
	}
	if err := Remove(hs, p); err != nil {
		t.Fatal(err)
	}
}

func TestRemoveLeavesSistersAlone(t *testing.T) {
	hs, root := testRoot(t)
	first, second := place(t, root, "c1"), place(t, root, "c2")
	for _, p := range []Placement{first, second} {
		if err := Prepare(hs, p); err != nil {
			t.Fatal(err)
		}
	}
	if err := Remove(hs, first); err != nil {
		t.Fatal(err)
	}
	for _, h := range hs {
		if exists(t, h, first.Path) || !exists(t, h, second.Path) {
			t.Errorf("%s: want the second leaf only", h.Dir)
		}
	}
	if err := Remove(hs, second); err != nil {
		t.Fatal(err)
	}
}

func TestRemoveNestedLeafNeverRemovesTheAgentsRoot(t *testing.T) {
	hs, root := testRoot(t)
	p, err := Place(PlaceInput{Root: "/unused", ContainerID: "c1", SelfFreezer: root + "/c1", CgroupDriver: "cgroupfs", Custom: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := Prepare(hs, p); err != nil {
		t.Fatal(err)
	}
	// In this hierarchy the agent put the executor into <root>/c1.
	managed := plainHierarchy(t, hs)
	end := sleeper(t, managed, root+"/c1")
	if err := Remove(hs, p); err != nil {
		t.Fatal(err)
	}
	for _, h := range hs {
		if !exists(t, h, root) {
			t.Errorf("%s was removed from %s", root, h.Dir)
		}
		if got, want := exists(t, h, root+"/c1"), h.Dir == managed.Dir; got != want {
			t.Errorf("%s in %s: there %v, want %v", root+"/c1", h.Dir, got, want)
		}
		if exists(t, h, p.Path) {
			t.Errorf("the leaf is left in %s", h.Dir)
		}
	}
	end()
	if err := Remove(hs, p); err != nil {
		t.Fatal(err)
	}
}

func TestRemoveWaitsForTheLastProcess(t *testing.T) {
	hs, root := testRoot(t)
	p := place(t, root, "c1")
	if err := Prepare(hs, p); err != nil {
		t.Fatal(err)
	}
	busy := plainHierarchy(t, hs)
	end := sleeper(t, busy, p.Path)

	removed := make(chan error, 1)
	go func() { removed <- Remove(hs, p) }()
	// Every other hierarchy is cleaned at once.
	waitFor(t, "the other hierarchies to be cleaned", func() bool {
		return !slices.ContainsFunc(hs, func(h Hierarchy) bool { return h.Dir != busy.Dir && exists(t, h, p.Path) })
	})
	select {
	case err := <-removed:
		t.Fatalf("returned %v while a process is left", err)
	default:
	}
	end()
	if err := <-removed; err != nil {
		t.Error(err)
	}
}

func TestRemoveNamesTheFolderThatIsInUse(t *testing.T) {
	hs, root := testRoot(t)
	p := place(t, root, "c1")
	if err := Prepare(hs, p); err != nil {
		t.Fatal(err)
	}
	busy := plainHierarchy(t, hs)
	end := sleeper(t, busy, p.Path)
	err := removeWithin(50*time.Millisecond, hs, p)
	if err == nil || !strings.Contains(err.Error(), busy.Folder(p.Path)) || !strings.Contains(err.Error(), "processes are left") {
		t.Errorf("error %v", err)
	}
	end()
	if err := Remove(hs, p); err != nil {
		t.Fatal(err)
	}
}

func TestPrepareUndoesWhatItMadeWhenOneHierarchyFails(t *testing.T) {
	hs, root := testRoot(t)
	p := place(t, root, "c1")
	other := place(t, root, "c2")
	if err := Prepare(hs[:1], other); err != nil { // the root and class are in use in the first one
		t.Fatal(err)
	}
	plain := Hierarchy{Dir: t.TempDir(), Controllers: []string{"net_cls"}}
	err := Prepare(append(slices.Clone(hs), plain), p)
	if !errors.Is(err, ErrNotCgroup) || !strings.Contains(err.Error(), plain.Dir) {
		t.Fatalf("error %v", err)
	}
	for i, h := range hs {
		if exists(t, h, p.Path) {
			t.Errorf("leaf left in %s", h.Dir)
		}
		if exists(t, h, root) != (i == 0) {
			t.Errorf("root in %s: there %v", h.Dir, i != 0)
		}
	}
	entries, err := os.ReadDir(plain.Dir)
	if err != nil || len(entries) != 0 {
		t.Errorf("made in a folder that is no cgroup: %v %v", entries, err)
	}
	if err := Remove(hs, other); err != nil {
		t.Fatal(err)
	}
}

func TestRemoveRefusesTheOwnCgroup(t *testing.T) {
	h := Hierarchy{Dir: t.TempDir(), Controllers: []string{"freezer"}}
	hs, root := testRoot(t)
	h.Dir = hs[0].Dir
	err := removeOnce(h, Placement{Path: root + "/x", Keep: root}, "3:freezer:"+root+"/x/y\n")
	if err == nil || !strings.Contains(err.Error(), "executor itself") {
		t.Errorf("error %v", err)
	}
}

func TestPrepareAndRemoveRefuseTheRootCgroup(t *testing.T) {
	hs, _ := testRoot(t)
	for _, p := range []Placement{{}, {Path: "/"}, {Path: "relative"}, {Path: "/a/../.."}} {
		if err := Prepare(hs, p); err == nil {
			t.Errorf("prepared %q", p.Path)
		}
		if err := Remove(hs, p); err == nil {
			t.Errorf("removed %q", p.Path)
		}
	}
}

func TestManyExecutorsShareTheParents(t *testing.T) {
	hs, root := testRoot(t)
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			p := place(t, root, fmt.Sprintf("c%d", worker))
			for range 20 {
				if err := Prepare(hs, p); err != nil {
					t.Error(err)
				}
				for _, h := range hs {
					if !exists(t, h, p.Path) {
						t.Errorf("no leaf in %s", h.Dir)
					}
				}
				if err := Remove(hs, p); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

func waitFor(t *testing.T, what string, ready func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(5 * time.Second); !ready(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited 5 s for %s", what)
		}
	}
}
