package cgroupnet

import (
	"os"
	"path"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// rowsBelow leaves out what others have on the host.
func rowsBelow(t *testing.T, dir string, roots ...string) []Tagged {
	t.Helper()
	rows, err := ListTagged(support(t), roots...)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(rows, func(r Tagged) bool { return !inside(r.Path, dir) })
}

func TestTagged(t *testing.T) {
	d, _, leaf := assigned(t)
	h, root := d.hierarchy, path.Dir(path.Dir(leaf.Path))
	container := leaf.Path + "/docker"
	untagged := root + "/00000000/c2"
	nested := root + "/c3/task"
	agents := root + "/0c0ffee0-1111-4000-8000-000000000000"
	plain := agents + "/task" // a nested one without a class
	for _, cgroup := range []string{container, container + "/inner", container + "/lost", untagged, root + "/c3", nested, agents, plain} {
		makeCgroup(t, h, cgroup)
		defer os.Remove(h.Folder(cgroup))
	}
	setClass(t, h, container+"/lost", 0)
	setClass(t, h, nested, 0x0020_0102)
	pids := map[string]int{}
	for _, cgroup := range []string{leaf.Path, container + "/inner", container + "/lost", untagged, nested, root + "/c3", plain} {
		end, pid := sleep(t)
		defer end()
		enter(t, h, cgroup, pid)
		pids[cgroup] = pid
	}
	task := []int{pids[leaf.Path], pids[container+"/inner"]}
	slices.Sort(task)
	tagged := []Tagged{
		{Path: leaf.Path, Class: testClass, PIDs: task},
		{Path: container + "/lost", PIDs: []int{pids[container+"/lost"]}},
		{Path: nested, Class: 0x0020_0102, PIDs: []int{pids[nested]}},
	}
	if diff := cmp.Diff(tagged, rowsBelow(t, root)); diff != "" {
		t.Errorf("by class:\n%s", diff)
	}
	withLeaves := []Tagged{tagged[0], tagged[1], {Path: untagged, PIDs: []int{pids[untagged]}}, {Path: plain, PIDs: []int{pids[plain]}}, tagged[2]}
	if diff := cmp.Diff(withLeaves, rowsBelow(t, root, "/another", root)); diff != "" {
		t.Errorf("by class and root:\n%s", diff)
	}
}

// The classes of leaves below a class folder that somebody has given a class, too.
func TestEachLeafBelowARootHasARow(t *testing.T) {
	d, hs, leaf := prepared(t)
	root, class := path.Dir(path.Dir(leaf.Path)), path.Dir(leaf.Path)
	setClass(t, d.hierarchy, class, testClass)
	setClass(t, d.hierarchy, leaf.Path, testClass)
	sister := place(t, root, "c2")
	if err := Prepare(hs, sister); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]Tagged{{Path: class, Class: testClass}}, rowsBelow(t, root)); diff != "" {
		t.Error(diff)
	}
	want := []Tagged{{Path: class, Class: testClass}, {Path: leaf.Path, Class: testClass}, {Path: sister.Path, Class: testClass}}
	if diff := cmp.Diff(want, rowsBelow(t, root, root)); diff != "" {
		t.Error(diff)
	}
	if err := Remove(hs, sister); err != nil {
		t.Error(err)
	}
}

func TestTaggedRefusesARootThatIsNoPath(t *testing.T) {
	for _, root := range []string{"", "/", "relative", "/a/.."} {
		if rows, err := ListTagged(support(t), root); rows != nil || err == nil {
			t.Errorf("%q: %v", root, rows)
		}
	}
}
