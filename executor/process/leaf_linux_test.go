package process

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mesos-docker-executor/cgroupnet"
)

// testID stands for a Docker container id.
const testID = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// fixture is a leaf of the test's own in all hierarchies of the host.
type fixture struct {
	*Leaf
	t         *testing.T
	root      string
	placement cgroupnet.Placement
}

func hierarchies(t *testing.T) []cgroupnet.Hierarchy {
	t.Helper()
	hs, err := cgroupnet.Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	return hs
}

// newLeaf makes a leaf. At the end of the test everything in it is killed, and
// the test fails when any folder of it stays.
func newLeaf(t *testing.T) *fixture {
	t.Helper()
	hs := hierarchies(t)
	root := "/mesos-docker-executor-test-" + rand.Text()
	p, err := cgroupnet.Place(cgroupnet.PlaceInput{Root: root, ContainerID: "c1", CgroupDriver: "cgroupfs"})
	if err != nil {
		t.Fatal(err)
	}
	if err := cgroupnet.Prepare(hs, p); err != nil {
		t.Fatal(err)
	}
	l := OpenLeaf(hs, p.Path)
	t.Cleanup(func() {
		if err := l.Kill(); err != nil {
			t.Error(err)
		}
		if err := cgroupnet.Remove(hs, p); err != nil {
			t.Error(err)
		}
		for _, h := range hs {
			if err := os.Remove(h.Folder(root)); err != nil {
				t.Errorf("left behind: %v", err)
			}
		}
	})
	return &fixture{Leaf: l, t: t, root: root, placement: p}
}

// usable says whether a process can be moved into a new cgroup of the hierarchy as it
// is; a new v1 cpuset takes none.
func usable(h cgroupnet.Hierarchy) bool { return !h.Has("cpuset") || h.Unified }

// without returns the same leaf as a host without some hierarchies has it.
func (f *fixture) without(leave func(cgroupnet.Hierarchy) bool) *Leaf {
	return OpenLeaf(slices.DeleteFunc(slices.Clone(f.hierarchies), leave), f.parent)
}

func unified(h cgroupnet.Hierarchy) bool { return h.Unified }

// freezer returns the folder of a cgroup below the leaf in the v1 freezer hierarchy.
func (f *fixture) freezer(below string) string {
	f.t.Helper()
	return f.folder("freezer", below)
}

func (f *fixture) folder(controller, below string) string {
	f.t.Helper()
	i := slices.IndexFunc(f.hierarchies, func(h cgroupnet.Hierarchy) bool { return !h.Unified && h.Has(controller) })
	if i < 0 {
		f.t.Fatalf("this test needs the v1 %s hierarchy mounted", controller)
	}
	return f.hierarchies[i].Folder(path.Join(f.parent, below))
}

// child is a process that a test started.
type child struct {
	*exec.Cmd
	reap func() error // waits for its end, once
}

// start starts a process in the cgroup below of the leaf (made if missing) in all
// hierarchies that in selects (nil: all). cmd must read one line from its input first.
func (f *fixture) start(below string, in func(cgroupnet.Hierarchy) bool, cmd *exec.Cmd) *child {
	f.t.Helper()
	input, err := cmd.StdinPipe()
	if err != nil {
		f.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	c := &child{Cmd: cmd, reap: sync.OnceValue(cmd.Wait)}
	f.t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = c.reap()
	})
	for _, h := range f.hierarchies {
		if !usable(h) || in != nil && !in(h) {
			continue
		}
		dir := h.Folder(path.Join(f.parent, below))
		if err := os.MkdirAll(dir, 0o755); err != nil {
			f.t.Fatal(err)
		}
		if err := writeFile(filepath.Join(dir, "cgroup.procs"), strconv.Itoa(cmd.Process.Pid)); err != nil {
			f.t.Fatal(err)
		}
	}
	if _, err := io.WriteString(input, "\n"); err != nil {
		f.t.Fatal(err)
	}
	return c
}

// shell is a script that begins when it is in its cgroup; init makes it number 1 of a PID
// namespace.
func shell(script string, init bool) *exec.Cmd {
	cmd := exec.Command("sh", "-c", "read go; "+script)
	if init {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID}
	}
	return cmd
}

func actor(t *testing.T, role string, env ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(env, "PLAY="+role)
	return cmd
}

func waitFor(t *testing.T, what string, ready func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !ready(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited 20 s for %s", what)
		}
	}
}

func (f *fixture) waitForProcesses(n int) {
	f.t.Helper()
	waitFor(f.t, fmt.Sprintf("%d processes in the leaf", n), func() bool {
		ps, err := f.Processes()
		return err == nil && len(ps) >= n
	})
}

func TestProcessesOfTheWholeSubtree(t *testing.T) {
	f := newLeaf(t)
	a := f.start(testID, nil, shell("exec sleep 1000", false))
	b := f.start(testID+"/inner", nil, shell("exec sleep 1000", false))
	var ps []Process
	waitFor(t, "both processes to sleep", func() bool {
		var err error
		if ps, err = f.Processes(); err != nil {
			t.Fatal(err)
		}
		return len(ps) == 2 && ps[0].Comm == "sleep" && ps[1].Comm == "sleep" && ps[0].State == "S" && ps[1].State == "S" &&
			ps[0].WaitChannel != "" // the state comes a moment before the process leaves its CPU
	})
	want := []int{a.Process.Pid, b.Process.Pid}
	slices.Sort(want)
	if got := []int{ps[0].PID, ps[1].PID}; !slices.Equal(got, want) {
		t.Errorf("processes %v, want %v", got, want)
	}
}

func TestLeafThatIsNotThere(t *testing.T) {
	l := OpenLeaf(hierarchies(t), "/mesos-docker-executor-test-"+rand.Text()+"/none")
	if ps, err := l.Processes(); err != nil || len(ps) != 0 {
		t.Errorf("processes %v, error %v", ps, err)
	}
	if err := l.Kill(); err != nil {
		t.Errorf("kill: %v", err)
	}
	if _, err := l.OpenMemory(testID); !errors.Is(err, ErrCgroupGone) {
		t.Errorf("memory: %v", err)
	}
}

func TestLeafRefusesTheRootCgroup(t *testing.T) {
	for _, parent := range []string{"/", "", "relative", "/a/..", "/a/", "some.slice"} {
		l := OpenLeaf(hierarchies(t), parent)
		if err := l.Kill(); err == nil || !strings.Contains(err.Error(), "not the path of a leaf") {
			t.Errorf("%q: kill: %v", parent, err)
		}
		if _, err := l.Processes(); err == nil {
			t.Errorf("%q: processes listed", parent)
		}
		if _, err := l.WatchInit(t.Context(), testID); err == nil {
			t.Errorf("%q: watched", parent)
		}
	}
}
