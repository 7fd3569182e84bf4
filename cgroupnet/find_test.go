package cgroupnet

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

func TestPlacementIsOnlyOfItsOwnContainer(t *testing.T) {
	const id = "c7a1-b_2"
	for name, in := range map[string]PlaceInput{
		"own root":   {Root: "/a/root", ContainerID: id, CgroupDriver: "cgroupfs", Class: 0x100007},
		"nested":     {Root: "/root", ContainerID: id, CgroupDriver: "cgroupfs", Custom: true, SelfFreezer: "/mesos/" + id},
		"at top":     {Root: "/root", ContainerID: id, CgroupDriver: "cgroupfs", Custom: true, SelfFreezer: "/" + id},
		"class-like": {Root: "/root", ContainerID: "abcdef01", CgroupDriver: "cgroupfs", Custom: true, SelfFreezer: "/mesos/abcdef01"},
		"slice":      {Root: "/a/my-root", ContainerID: id, CgroupDriver: "systemd", Class: 0xabcdef01},
	} {
		p, err := Place(in)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.CheckFor(in.ContainerID); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, other := range []string{"c7a1", "b_2", "task", "mesos", ""} {
			if p.CheckFor(other) == nil {
				t.Errorf("%s: %+v is taken for one of %q", name, p, other)
			}
		}
	}
}

func TestForgedPlacementIsRefused(t *testing.T) {
	for _, p := range []Placement{
		{},
		{Parent: "/", Path: "/", Keep: "/"},
		{Parent: "/c1", Path: "/c1", Keep: "/"},
		{Parent: "/system.slice/c1", Path: "/system.slice/c1", Keep: "/system.slice"},
		{Parent: "/00000000/c1", Path: "/00000000/c1", Keep: "/"},
		{Parent: "/r/00000000/c1", Path: "/r/00000000/c1", Keep: "/"},
		{Parent: "/r/00000000/c1", Path: "/r/00000000/c1"},
		{Parent: "/r/00000000/c1", Path: "/r/00000000/../c1", Keep: "/r"},
		{Parent: "/r/00000000/c2", Path: "/r/00000000/c1", Keep: "/r"},
		{Parent: "/r/0000000g/c1", Path: "/r/0000000g/c1", Keep: "/r"},
		{Parent: "/r/00000000/c1/", Path: "/r/00000000/c1/", Keep: "/r"},
		{Parent: "/r/00000000/c1", Path: "/r/00000000/c1", Keep: "/r", Systemd: true},
		{Parent: "/mesos/c2/task", Path: "/mesos/c2/task", Keep: "/mesos"},
		{Parent: "/mesos/c1/task", Path: "/mesos/c1/task", Keep: "/mesos/c1/task"},
		{Parent: "/mesos/c1/other", Path: "/mesos/c1/other", Keep: "/mesos"},
		{Parent: "a-00000000-c1.slice", Path: "/b.slice/a-00000000.slice/a-00000000-c1.slice", Keep: "/b.slice", Systemd: true},
		{Parent: "a-00000000-c1.slice", Path: "/a.slice/a-00000000-c1.slice", Keep: "/a.slice", Systemd: true},
		{Parent: "system.slice", Path: "/system.slice", Keep: "/", Systemd: true},
	} {
		if p.CheckFor("c1") == nil {
			t.Errorf("%+v is taken for one of c1", p)
		}
	}
}

func TestFindFindsTheLeavesOfAContainerInAnyClass(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	hs := []Hierarchy{{Dir: one}, {Dir: two}, {Dir: filepath.Join(one, "none")}}
	for _, dir := range []string{
		one + "/r/00000000/c1", two + "/r/00000000/c1", two + "/r/0010000a/c1",
		one + "/r/00000000/c2", one + "/r/other/c1", one + "/r/c1",
	} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(one+"/r/00000002", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(one+"/r/00000002/c1", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := Find(hs, "/r", "c1")
	want := []Placement{
		{Parent: "/r/00000000/c1", Path: "/r/00000000/c1", Keep: "/r"},
		{Parent: "/r/0010000a/c1", Path: "/r/0010000a/c1", Keep: "/r"},
	}
	if err != nil || !reflect.DeepEqual(found, want) {
		t.Errorf("got %+v, %v", found, err)
	}
	for _, bad := range [][2]string{{"/", "c1"}, {"r", "c1"}, {"/r/..", "c1"}, {"/r", "../c2"}} {
		if _, err := Find(hs, bad[0], bad[1]); err == nil {
			t.Errorf("no error for %q", bad)
		}
	}
}
