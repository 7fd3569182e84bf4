package storage

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// answers reads all answers to GET /info in testdata, by their names: "recorded/overlay2-ext4".
func answers(t *testing.T) map[string]Engine {
	t.Helper()
	all := map[string]Engine{}
	for _, folder := range []string{"recorded", "handmade"} {
		files, err := filepath.Glob("testdata/info/" + folder + "/*.json")
		if err != nil || len(files) == 0 {
			t.Fatal(files, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			answer := struct {
				Engine
				HandMade string
			}{}
			if err := json.Unmarshal(text, &answer); err != nil {
				t.Fatal(file, err)
			}
			if (answer.HandMade != "") != (folder == "handmade") {
				t.Errorf("%s: HandMade is %q", file, answer.HandMade)
			}
			all[folder+"/"+strings.TrimSuffix(filepath.Base(file), ".json")] = answer.Engine
		}
	}
	return all
}

func TestVerdictOverEachStorageDriver(t *testing.T) {
	want := map[string]struct {
		decision Decision
		reasons  []string // parts of them, one for each finding
	}{
		"recorded/overlay2-ext4":          {Allow, nil},
		"recorded/overlay2-xfs":           {Allow, nil},
		"recorded/overlay2-btrfs":         {Warn, []string{"on btrfs, which Docker does not support"}},
		"recorded/overlay2-tmpfs":         {Warn, []string{"in memory"}},
		"recorded/overlay-ext4":           {Refuse, []string{"inodes"}},
		"recorded/btrfs":                  {Warn, []string{"seldom used"}},
		"recorded/vfs-ext4":               {Refuse, []string{"copies the whole image"}},
		"recorded/fuse-overlayfs-ext4":    {Refuse, []string{"process of its own"}},
		"recorded/overlay2-ext4-28":       {Allow, nil},
		"recorded/btrfs-28":               {Warn, []string{"seldom used"}},
		"recorded/vfs-ext4-28":            {Refuse, []string{"copies the whole image"}},
		"recorded/fuse-overlayfs-ext4-28": {Refuse, []string{"process of its own"}},
		"recorded/containerd-overlayfs":   {Allow, nil},
		"recorded/containerd-btrfs":       {Warn, []string{"seldom used"}},
		"recorded/containerd-native":      {Refuse, []string{"copies the whole image"}},

		"handmade/overlay2-no-dtype":          {Refuse, []string{"no d_type"}},
		"handmade/overlay2-naive-diff":        {Warn, []string{"Native Overlay Diff"}},
		"handmade/overlay2-kernel-3.13":       {Refuse, []string{"3.13.0-170-generic is too old for overlay2"}},
		"handmade/overlay2-el7-327":           {Refuse, []string{"3.10.0-327.el7.x86_64 is too old for overlay2"}},
		"handmade/overlay2-el7-514":           {Allow, nil},
		"handmade/aufs":                       {Refuse, []string{"aufs is no part of the kernel"}},
		"handmade/devicemapper-loop":          {Refuse, []string{"Data loop file: /var/lib"}},
		"handmade/devicemapper-loop-metadata": {Refuse, []string{"Metadata loop file: /var/lib"}},
		"handmade/devicemapper-direct-lvm":    {Refuse, []string{"gone from Docker 25.0"}},
		"handmade/zfs":                        {Warn, []string{"seldom used"}},
		"handmade/zfs-health-unknown":         {Warn, []string{"seldom used"}},
		"handmade/zfs-degraded":               {Warn, []string{"seldom used", "DEGRADED"}},
		"handmade/zfs-suspended":              {Refuse, []string{"SUSPENDED", "seldom used"}},
		"handmade/unknown":                    {Refuse, []string{"quantumfs is not known"}},
	}
	all := answers(t)
	delete(all, "handmade/empty")
	if names, tried := slices.Sorted(maps.Keys(all)), slices.Sorted(maps.Keys(want)); !slices.Equal(names, tried) {
		t.Fatalf("testdata has %v, and this test knows %v", names, tried)
	}
	for name, e := range all {
		v, err := DefaultRules().Judge(e)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		checkVerdict(t, name, v, want[name].decision, want[name].reasons...)
	}
}

// checkVerdict wants these parts of the reasons, one for each finding, and a remedy in each.
func checkVerdict(t *testing.T, name string, v Verdict, decision Decision, reasons ...string) {
	t.Helper()
	if v.Decision() != decision || len(v.Findings) != len(reasons) {
		t.Errorf("%s: %s with %q, want %s with %q", name, v.Decision(), v.Findings, decision, reasons)
		return
	}
	for i, f := range v.Findings {
		if !strings.Contains(f.Reason, reasons[i]) || f.Remedy == "" || strings.Contains(f.String(), "\n") || strings.Contains(f.String(), "%!") {
			t.Errorf("%s: finding %d is %q, want %q in it and a remedy", name, i, f, reasons[i])
		}
	}
}

func TestRulesDecideOnDrivers(t *testing.T) {
	all := answers(t)
	lax := Rules{Tolerated: []string{"overlay2", "overlay", "devicemapper", "vfs"}}
	for name, want := range map[string]struct {
		decision Decision
		reasons  []string
	}{
		"recorded/overlay2-ext4":              {Warn, []string{"not among the allowed ones"}},
		"recorded/overlay-ext4":               {Warn, []string{"inodes", "the engine warns: the overlay storage-driver is deprecated"}},
		"recorded/vfs-ext4":                   {Warn, []string{"copies"}},
		"recorded/btrfs":                      {Refuse, []string{"seldom"}},
		"recorded/containerd-overlayfs":       {Refuse, []string{"not among the allowed ones"}},
		"handmade/devicemapper-direct-lvm":    {Warn, []string{"Docker 25.0", "the engine warns: the devicemapper"}},
		"handmade/devicemapper-loop":          {Refuse, []string{"no configuration allows"}},
		"handmade/devicemapper-loop-metadata": {Refuse, []string{"no configuration allows"}},
		"handmade/overlay2-no-dtype":          {Refuse, []string{"d_type", "not among"}},
	} {
		v, err := lax.Judge(all[name])
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		checkVerdict(t, name, v, want.decision, want.reasons...)
	}
}

func TestFactsThatNoAnswerInTestdataHas(t *testing.T) {
	root := "/var/lib/docker"
	devicemapper := func(pairs ...[2]string) Engine {
		return Engine{Driver: "devicemapper", DriverStatus: pairs, DockerRootDir: root}
	}
	rules := Rules{Allowed: []string{"devicemapper", "overlay2", "overlayfs", "vfs", "overlay"}}
	for name, c := range map[string]struct {
		e        Engine
		decision Decision
		reasons  []string
	}{
		"a data file on a loop device":  {devicemapper([2]string{"DATA FILE", " /dev/loop0"}), Refuse, []string{"/dev/loop0"}},
		"metadata on a loop device":     {devicemapper([2]string{"metadata file", "/dev/loop1"}), Refuse, []string{"/dev/loop1"}},
		"no udev":                       {devicemapper([2]string{"Udev Sync Supported", "false"}), Refuse, []string{"udev"}},
		"no deferred removal":           {devicemapper([2]string{"Deferred Removal Enabled", "false"}), Warn, []string{"at once"}},
		"a driver in capitals":          {Engine{Driver: " VFS\n", DockerRootDir: root}, Allow, nil},
		"v1 needs no new kernel":        {Engine{Driver: "overlay", DockerRootDir: root, KernelVersion: "3.18.0"}, Allow, nil},
		"v1 without d_type":             {Engine{Driver: "overlay", DockerRootDir: root, DriverStatus: [][2]string{{"supports D_TYPE", "FALSE"}}}, Refuse, []string{"d_type"}},
		"a kernel without a version":    {Engine{Driver: "overlay2", DockerRootDir: root}, Warn, []string{`version "" cannot be read`}},
		"overlayfs of nobody knows who": {Engine{Driver: "overlayfs", DockerRootDir: root, KernelVersion: "6.1.0"}, Warn, []string{"containerd's"}},
		"warnings of other things":      {Engine{Driver: "vfs", DockerRootDir: root, Warnings: []string{"WARNING: No swap limit support"}}, Allow, nil},
		"d_type of nobody knows what":   {Engine{Driver: "overlay", DockerRootDir: root, DriverStatus: [][2]string{{"Supports d_type", "false"}}}, Refuse, []string{"the filesystem below the engine's data root has no d_type"}},
		"discarded attributes": {Engine{Driver: "vfs", DockerRootDir: root, Warnings: []string{"WARNING: vfs: extended file attributes from container images will be silently discarded"}}, Warn,
			[]string{"the engine warns: vfs: extended file attributes"}},
		"a warning of two lines": {Engine{Driver: "vfs", DockerRootDir: root, Warnings: []string{"WARNING: usage of\n   Loopback devices"}}, Warn,
			[]string{"the engine warns: usage of Loopback devices"}},
	} {
		v, err := rules.Judge(c.e)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		checkVerdict(t, name, v, c.decision, c.reasons...)
	}
}

// Whoever follows the advice must get another verdict by it.
func TestRemedyIsNoneThatChangesNothing(t *testing.T) {
	all := answers(t)
	for name, c := range map[string]struct {
		rules Rules
		not   string
	}{
		"recorded/overlay2-ext4":        {Rules{Allowed: []string{"btrfs"}}, `"storage-driver"`},
		"recorded/containerd-overlayfs": {Rules{Allowed: []string{"overlay2"}}, `"storage-driver"`},
		"handmade/devicemapper-loop":    {DefaultRules(), "or a thin pool on a disk of its own (dm.thinpooldev)"},
	} {
		v, err := c.rules.Judge(all[name])
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if v.Decision() != Refuse || strings.Contains(v.Reasons(Refuse), c.not) {
			t.Errorf("%s: %s with %q", name, v.Decision(), v.Findings)
		}
	}
}

func TestBadAnswerIsNoVerdict(t *testing.T) {
	for field, e := range map[string]Engine{
		"Driver":        answers(t)["handmade/empty"],
		"DockerRootDir": {Driver: "overlay2", DockerRootDir: "docker"},
	} {
		v, err := DefaultRules().Judge(e)
		var bad *BadAnswerError
		if !errors.As(err, &bad) || bad.Field != field || len(v.Findings) > 0 || !strings.Contains(bad.Error(), field) {
			t.Errorf("without %s: %+v, %v", field, v, err)
		}
	}
}

func TestRulesNameEachDriverOnce(t *testing.T) {
	for _, bad := range []Rules{
		{Allowed: []string{""}}, {Tolerated: []string{"VFS"}}, {Allowed: []string{" vfs"}}, {Allowed: []string{"vfs"}, Tolerated: []string{"zfs", "vfs"}},
	} {
		if bad.Check() == nil {
			t.Errorf("%+v passes", bad)
		}
	}
	if err := DefaultRules().Check(); err != nil {
		t.Error(err)
	}
}

func TestKernelsThatStackLayers(t *testing.T) {
	for version, want := range map[string]bool{
		"4.0.0": true, "6.1.0-18-amd64": true, "5.10.0+": true, "4.4.0-210-generic": true, "6.18-rc1": true, "10.0.0": true,
		"3.10.0-514.el7.x86_64": true, "3.10.0-1160.102.1.el7.x86_64": true, "3.10.0-514.10.2.el7.x86_64": true,
		"3.10.0-327.el7.x86_64": false, "3.10.0-514": false, "3.10.0-957-generic": false, "3.18.0-1160.el7": false,
		"3.13.0-170-generic": false, "2.6.32-754.el6.x86_64": false,
	} {
		k, err := parseKernel(version)
		if err != nil || k.stacksLayers() != want {
			t.Errorf("%s: %+v, %v", version, k, err)
		}
	}
	for _, bad := range []string{"", "linux", "6", "6.x", "-1.2", "x.6"} {
		if k, err := parseKernel(bad); err == nil {
			t.Errorf("%q is %+v", bad, k)
		}
	}
}
