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

func TestLeavesAreKnownByTheirPaths(t *testing.T) {
	const uuid = "0c0ffee0-1111-4000-8000-000000000000"
	for path, want := range map[string]Leaf{
		"/r/00100100/" + uuid:                               {uuid, 0x00100100, false},
		"/r/00000000/some-id":                               {"some-id", 0, false},
		"/mesos/" + uuid + "/task":                          {uuid, 0, true},
		"/a/mesos/" + uuid + "/task":                        {uuid, 0, true},
		`/r.slice/r-00100100.slice/r-00100100-a\x2db.slice`: {"a-b", 0x00100100, false},
	} {
		if got, ok := LeafOf(path, "/r"); !ok || got != want {
			t.Errorf("%s: %+v, %v", path, got, ok)
		}
	}
	for _, path := range []string{"/", "/r", "/r/00100100", "/r/0010010/x", "/r/00100100/x/y", "/r/0x100100/x", "/r/0010010G/x", "/r/0010010A/x", "/s/00100100/x",
		"/docker/" + uuid, "/mesos/task", "/mesos/" + uuid, "/mesos/x/task", "/r.slice/r-00100100.slice/s-00100100-a.slice", "/s.slice/s-00100100.slice/s-00100100-a.slice",
		"/r.slice/r-00100100.slice/r-00100100-a", "/r.slice/r-00100100/r-00100100-a.slice", "/r.slice/r-0010010.slice/r-0010010-a.slice"} {
		if got, ok := LeafOf(path, "/r"); ok {
			t.Errorf("%s: %+v", path, got)
		}
	}
	if got := unescape(`a\x2db\xzz\x2`); got != `a-b\xzz\x2` {
		t.Error(got)
	}
}

func TestLeafOfIsWhatPlaceSaid(t *testing.T) {
	const uuid = "0c0ffee0-1111-4000-8000-000000000000"
	for _, in := range []PlaceInput{
		{Root: "/my-root", ContainerID: uuid, CgroupDriver: "cgroupfs", Class: 0x00100101},
		{Root: "/a/b", ContainerID: "c1", CgroupDriver: "cgroupfs"},
		{Root: "/a/my-root", ContainerID: uuid, CgroupDriver: "systemd", Class: 0xfffefffe},
		{Root: "/a.b", ContainerID: "c_1-2", CgroupDriver: "systemd"},
		{Root: "/r", ContainerID: uuid, CgroupDriver: "cgroupfs", Class: 0x00100101, Custom: true, SelfFreezer: "/mesos/" + uuid},
	} {
		p, err := Place(in)
		if err != nil {
			t.Fatal(err)
		}
		want := Leaf{in.ContainerID, in.Class, in.Custom}
		if in.Custom {
			want.Class = 0
		}
		if got, ok := LeafOf(p.Path, in.Root); !ok || got != want {
			t.Errorf("%s: %+v, %v, want %+v", p.Path, got, ok, want)
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
