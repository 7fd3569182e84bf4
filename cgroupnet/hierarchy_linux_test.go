package cgroupnet

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/sys/mountinfo"
	"golang.org/x/sys/unix"
)

func TestHierarchiesOfThisHostAreCgroupFilesystems(t *testing.T) {
	hs, err := Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, h := range hs {
		var st unix.Statfs_t
		if err := unix.Statfs(h.Dir, &st); err != nil {
			t.Fatal(err)
		}
		want := int64(unix.CGROUP_SUPER_MAGIC)
		if h.Unified {
			want = unix.CGROUP2_SUPER_MAGIC
		}
		if st.Type != want {
			t.Errorf("%s: magic %#x, want %#x", h.Dir, st.Type, want)
		}
		if seen[h.Dir] {
			t.Errorf("%s is listed twice", h.Dir)
		}
		seen[h.Dir] = true
		if !h.Unified && len(h.Controllers) == 0 {
			t.Errorf("%s has no controllers", h.Dir)
		}
	}
}

func TestOneMountOfEachHierarchy(t *testing.T) {
	mount := func(dev int, fsType, root, dir, options string) *mountinfo.Info {
		return &mountinfo.Info{Minor: dev, FSType: fsType, Root: root, Mountpoint: dir, VFSOptions: options}
	}
	mounts := []*mountinfo.Info{
		mount(1, "cgroup", "/", "/var/other/freezer", "rw,freezer"),
		mount(1, "cgroup", "/", "/sys/fs/cgroup/freezer", "rw,freezer"),
		mount(1, "cgroup", "/", "/mnt/freezer", "rw,freezer"),
		mount(2, "cgroup", "/docker/abc", "/container/cpu", "rw,cpu"),
		mount(3, "cgroup", "/", "/sys/fs/cgroup/cpu,cpuacct", "rw,cpu,cpuacct,clone_children,release_agent=/bin/x"),
		mount(4, "cgroup", "/", "/sys/fs/cgroup/systemd", "rw,xattr,name=systemd"),
		mount(5, "cgroup2", "/", "/sys/fs/cgroup/unified", "rw,nsdelegate"),
		mount(6, "cgroup", "/", "/hidden", "rw,pids"),
	}
	got := collect(mounts, func(m *mountinfo.Info) bool { return m.Mountpoint != "/hidden" })
	want := []Hierarchy{
		{Dir: "/sys/fs/cgroup/freezer", Controllers: []string{"freezer"}},
		{Dir: "/sys/fs/cgroup/cpu,cpuacct", Controllers: []string{"cpu", "cpuacct"}},
		{Dir: "/sys/fs/cgroup/systemd", Controllers: []string{"name=systemd"}},
		{Dir: "/sys/fs/cgroup/unified", Unified: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMountPointThatIsNoCgroupIsNotVisible(t *testing.T) {
	dir := t.TempDir()
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		t.Fatal(err)
	}
	own := &mountinfo.Info{Mountpoint: dir, Major: int(unix.Major(st.Dev)), Minor: int(unix.Minor(st.Dev))}
	if visible(own) {
		t.Errorf("%s is taken for a cgroup filesystem", dir)
	}
	if visible(&mountinfo.Info{Mountpoint: filepath.Join(dir, "missing")}) {
		t.Error("a missing mount point is visible")
	}
	hs, err := Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	if visible(&mountinfo.Info{Mountpoint: hs[0].Dir, Major: 9999}) {
		t.Error("a mount hidden by another device is visible")
	}
}

func TestSelfFreezerIsAnExistingCgroup(t *testing.T) {
	p, err := SelfFreezer()
	if err != nil {
		t.Fatal(err)
	}
	hs, err := Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(hs, func(h Hierarchy) bool { return !h.Unified && h.Has("freezer") })
	if i < 0 {
		if p != "" {
			t.Errorf("own freezer cgroup %q on a host without the freezer", p)
		}
		return
	}
	if !strings.HasPrefix(p, "/") {
		t.Fatalf("own freezer cgroup %q", p)
	}
	var st unix.Stat_t
	if err := unix.Stat(filepath.Join(hs[i].Folder(p), "cgroup.procs"), &st); err != nil {
		t.Error(err)
	}
}
