package cgroupnet

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"
)

func TestLeftoversOfDestroyedContainersAndNothingElse(t *testing.T) {
	hs, root := testRoot(t)
	freezer := slices.IndexFunc(hs, func(h Hierarchy) bool { return !h.Unified && h.Has("freezer") })
	other := slices.IndexFunc(hs, func(h Hierarchy) bool { return !h.Unified && h.Has("pids") })
	if freezer < 0 || other < 0 || freezer == other {
		t.Fatal("this test needs the controllers freezer and pids of cgroup v1, in hierarchies of their own")
	}
	hs = []Hierarchy{hs[freezer], hs[other]}
	uuid := func(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012d", n) }
	const dead, living, busy, claimed, alien = 1, 2, 3, 4, "not-a-container"
	var made []string
	mkdir := func(h Hierarchy, cgroup string) {
		t.Helper()
		if err := os.MkdirAll(h.Folder(cgroup), 0o755); err != nil {
			t.Fatal(err)
		}
		made = append(made, h.Folder(cgroup))
	}
	t.Cleanup(func() { // deepest first, before the root goes
		for _, dir := range slices.Backward(made) {
			_ = os.Remove(dir)
		}
	})
	look := func(age time.Duration) (folders []string) {
		t.Helper()
		found, err := Leftovers(hs, root, age, func(id string) bool { return id == uuid(claimed) })
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range found {
			folders = append(folders, l.Folder())
		}
		return folders
	}
	for _, n := range []int{dead, living, busy, claimed} {
		mkdir(hs[1], root+"/"+uuid(n))
		mkdir(hs[1], root+"/"+uuid(n)+"/task")
	}
	mkdir(hs[1], root+"/"+alien)
	if got := look(0); len(got) > 0 {
		t.Errorf("without the agent's root in the freezer hierarchy: %q", got)
	}
	mkdir(hs[0], root)
	mkdir(hs[0], root+"/"+uuid(living))
	end := sleeper(t, hs[1], root+"/"+uuid(busy)+"/task")
	if got := look(time.Hour); len(got) > 0 {
		t.Errorf("younger than an hour: %q", got)
	}
	want := []string{hs[1].Folder(root + "/" + uuid(dead))}
	if got := look(0); !slices.Equal(got, want) {
		t.Fatalf("found %q, want %q", got, want)
	}
	found, err := Leftovers(hs, root, 0, func(string) bool { return false })
	if err != nil || len(found) != 2 {
		t.Fatalf("%+v, %v", found, err)
	}
	for range 2 { // the second time it is gone
		if err := found[0].Remove(); err != nil {
			t.Error(err)
		}
	}
	for n, there := range map[int]bool{dead: false, living: true, busy: true, claimed: true} {
		if exists(t, hs[1], root+"/"+uuid(n)+"/task") != there {
			t.Errorf("%d: there is %t", n, !there)
		}
	}
	// One that a process has entered since.
	late := Leftover{ContainerID: uuid(busy), Path: root + "/" + uuid(busy), hierarchy: hs[1]}
	if err := late.Remove(); err == nil || !exists(t, hs[1], root+"/"+uuid(busy)+"/task") {
		t.Errorf("with a process in it: %v", err)
	}
	end()
	if err := late.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := Leftovers(hs, "/", 0, nil); err == nil {
		t.Error("the root of the hierarchy is taken for the agent's")
	}
}
