package cgroupnet

import (
	"errors"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/containerd/cgroups/v3/cgroup1"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// What the library's package cgroup1 makes of the same cgroups, and what this package makes of its. It looks for net_cls in a
// folder of that very name beside the first cgroup mount, so it gets mounts of its own.
func libraryHost(t *testing.T) (h []Hierarchy, root string) {
	t.Helper()
	hs, err := Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	joined := strings.Join(netCLSOf(t, hs).Controllers, ",")
	otherCgroups(t, map[string]string{"net_cls": joined, "freezer": "freezer"})
	return testRoot(t)
}

func only(name cgroup1.Name) cgroup1.InitOpts {
	return cgroup1.WithHierarchy(cgroup1.SingleSubsystem(cgroup1.Default, name))
}

func TestLibraryFindsTheSameProcessesInTheLeaf(t *testing.T) {
	if !hasOwnMounts(t) {
		withOwnMounts(t)
		return
	}
	hs, root := libraryHost(t)
	leaf := place(t, root, "c1")
	d := driver(t)
	if err := errors.Join(Prepare(hs, leaf), d.Assign(leaf, testClass)); err != nil {
		t.Fatal(err)
	}
	makeCgroup(t, d.hierarchy, leaf.Path+"/docker")
	var pids []int
	for _, cgroup := range []string{leaf.Path, leaf.Path, leaf.Path + "/docker"} {
		end, pid := sleep(t)
		defer end()
		enter(t, d.hierarchy, cgroup, pid)
		pids = append(pids, pid)
	}
	slices.Sort(pids)

	control, err := cgroup1.Load(cgroup1.StaticPath(leaf.Path), only(cgroup1.NetCLS))
	if err != nil {
		t.Fatal(err)
	}
	processes, err := control.Processes(cgroup1.NetCLS, true)
	if err != nil {
		t.Fatal(err)
	}
	var theirs []int
	for _, p := range processes {
		theirs = append(theirs, p.Pid)
	}
	slices.Sort(theirs)
	if !slices.Equal(theirs, pids) {
		t.Errorf("the library finds %v, want %v", theirs, pids)
	}
	rows := rowsBelow(t, root)
	if len(rows) != 1 || !slices.Equal(rows[0].PIDs, pids) {
		t.Errorf("rows %v, want %v", rows, pids)
	}
	for _, pid := range pids {
		p, err := os.FindProcess(pid)
		if err != nil {
			t.Fatal(err)
		}
		_ = p.Kill()
		_, _ = p.Wait()
	}
	if err := Remove(hs, leaf); err != nil {
		t.Error(err)
	}
}

func TestWhatTheLibraryMadeIsVerified(t *testing.T) {
	if !hasOwnMounts(t) {
		withOwnMounts(t)
		return
	}
	hs, root := libraryHost(t)
	leaf := place(t, root, "c1")
	d := driver(t)
	class := uint32(testClass)
	control, err := cgroup1.New(cgroup1.StaticPath(leaf.Path), &specs.LinuxResources{Network: &specs.LinuxNetwork{ClassID: &class}}, only(cgroup1.NetCLS))
	if err != nil {
		t.Fatal(err)
	}
	end, pid := sleep(t)
	defer end()
	if err := control.AddProc(uint64(pid)); err != nil {
		t.Fatal(err)
	}
	if err := d.Assign(leaf, testClass); err != nil {
		t.Errorf("assign the class that it has: %v", err)
	}
	if err := d.Verify(leaf, testClass, 0, pid); err != nil {
		t.Error(err)
	}
	var misplaced *MisplacedError
	if err := d.Verify(leaf, testClass+1, 0, pid); !errors.As(err, &misplaced) || misplaced.Found != testClass {
		t.Errorf("error %v", err)
	}
	end()
	if err := Remove(hs, leaf); err != nil {
		t.Error(err)
	}
}

// Why package executor/process freezes and thaws by itself: a leaf below a frozen cgroup does not thaw, and the library goes on writing
// until it does, with neither a limit nor a context.
func TestLibraryThawsWithoutALimit(t *testing.T) {
	if !hasOwnMounts(t) {
		withOwnMounts(t)
		return
	}
	hs, root := libraryHost(t)
	leaf := place(t, root, "c1")
	if err := Prepare(hs, leaf); err != nil {
		t.Fatal(err)
	}
	above, err := cgroup1.Load(cgroup1.StaticPath(path.Dir(leaf.Path)), only(cgroup1.Freezer))
	if err != nil {
		t.Fatal(err)
	}
	control, err := cgroup1.Load(cgroup1.StaticPath(leaf.Path), only(cgroup1.Freezer))
	if err != nil {
		t.Fatal(err)
	}
	if err := above.Freeze(); err != nil {
		t.Fatal(err)
	}
	thawed := make(chan error, 1)
	go func() { thawed <- control.Thaw() }()
	select {
	case err := <-thawed:
		t.Errorf("thawed below a frozen cgroup: %v", err)
	case <-time.After(300 * time.Millisecond):
	}
	if err := above.Thaw(); err != nil {
		t.Fatal(err)
	}
	if err := <-thawed; err != nil {
		t.Error(err)
	}
	if err := Remove(hs, leaf); err != nil {
		t.Error(err)
	}
}
