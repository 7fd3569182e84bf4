package cgroupnet

import (
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// prepared returns the host's driver, its hierarchies and a leaf that was made in all of them. At the end the leaf is
// removed, and the test fails if the process is in another cgroup or class by then.
func prepared(t *testing.T) (netCLS, []Hierarchy, Placement) {
	t.Helper()
	d := driver(t)
	hs, root := testRoot(t)
	leaf := place(t, root, "c1")
	check := unchanged(t)
	own := ownClass(t, d.hierarchy)
	t.Cleanup(func() {
		check()
		if class := ownClass(t, d.hierarchy); class != own {
			t.Errorf("the test's own class was %#x and is %#x", own, class)
		}
		if err := Remove(hs, leaf); err != nil {
			t.Error(err)
		}
	})
	if err := Prepare(hs, leaf); err != nil {
		t.Fatal(err)
	}
	return d, hs, leaf
}

// assigned is prepared, and the leaf has testClass.
func assigned(t *testing.T) (netCLS, []Hierarchy, Placement) {
	t.Helper()
	d, hs, leaf := prepared(t)
	if err := d.Assign(leaf, testClass); err != nil {
		t.Fatal(err)
	}
	return d, hs, leaf
}

func ownClass(t *testing.T, h Hierarchy) uint32 {
	t.Helper()
	self, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		t.Fatal(err)
	}
	own, ok := h.ownCgroup(string(self))
	if !ok {
		t.Fatalf("the test is in no net_cls cgroup: %s", self)
	}
	return readTestClass(t, h, own)
}

// setClass writes a class past the driver.
func setClass(t *testing.T, h Hierarchy, cgroup string, class uint32) {
	t.Helper()
	file := filepath.Join(h.Folder(cgroup), classFile)
	if err := os.WriteFile(file, []byte(strconv.FormatUint(uint64(class), 10)), 0); err != nil {
		t.Fatal(err)
	}
}

func makeCgroup(t *testing.T, h Hierarchy, cgroup string) {
	t.Helper()
	if err := os.Mkdir(h.Folder(cgroup), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestLeafGetsItsClassAndItsChildrenInheritIt(t *testing.T) {
	d, _, leaf := prepared(t)
	if d.Name() != "net_cls" {
		t.Errorf("name %q", d.Name())
	}
	for range 2 { // the second time it has the class already
		if err := d.Assign(leaf, testClass); err != nil {
			t.Fatal(err)
		}
	}
	if class := readTestClass(t, d.hierarchy, leaf.Path); class != testClass {
		t.Errorf("class %#x", class)
	}
	if class := readTestClass(t, d.hierarchy, path.Dir(leaf.Path)); class != 0 {
		t.Errorf("the cgroup above got class %#x", class)
	}
	makeCgroup(t, d.hierarchy, leaf.Path+"/docker")
	if class := readTestClass(t, d.hierarchy, leaf.Path+"/docker"); class != testClass {
		t.Errorf("the container's cgroup has class %#x", class)
	}
}

func TestEveryClassIsWrittenAsItIs(t *testing.T) {
	for _, class := range []uint32{0x0001_0001, 0x0010_0008, 0x7fff_fffe, 0x8000_0001, 0xfffe_fffe} {
		d, _, leaf := prepared(t)
		if err := d.Assign(leaf, class); err != nil {
			t.Error(err)
		}
		if got := readTestClass(t, d.hierarchy, leaf.Path); got != class {
			t.Errorf("class %#x, want %#x", got, class)
		}
	}
}

func TestWhatIsNoClassIsRefused(t *testing.T) {
	d, _, leaf := prepared(t)
	for _, class := range []uint32{0, 1, 0xfffe, 0xffff, 0x0010_0000, 0x0010_ffff, 0xffff_0000, 0xffff_0001, 0xffff_ffff} {
		for name, err := range map[string]error{
			"assign": d.Assign(leaf, class),
			"verify": d.Verify(leaf, class, 0, os.Getpid()),
			"watch":  d.Watch(t.Context(), leaf, class, func(Loss) {}),
		} {
			if err == nil || !strings.Contains(err.Error(), "neither half may be 0 or 0xffff") {
				t.Errorf("%s %#x: %v", name, class, err)
			}
		}
	}
	if class := readTestClass(t, d.hierarchy, leaf.Path); class != 0 {
		t.Errorf("the leaf has class %#x", class)
	}
}

func TestForeignClassIsRefusedAndStays(t *testing.T) {
	d, _, leaf := prepared(t)
	setClass(t, d.hierarchy, leaf.Path, 0x0020_0003)
	err := d.Assign(leaf, testClass)
	var foreign *ForeignClassError
	want := ForeignClassError{Folder: d.hierarchy.Folder(leaf.Path), Found: 0x0020_0003, Want: testClass}
	if !errors.As(err, &foreign) || *foreign != want {
		t.Errorf("error %v", err)
	}
	if class := readTestClass(t, d.hierarchy, leaf.Path); class != 0x0020_0003 {
		t.Errorf("the leaf has class %#x", class)
	}
}

func TestClassOfTheAgentsIsolatorIsForeign(t *testing.T) {
	for name, test := range map[string]struct {
		place func(t *testing.T, root string) Placement
		says  string
	}{
		"nested": {func(t *testing.T, root string) Placement {
			p, err := Place(PlaceInput{Root: "/unused", ContainerID: "c1", SelfFreezer: root + "/c1", CgroupDriver: "cgroupfs", Custom: true})
			if err != nil {
				t.Fatal(err)
			}
			return p
		}, "--cgroups_net_cls_primary_handle"},
		"own root": {func(t *testing.T, root string) Placement { return place(t, root, "c1") }, "write 0 to net_cls.classid there"},
	} {
		t.Run(name, func(t *testing.T) {
			d := driver(t)
			hs, root := testRoot(t)
			leaf := test.place(t, root)
			above := Placement{Path: path.Dir(leaf.Path), Keep: root}
			if err := Prepare(hs, above); err != nil {
				t.Fatal(err)
			}
			setClass(t, d.hierarchy, above.Path, 0x0012_0001)
			if err := Prepare(hs, leaf); err != nil {
				t.Fatal(err)
			}
			err := d.Assign(leaf, testClass)
			var foreign *ForeignClassError
			if !errors.As(err, &foreign) || !foreign.Inherited || foreign.Found != 0x0012_0001 ||
				!strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), d.hierarchy.Folder(above.Path)) {
				t.Errorf("error %v", err)
			}
			if a, b := readTestClass(t, d.hierarchy, leaf.Path), readTestClass(t, d.hierarchy, above.Path); a != 0x0012_0001 || b != 0x0012_0001 {
				t.Errorf("classes %#x and %#x", a, b)
			}
			if err := Remove(hs, leaf); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLeafThatIsGoneIsSaidToBe(t *testing.T) {
	d, hs, leaf := prepared(t)
	if err := Remove(hs, leaf); err != nil {
		t.Fatal(err)
	}
	if err := d.Assign(leaf, testClass); !errors.Is(err, ErrLeafGone) || !strings.Contains(err.Error(), d.hierarchy.Folder(leaf.Path)) {
		t.Errorf("error %v", err)
	}
	if exists(t, d.hierarchy, leaf.Path) || exists(t, d.hierarchy, path.Dir(leaf.Path)) {
		t.Error("it was made again")
	}
}

func TestLeafThatGoesWhileItIsWrittenIsGone(t *testing.T) {
	d, hs, leaf := prepared(t)
	root, err := openHierarchy(d.hierarchy)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	file, err := openClass(root, leaf.Path, os.O_RDWR)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := Remove(hs, leaf); err != nil {
		t.Fatal(err)
	}
	if err := writeClass(file, testClass); !gone(err) {
		t.Errorf("write: %v", err)
	}
	if _, err := readClass(file); !gone(err) {
		t.Errorf("read: %v", err)
	}
}

func TestPathThatIsNoCgroupIsRefused(t *testing.T) {
	d, _, leaf := prepared(t)
	for _, p := range []string{"", "/", "relative", leaf.Path + "/..", leaf.Path + "/"} {
		if err := d.Assign(Placement{Path: p}, testClass); err == nil {
			t.Errorf("assigned %q", p)
		}
		if err := d.Verify(Placement{Path: p}, testClass, 0, os.Getpid()); err == nil {
			t.Errorf("verified %q", p)
		}
	}
	// An interface file in the place of a leaf.
	if err := d.Assign(Placement{Path: leaf.Path + "/" + classFile}, testClass); !errors.Is(err, ErrNotCgroup) {
		t.Errorf("error %v", err)
	}
	if class := readTestClass(t, d.hierarchy, leaf.Path); class != 0 {
		t.Errorf("the leaf has class %#x", class)
	}
}

// A cgroup filesystem takes no symbolic links, but something else may be mounted on one of its folders.
func TestLinkOrFileInThePlaceOfALeafIsRefused(t *testing.T) {
	if !hasOwnMounts(t) {
		_, _, leaf := prepared(t)
		withOwnMounts(t, "CGROUPNET_TEST_ROOT="+path.Dir(path.Dir(leaf.Path)))
		return
	}
	d := driver(t)
	leaf := place(t, os.Getenv("CGROUPNET_TEST_ROOT"), "c1")
	dir := filepath.Dir(d.hierarchy.Folder(leaf.Path))
	mount(t, "tmpfs", dir, "tmpfs", 0, "")
	for name, make := range map[string]func() error{
		"folder":  func() error { return os.Mkdir(dir+"/c1", 0o755) },
		"file":    func() error { return os.WriteFile(dir+"/c1", []byte("0\n"), 0o644) },
		"link":    func() error { return os.Symlink("other", dir+"/c1") },
		"nothing": func() error { return nil },
	} {
		if err := errors.Join(os.RemoveAll(dir+"/c1"), os.RemoveAll(dir+"/other"), make(), os.Mkdir(dir+"/other", 0o755)); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{"/other/" + classFile, "/c1/" + classFile} {
			_ = os.WriteFile(dir+file, []byte("0\n"), 0o644)
		}
		check := unchanged(t, dir)
		if err := d.Assign(leaf, testClass); !errors.Is(err, ErrNotCgroup) {
			t.Errorf("%s: %v", name, err)
		}
		check()
	}
}

func TestExecutorsOwnClassNeverChanges(t *testing.T) {
	if !hasOwnMounts(t) {
		_, _, leaf := prepared(t)
		withOwnMounts(t, "CGROUPNET_TEST_ROOT="+path.Dir(path.Dir(leaf.Path)))
		return
	}
	// In a process of its own, which is in the cgroup that the agent made for the executor.
	root := os.Getenv("CGROUPNET_TEST_ROOT")
	d := driver(t)
	own := root + "/c1"
	for _, dir := range []string{own, own + "/task"} {
		makeCgroup(t, d.hierarchy, dir)
		defer os.Remove(d.hierarchy.Folder(dir))
	}
	enter := func(cgroup string) {
		if err := os.WriteFile(d.hierarchy.Folder(cgroup)+"/cgroup.procs", []byte(strconv.Itoa(os.Getpid())), 0); err != nil {
			t.Fatal(err)
		}
	}
	enter(own)
	defer enter("/")
	check := unchanged(t)
	for _, p := range []string{own, root} {
		for name, err := range map[string]error{
			"assign": d.Assign(Placement{Path: p}, testClass),
			"verify": d.Verify(Placement{Path: p}, testClass, 0, os.Getpid()),
			"watch":  d.Watch(t.Context(), Placement{Path: p}, testClass, func(Loss) {}),
		} {
			if err == nil || !strings.Contains(err.Error(), "the executor itself is in this cgroup") {
				t.Errorf("%s %s: %v", name, p, err)
			}
		}
	}
	if err := d.Assign(Placement{Path: own + "/task"}, testClass); err != nil {
		t.Error(err)
	}
	check()
	if class := ownClass(t, d.hierarchy); class != 0 {
		t.Errorf("the executor has class %#x", class)
	}
	if class := readTestClass(t, d.hierarchy, own+"/task"); class != testClass {
		t.Errorf("the task has class %#x", class)
	}
}

func TestSliceIsMadeForItsClassOnly(t *testing.T) {
	d := driver(t)
	hs, root := testRoot(t)
	leaf, err := Place(PlaceInput{Root: root, ContainerID: "c1", CgroupDriver: "systemd", Class: testClass})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Remove(d.hierarchy.Folder(leaf.Keep)) })
	if err := Prepare(hs, leaf); err != nil {
		t.Fatal(err)
	}
	for _, h := range hs {
		if exists(t, h, leaf.Path) != isNetCLS(h) {
			t.Errorf("in %s: there %v", h.Dir, !isNetCLS(h))
		}
	}
	if err := d.Assign(leaf, testClass); err != nil {
		t.Fatal(err)
	}
	scope := leaf.Path + "/docker-0123.scope"
	makeCgroup(t, d.hierarchy, scope)
	end, pid := sleep(t)
	enter(t, d.hierarchy, scope, pid)
	if err := d.Verify(leaf, testClass, 0, pid); err != nil {
		t.Error(err)
	}
	rows, err := ListTagged(support(t), root)
	if err != nil || !slices.ContainsFunc(rows, func(r Tagged) bool {
		return r.Path == leaf.Path && r.Class == testClass && slices.Equal(r.PIDs, []int{pid})
	}) {
		t.Errorf("rows %v, %v", rows, err)
	}
	end()
	if err := Remove(hs, leaf); err != nil {
		t.Fatal(err)
	}
	for _, h := range hs {
		if exists(t, h, path.Dir(leaf.Path)) || exists(t, h, leaf.Keep) != isNetCLS(h) {
			t.Errorf("left in %s", h.Dir)
		}
	}
}

// A mount that is read-only is seen by Probe; one that becomes so is an error of the write.
func TestReadOnlyMountTakesNoClass(t *testing.T) {
	if !hasOwnMounts(t) {
		_, _, leaf := prepared(t)
		withOwnMounts(t, "CGROUPNET_TEST_ROOT="+path.Dir(path.Dir(leaf.Path)))
		return
	}
	d := driver(t)
	leaf := place(t, os.Getenv("CGROUPNET_TEST_ROOT"), "c1")
	mount(t, "", d.hierarchy.Dir, "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
	if err := d.Assign(leaf, testClass); !errors.Is(err, unix.EROFS) {
		t.Errorf("error %v", err)
	}
	if class := readTestClass(t, d.hierarchy, leaf.Path); class != 0 {
		t.Errorf("the leaf has class %#x", class)
	}
}
