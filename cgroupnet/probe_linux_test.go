package cgroupnet

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

const testClass = 0x0010_0101

func TestKernelsWithoutTheController(t *testing.T) {
	const head = "#subsys_name\thierarchy\tnum_cgroups\tenabled\ncpuset\t3\t84\t1\n"
	for name, test := range map[string]struct {
		table, parameters string
		want              Lack
		says              string
	}{
		"there":                     {head + "net_cls\t10\t84\t1\nnet_prio\t10\t84\t1\n", "quiet cgroup_no_v1=cpu,named", "", ""},
		"not built":                 {head + "net_prio\t10\t84\t1\n", "", LackController, "CONFIG_CGROUP_NET_CLASSID"},
		"no table":                  {"", "", LackController, "CONFIG_CGROUP_NET_CLASSID"},
		"switched off":              {head + "net_cls\t0\t1\t0\n", "cgroup_disable=net_cls", LackEnabled, "cgroup_disable="},
		"all of v1 switched off":    {head + "net_cls\t0\t1\t1\n", "ro cgroup_no_v1=all\n", LackEnabled, "cgroup_no_v1="},
		"it of v1 switched off":     {head + "net_cls\t0\t1\t1\n", "cgroup_no_v1=memory,net_cls", LackEnabled, "cgroup_no_v1="},
		"another with the same end": {head + "my_net_cls\t0\t1\t1\n", "", LackController, "no controller"},
	} {
		t.Run(name, func(t *testing.T) {
			got := kernelLack(test.table, test.parameters)
			if got == nil {
				if test.want != "" {
					t.Fatal("nothing lacks")
				}
				return
			}
			if got.Kind != test.want || !strings.Contains(got.Error(), test.says) || got.Remedy == "" {
				t.Errorf("%s: %v", got.Kind, got)
			}
		})
	}
}

func TestTheMountThatCanBeUsedIsFound(t *testing.T) {
	good := mountinfo.Info{FSType: "cgroup", Root: "/", Mountpoint: "/sys/fs/cgroup/net_cls,net_prio", Options: "rw,relatime", VFSOptions: "rw,net_cls,net_prio"}
	with := func(change func(*mountinfo.Info)) *mountinfo.Info {
		m := good
		change(&m)
		return &m
	}
	part := with(func(m *mountinfo.Info) { m.Root = "/docker/abc" })
	hidden := with(func(m *mountinfo.Info) { m.Mountpoint = "/sys/fs/cgroup/hidden" })
	elsewhere := with(func(m *mountinfo.Info) { m.Mountpoint = "/mnt/net_cls" })
	deeper := with(func(m *mountinfo.Info) { m.Mountpoint = "/sys/fs/cgroup/a/net_cls" })
	readOnly := with(func(m *mountinfo.Info) { m.Options = "ro,relatime" })
	allReadOnly := with(func(m *mountinfo.Info) { m.VFSOptions = "ro,net_cls,net_prio" })
	other := with(func(m *mountinfo.Info) { m.VFSOptions = "rw,net_prio" })
	unified := with(func(m *mountinfo.Info) { m.FSType, m.VFSOptions = "cgroup2", "rw,net_cls" })
	for name, test := range map[string]struct {
		mounts []*mountinfo.Info
		want   Lack
		says   string
	}{
		"usable":               {[]*mountinfo.Info{other, &good}, "", ""},
		"usable after all":     {[]*mountinfo.Info{readOnly, part, hidden, elsewhere, &good, readOnly}, "", ""},
		"none":                 {nil, LackMount, "mounted nowhere; mount it before"},
		"others":               {[]*mountinfo.Info{other, unified}, LackMount, "mounted nowhere"},
		"a part":               {[]*mountinfo.Info{part}, LackWhole, "/docker/abc"},
		"hidden":               {[]*mountinfo.Info{part, hidden}, LackVisible, "/sys/fs/cgroup/hidden"},
		"elsewhere":            {[]*mountinfo.Info{hidden, elsewhere, part}, LackPlace, "mount -t cgroup -o net_cls,net_prio cgroup /sys/fs/cgroup/net_cls,net_prio"},
		"deeper":               {[]*mountinfo.Info{deeper}, LackPlace, "/sys/fs/cgroup/a/net_cls"},
		"read-only":            {[]*mountinfo.Info{readOnly, elsewhere}, LackWritable, "mount -o remount,bind,rw /sys/fs/cgroup/net_cls,net_prio"},
		"read-only filesystem": {[]*mountinfo.Info{allReadOnly}, LackWritable, "read-only"},
	} {
		t.Run(name, func(t *testing.T) {
			got, why := netCLSMount(test.mounts, "/sys/fs/cgroup", func(m *mountinfo.Info) bool { return m.Mountpoint != hidden.Mountpoint })
			if test.want == "" {
				if why != nil || got == nil || got.Dir != good.Mountpoint || !got.Has("net_cls") || !got.Has("net_prio") {
					t.Errorf("got %+v, %v", got, why)
				}
				return
			}
			if got != nil || why == nil || why.Kind != test.want || !strings.Contains(why.Error(), test.says) {
				t.Errorf("got %+v, %v", got, why)
			}
		})
	}
}

func TestUnprobedSupportHasNoDriver(t *testing.T) {
	if d, err := (Support{}).Driver(); d != nil || err == nil {
		t.Errorf("driver %v, error %v", d, err)
	}
	if rows, err := ListTagged(Support{}); rows != nil || err == nil {
		t.Errorf("rows %v, error %v", rows, err)
	}
}

// Each of these hosts is made in a mount namespace. What an executor would do there that had found net_cls before is tried, too.
func TestWrongMountIsNamedAndLeftAlone(t *testing.T) {
	for name, test := range map[string]struct {
		want  Lack
		says  string
		spoil func(t *testing.T, h Hierarchy, leaf string) (plain []string) // returns the folders that are on no cgroup filesystem
	}{
		"mounted nowhere": {LackMount, "systemctl enable --now mesos-docker-executor-net-cls.service", func(t *testing.T, h Hierarchy, _ string) []string {
			unmount(t, h.Dir)
			return []string{h.Dir}
		}},
		"imitation": {LackImitated, "is a plain folder", func(t *testing.T, h Hierarchy, leaf string) []string {
			unmount(t, h.Dir)
			otherCgroups(t, nil)
			dir := "/sys/fs/cgroup/" + filepath.Base(h.Dir) + leaf
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			for _, file := range []string{classFile, "cgroup.procs", "tasks"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte("0\n"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			return []string{"/sys/fs/cgroup"}
		}},
		"only a part": {LackWhole, "run the agent in the host's", func(t *testing.T, h Hierarchy, leaf string) []string {
			part := t.TempDir()
			mount(t, h.Folder(leaf), part, "", unix.MS_BIND, "")
			unmount(t, h.Dir)
			return []string{h.Dir}
		}},
		"hidden": {LackVisible, "unmount what is on top", func(t *testing.T, h Hierarchy, _ string) []string {
			mount(t, "tmpfs", h.Dir, "tmpfs", 0, "")
			return []string{h.Dir}
		}},
		"hidden with all others": {LackVisible, "unmount what is on top", func(t *testing.T, _ Hierarchy, _ string) []string {
			otherCgroups(t, nil)
			return []string{"/sys/fs/cgroup"}
		}},
		"where runc does not look": {LackPlace, "runc looks for it directly below /sys/fs/cgroup", func(t *testing.T, h Hierarchy, _ string) []string {
			unmount(t, h.Dir)
			mountCgroup(t, filepath.Join(t.TempDir(), "net_cls"), strings.Join(h.Controllers, ","))
			return []string{h.Dir}
		}},
		"read-only": {LackWritable, "mount -o remount,bind,rw", func(t *testing.T, h Hierarchy, _ string) []string {
			mount(t, "", h.Dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
			return nil
		}},
		"cgroup v2 only": {LackV1, "systemd.unified_cgroup_hierarchy=0", func(t *testing.T, h Hierarchy, _ string) []string {
			mount(t, "cgroup2", "/sys/fs/cgroup", "cgroup2", 0, "")
			return nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			if !hasOwnMounts(t) {
				wrongMount(t)
				return
			}
			hs, err := Hierarchies()
			if err != nil {
				t.Fatal(err)
			}
			h := netCLSOf(t, hs)
			root := os.Getenv("CGROUPNET_TEST_ROOT")
			leaf := place(t, root, "c1")
			before := newNetCLS(h)
			check := unchanged(t, test.spoil(t, h, leaf.Path)...)
			defer check()

			s, err := Probe()
			if err != nil {
				t.Fatal(err)
			}
			d, err := s.Driver()
			var unsupported *UnsupportedError
			if d != nil || !errors.As(err, &unsupported) || unsupported.Kind != test.want || !strings.Contains(err.Error(), test.says) {
				t.Errorf("probed %+v, error %v", s, err)
			}
			if rows, err := ListTagged(s); rows != nil || !errors.As(err, &unsupported) {
				t.Errorf("listed %v, %v", rows, err)
			}
			if err := before.Assign(leaf, testClass); err == nil {
				t.Error("assigned")
			}
			if err := Prepare([]Hierarchy{h}, place(t, root, "c2")); err == nil {
				t.Error("prepared")
			}
			if test.want == LackWritable { // which may be looked at
				return
			}
			if err := before.Verify(leaf, testClass, 0, os.Getpid()); err == nil {
				t.Error("verified")
			}
			if err := before.Watch(t.Context(), leaf, testClass, func(l Loss) { t.Errorf("lost %+v", l) }); err == nil {
				t.Error("watched")
			}
		})
	}
}

// wrongMount runs the test with a leaf and mounts of its own. Nothing must have happened to the leaf, nor to what is beside it.
func wrongMount(t *testing.T) {
	hs, root := testRoot(t)
	h := netCLSOf(t, hs)
	leaf := place(t, root, "c1")
	if err := Prepare([]Hierarchy{h}, leaf); err != nil {
		t.Fatal(err)
	}
	check := unchanged(t)
	withOwnMounts(t, "CGROUPNET_TEST_ROOT="+root)
	check()
	if class := readTestClass(t, h, leaf.Path); class != 0 {
		t.Errorf("the leaf has class %#x", class)
	}
	var folders []string
	err := filepath.WalkDir(h.Folder(root), func(name string, entry fs.DirEntry, err error) error {
		if entry.IsDir() {
			folders = append(folders, strings.TrimPrefix(name, h.Folder(root)))
		}
		return err
	})
	if want := []string{"", "/00000000", "/00000000/c1"}; err != nil || !slices.Equal(folders, want) {
		t.Errorf("folders %q, %v", folders, err)
	}
	if err := Remove(hs, leaf); err != nil {
		t.Error(err)
	}
}

func netCLSOf(t *testing.T, hs []Hierarchy) Hierarchy {
	t.Helper()
	i := slices.IndexFunc(hs, isNetCLS)
	if i < 0 {
		t.Fatal("net_cls is not mounted (scripts/setup test mounts it)")
	}
	return hs[i]
}

func readTestClass(t *testing.T, h Hierarchy, cgroup string) uint32 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(h.Folder(cgroup), classFile))
	if err != nil {
		t.Fatal(err)
	}
	class, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(class)
}

func TestHierarchyIsFoundByWhatItIsNotByItsName(t *testing.T) {
	for _, name := range []string{"net_cls", "net_cls,net_prio", "classes"} {
		t.Run(name, func(t *testing.T) {
			if !hasOwnMounts(t) {
				withOwnMounts(t)
				return
			}
			// No Probe yet: the mode is looked up once in a process's life.
			hs, err := Hierarchies()
			if err != nil {
				t.Fatal(err)
			}
			joined := strings.Join(netCLSOf(t, hs).Controllers, ",")
			otherCgroups(t, map[string]string{name: joined, "freezer": "freezer"})
			if name == "net_cls,net_prio" { // as systemd does
				if err := os.Symlink(name, "/sys/fs/cgroup/net_cls"); err != nil {
					t.Fatal(err)
				}
			}
			s := support(t)
			if s.Mode != "legacy" || !s.Kernel || s.NetCLS.Dir != "/sys/fs/cgroup/"+name {
				t.Fatalf("%+v", s)
			}
			hs, root := testRoot(t)
			leaf := place(t, root, "c1")
			if err := Prepare(hs, leaf); err != nil {
				t.Fatal(err)
			}
			if err := driver(t).Assign(leaf, testClass); err != nil {
				t.Error(err)
			}
			if err := Remove(hs, leaf); err != nil {
				t.Error(err)
			}
		})
	}
}
