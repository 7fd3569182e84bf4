package cgroupnet

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"sync"
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
		found, err := Search{hs, age, func(id string) bool { return id == uuid(claimed) }}.AgentLeftovers(t.Context(), 0, root)
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
	found, err := Search{hs, 0, nobody}.AgentLeftovers(t.Context(), 0, root)
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
	if _, err := (Search{hs, 0, nobody}).AgentLeftovers(t.Context(), 0, "/"); err == nil {
		t.Error("the root of the hierarchy is taken for the agent's")
	}
}

// An agent that destroys a container removes the cgroup of the freezer first.
func TestCgroupsThatTheAgentIsAboutToRemoveAreLeftToIt(t *testing.T) {
	hs, root := testRoot(t)
	freezer := slices.IndexFunc(hs, func(h Hierarchy) bool { return !h.Unified && h.Has("freezer") })
	other := slices.IndexFunc(hs, func(h Hierarchy) bool { return !h.Unified && h.Has("pids") })
	if freezer < 0 || other < 0 || freezer == other {
		t.Fatal("this test needs the controllers freezer and pids of cgroup v1, in hierarchies of their own")
	}
	hs = []Hierarchy{hs[freezer], hs[other]}
	const dead, ending, living = "00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002", "00000000-0000-4000-8000-000000000003"
	for _, cgroup := range []Leftover{{Path: dead, hierarchy: hs[1]}, {Path: ending, hierarchy: hs[1]}, {Path: living, hierarchy: hs[1]}, {Path: living, hierarchy: hs[0]}} {
		folder := cgroup.hierarchy.Folder(root + "/" + cgroup.Path)
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := os.Remove(folder); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Error(err)
			}
		})
	}
	agent := sync.OnceFunc(func() { // what it does during the first look
		if err := errors.Join(os.Remove(hs[1].Folder(root+"/"+ending)), os.Remove(hs[0].Folder(root+"/"+living))); err != nil {
			t.Error(err)
		}
	})
	s := Search{hs, 0, func(string) bool { agent(); return false }}
	for _, want := range [][]string{{dead}, {dead, living}} {
		found, err := s.AgentLeftovers(t.Context(), 0, root+"-of-none", root, root)
		var ids []string
		for _, l := range found {
			ids = append(ids, l.ContainerID)
		}
		if err != nil || !slices.Equal(ids, want) {
			t.Errorf("%q, %v; want %q", ids, err, want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if found, err := s.AgentLeftovers(ctx, time.Hour, root); err != nil || len(found) > 0 {
		t.Errorf("told to stop: %v, %v", found, err)
	}
}

// nobody has a claim.
func nobody(string) bool { return false }

// An executor that does not see a hierarchy makes and removes its leaf in the others only; Docker makes it in all.
func TestLeavesThatNobodyHasAClaimOn(t *testing.T) {
	hs, root := testRoot(t)
	netCLS := slices.IndexFunc(hs, isNetCLS)
	if netCLS < 0 {
		t.Fatal("the controller net_cls is not mounted")
	}
	hs = []Hierarchy{plainHierarchy(t, hs), hs[netCLS]}
	slice := "/" + escape(root[1:]) + ".slice"
	t.Cleanup(func() {
		for _, dir := range []string{slice + "/" + escape(root[1:]) + "-00000000.slice", slice} {
			if err := os.Remove(hs[1].Folder(dir)); err != nil && !errors.Is(err, os.ErrNotExist) {
				t.Error(err)
			}
		}
	})
	leaf := func(id string, class uint32, driver string) Placement {
		t.Helper()
		p, err := Place(PlaceInput{Root: root, ContainerID: id, CgroupDriver: driver, Class: class})
		if err == nil {
			err = Prepare(hs, p)
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := Remove(hs, p); err != nil {
				t.Error(err)
			}
		})
		return p
	}
	const class = 0x00100001
	left, busy, claimed, systemd := leaf("left", class, "cgroupfs"), leaf("busy", class, "cgroupfs"), leaf("claimed", 0, "cgroupfs"), leaf("of-systemd", 0, "systemd")
	if err := os.Mkdir(hs[1].Folder(left.Path+"/docker"), 0o755); err != nil { // of its container
		t.Fatal(err)
	}
	foreign := root + "/notaclass"
	if err := os.MkdirAll(hs[1].Folder(foreign+"/x"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(os.Remove(hs[1].Folder(foreign+"/x")), os.Remove(hs[1].Folder(foreign))); err != nil {
			t.Error(err)
		}
	})
	for _, h := range hs {
		sleeper(t, h, busy.Path)
	}
	s := Search{hs, time.Hour, func(id string) bool { return id == "claimed" }}
	if found, err := s.Leaves(root); err != nil || len(found) > 0 {
		t.Errorf("younger than an hour: %v, %v", found, err)
	}
	s.Age = 0
	found, err := s.Leaves(root)
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for _, l := range found {
		folders = append(folders, l.Folder())
		if err := l.Remove(); err != nil {
			t.Error(err)
		}
	}
	want := []string{hs[0].Folder(left.Path), hs[1].Folder(left.Path), hs[1].Folder(systemd.Path)}
	slices.Sort(want)
	if !slices.Equal(folders, want) {
		t.Errorf("found %q, want %q", folders, want)
	}
	for _, h := range hs {
		for cgroup, there := range map[string]bool{left.Path: false, path.Dir(left.Path): true, busy.Path: true, claimed.Path: true} {
			if exists(t, h, cgroup) != there {
				t.Errorf("%s: there is %t", h.Folder(cgroup), !there)
			}
		}
	}
	if found, err := s.Leaves(root + "-none"); err != nil || len(found) > 0 {
		t.Errorf("without a root: %v, %v", found, err)
	}
}
