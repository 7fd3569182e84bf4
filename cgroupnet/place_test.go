package cgroupnet

import (
	"errors"
	"strings"
	"testing"
)

const testID = "5f1b2e0a-7a52-4d6b-9a53-8b6f4a8f2c11"

func TestPlace(t *testing.T) {
	base := PlaceInput{Root: "/mesos-docker-executor", ContainerID: testID, CgroupDriver: "cgroupfs"}
	nested := base
	nested.Custom, nested.SelfFreezer = true, "/mesos/"+testID

	with := func(in PlaceInput, change func(*PlaceInput)) PlaceInput {
		change(&in)
		return in
	}
	own := Placement{
		Parent: "/mesos-docker-executor/00000000/" + testID,
		Path:   "/mesos-docker-executor/00000000/" + testID,
		Keep:   "/mesos-docker-executor",
	}
	for name, test := range map[string]struct {
		in   PlaceInput
		want Placement
	}{
		"drop-in, no class": {base, own},
		"class in hex": {
			with(base, func(in *PlaceInput) { in.Class = 0x0010_00ab }),
			Placement{
				Parent: "/mesos-docker-executor/001000ab/" + testID,
				Path:   "/mesos-docker-executor/001000ab/" + testID,
				Keep:   "/mesos-docker-executor",
			},
		},
		"custom, below the launcher's cgroup": {
			nested,
			Placement{Parent: "/mesos/" + testID + "/task", Path: "/mesos/" + testID + "/task", Keep: "/mesos"},
		},
		"custom, the launcher's cgroup at the top": {
			with(nested, func(in *PlaceInput) { in.SelfFreezer = "/" + testID }),
			Placement{Parent: "/" + testID + "/task", Path: "/" + testID + "/task", Keep: "/"},
		},
		"custom, class does not move a nested leaf": {
			with(nested, func(in *PlaceInput) { in.Class = 7 }),
			Placement{Parent: "/mesos/" + testID + "/task", Path: "/mesos/" + testID + "/task", Keep: "/mesos"},
		},
		"custom, posix launcher leaves the executor in the agent's cgroup": {
			with(nested, func(in *PlaceInput) { in.SelfFreezer = "/system.slice/mesos-slave.service" }), own,
		},
		"custom, another container's cgroup": {
			with(nested, func(in *PlaceInput) { in.SelfFreezer = "/mesos/other" }), own,
		},
		"custom, cgroup v2 only":          {with(nested, func(in *PlaceInput) { in.SelfFreezer = "" }), own},
		"custom, root cgroup":             {with(nested, func(in *PlaceInput) { in.SelfFreezer = "/" }), own},
		"drop-in in a cgroup of its name": {with(nested, func(in *PlaceInput) { in.Custom = false }), own},
		"systemd driver": {
			with(nested, func(in *PlaceInput) { in.CgroupDriver, in.Class = "systemd", 0x10 }),
			Placement{
				Parent: `mesos\x2ddocker\x2dexecutor-00000010-5f1b2e0a\x2d7a52\x2d4d6b\x2d9a53\x2d8b6f4a8f2c11.slice`,
				Path: `/mesos\x2ddocker\x2dexecutor.slice/mesos\x2ddocker\x2dexecutor-00000010.slice/` +
					`mesos\x2ddocker\x2dexecutor-00000010-5f1b2e0a\x2d7a52\x2d4d6b\x2d9a53\x2d8b6f4a8f2c11.slice`,
				Keep:    `/mesos\x2ddocker\x2dexecutor.slice`,
				Systemd: true,
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Place(test.in)
			if err != nil {
				t.Fatal(err)
			}
			if got != test.want {
				t.Errorf("got  %+v\nwant %+v", got, test.want)
			}
		})
	}
}

func TestPlaceRefuses(t *testing.T) {
	good := PlaceInput{Root: "/root", ContainerID: "c1", CgroupDriver: "cgroupfs"}
	for name, test := range map[string]struct {
		change func(*PlaceInput)
		says   string
	}{
		"empty id":                {func(in *PlaceInput) { in.ContainerID = "" }, "empty"},
		"id going up":             {func(in *PlaceInput) { in.ContainerID = ".." }, "byte 0"},
		"id with slash":           {func(in *PlaceInput) { in.ContainerID = "a/b" }, "byte 1"},
		"id with newline":         {func(in *PlaceInput) { in.ContainerID = "a\n" }, "byte 1"},
		"id like a v2 file":       {func(in *PlaceInput) { in.ContainerID = "cgroup.procs" }, "byte 6"},
		"id like a v1 file":       {func(in *PlaceInput) { in.ContainerID = "freezer.state" }, "byte 7"},
		"id like another v1 file": {func(in *PlaceInput) { in.ContainerID = "tasks" }, "interface file"},
		"id of a long slice": {func(in *PlaceInput) {
			in.ContainerID, in.CgroupDriver = "a"+strings.Repeat("-", 100), "systemd"
		}, "at most 255"},
		"id too long":             {func(in *PlaceInput) { in.ContainerID = strings.Repeat("a", 129) }, "at most 128"},
		"relative root":           {func(in *PlaceInput) { in.Root = "root" }, "not absolute"},
		"no root":                 {func(in *PlaceInput) { in.Root = "" }, "not absolute"},
		"root cgroup":             {func(in *PlaceInput) { in.Root = "/" }, "root cgroup"},
		"root going up":           {func(in *PlaceInput) { in.Root = "/a/../b" }, "not clean"},
		"unknown driver":          {func(in *PlaceInput) { in.CgroupDriver = "cgroupfs2" }, "cgroupfs2"},
		"agent's own cgroup root": {func(in *PlaceInput) { in.SelfFreezer = "/root/c1" }, "--cgroups_root"},
		"unclean own cgroup": {func(in *PlaceInput) {
			in.SelfFreezer, in.Custom = "/../root/c1", true
		}, "not clean"},
	} {
		t.Run(name, func(t *testing.T) {
			in := good
			test.change(&in)
			got, err := Place(in)
			if err == nil {
				t.Fatalf("placed at %+v", got)
			}
			if !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %q does not say %q", err, test.says)
			}
			if got != (Placement{}) {
				t.Errorf("placement %+v beside the error", got)
			}
		})
	}
	in := good
	in.CgroupDriver = "none"
	if _, err := Place(in); !errors.Is(err, ErrNoCgroupDriver) {
		t.Errorf("driver none: %v", err)
	}
}

func TestSlicesOfDifferentContainersDiffer(t *testing.T) {
	seen := map[string]string{}
	for _, id := range []string{"x-y", "x_y", "x-y-z", "x-y_z", "x-2dy", "xx2dy"} {
		p, err := Place(PlaceInput{Root: "/root", ContainerID: id, CgroupDriver: "systemd"})
		if err != nil {
			t.Fatal(err)
		}
		if other := seen[p.Parent]; other != "" {
			t.Errorf("%s and %s both have %s", id, other, p.Parent)
		}
		if strings.Count(p.Parent, "-") != 2 {
			t.Errorf("%s: %s has other levels than root, class and container", id, p.Parent)
		}
		seen[p.Parent] = id
	}
}
