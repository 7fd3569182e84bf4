package cgroupnet

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// sleep starts a process that lives until end, which reaps it.
func sleep(t *testing.T) (end func(), pid int) {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	end = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(end)
	return end, cmd.Process.Pid
}

func enter(t *testing.T, h Hierarchy, cgroup string, pid int) {
	t.Helper()
	if pid <= 0 {
		t.Fatalf("pid %d", pid)
	}
	if err := os.WriteFile(h.Folder(cgroup)+"/cgroup.procs", []byte(strconv.Itoa(pid)), 0); err != nil {
		t.Fatal(err)
	}
}

func TestProcessesInTheLeafAndBelowHaveTheClass(t *testing.T) {
	d, _, leaf := assigned(t)
	inner := leaf.Path + "/docker"
	makeCgroup(t, d.hierarchy, inner)
	endOne, one := sleep(t)
	endTwo, two := sleep(t)
	enter(t, d.hierarchy, leaf.Path, one)
	enter(t, d.hierarchy, inner, two)
	if err := d.Verify(leaf, testClass, 0, one, two); err != nil {
		t.Error(err)
	}
	if err := d.Verify(leaf, testClass, 0); err != nil {
		t.Errorf("no process: %v", err)
	}
	endOne()
	endTwo()
	if err := d.Verify(leaf, testClass, 0, one, two); err != nil {
		t.Errorf("ended: %v", err)
	}
}

func TestProcessWithoutItsClassIsMisplaced(t *testing.T) {
	d, hs, leaf := assigned(t)
	other := plainHierarchy(t, hs)
	below, beside := leaf.Path+"/docker", path.Dir(leaf.Path)
	makeCgroup(t, d.hierarchy, below)
	setClass(t, d.hierarchy, below, 0x0020_0003)
	for name, test := range map[string]struct {
		cgroup string
		found  uint32
		says   string
	}{
		"daemon without net_cls":    {"/", 0, "mount net_cls before it starts"},
		"in the cgroup above":       {beside, 0, "not in its leaf"},
		"class of its cgroup wrong": {below, 0x0020_0003, "instead of 0x00100101"},
	} {
		t.Run(name, func(t *testing.T) {
			end, pid := sleep(t)
			defer end()
			enter(t, other, leaf.Path, pid) // so it is the task's
			enter(t, d.hierarchy, test.cgroup, pid)
			err := d.Verify(leaf, testClass, 0, pid)
			var misplaced *MisplacedError
			want := MisplacedError{PID: pid, Cgroup: test.cgroup, Leaf: leaf.Path, Found: test.found, Want: testClass}
			if !errors.As(err, &misplaced) || *misplaced != want || !strings.Contains(err.Error(), test.says) {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestLeafWithoutItsClassIsNotVerified(t *testing.T) {
	d, _, leaf := prepared(t)
	end, pid := sleep(t)
	defer end()
	enter(t, d.hierarchy, leaf.Path, pid)
	err := d.Verify(leaf, testClass, 0, pid)
	var misplaced *MisplacedError
	if !errors.As(err, &misplaced) || misplaced.Found != 0 || misplaced.Cgroup != leaf.Path {
		t.Errorf("error %v", err)
	}
}

// A number that was given away again: the process is in the leaf of no hierarchy.
func TestProcessOfNobodyIsNotJudged(t *testing.T) {
	d, _, leaf := assigned(t)
	_, pid := sleep(t)
	if err := d.Verify(leaf, testClass, 0, pid, os.Getpid()); err != nil {
		t.Error(err)
	}
}

func TestPIDThatIsNoneIsRefused(t *testing.T) {
	d, _, leaf := assigned(t)
	end, pid := sleep(t)
	defer end()
	enter(t, d.hierarchy, leaf.Path, pid)
	for _, none := range []int{0, -1, -pid} {
		if err := d.Verify(leaf, testClass, 0, pid, none); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%d is no process", none)) {
			t.Errorf("error %v", err)
		}
	}
}

// runc puts the process of an exec, or of a new container, into net_cls some time after the other hierarchies.
func TestProcessOnItsWayIntoTheLeafIsWaitedFor(t *testing.T) {
	d, hs, leaf := assigned(t)
	end, pid := sleep(t)
	defer end()
	enter(t, plainHierarchy(t, hs), leaf.Path, pid)
	verified := make(chan error, 1)
	go func() { verified <- d.Verify(leaf, testClass, 10*time.Second, pid) }()
	enter(t, d.hierarchy, leaf.Path, pid)
	if err := <-verified; err != nil {
		t.Error(err)
	}
}

func TestZombieHasEnded(t *testing.T) {
	d, hs, leaf := assigned(t)
	cmd := exec.Command("sleep", "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	pid := cmd.Process.Pid
	for _, h := range []Hierarchy{d.hierarchy, plainHierarchy(t, hs)} {
		enter(t, h, leaf.Path, pid)
	}
	_ = cmd.Process.Kill()
	waitFor(t, "the zombie", func() bool {
		ended, err := hasEnded(pid)
		return err != nil || ended
	})
	if err := d.Verify(leaf, testClass, 0, pid); err != nil {
		t.Error(err)
	}
}

// While a process ends, the kernel shows it in the root cgroups of v1 before it is a zombie.
func TestNoProcessIsBlamedForEnding(t *testing.T) {
	d, hs, leaf := assigned(t)
	for range 40 {
		cmd := exec.Command("cat")
		input, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		pid := cmd.Process.Pid
		for _, h := range hs {
			if h.Unified || h.Has("freezer") || isNetCLS(h) {
				enter(t, h, leaf.Path, pid)
			}
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_ = input.Close()
			_ = cmd.Wait()
		}()
		for done := false; !done; {
			select {
			case <-ended:
				done = true
			default:
			}
			if err := d.Verify(leaf, testClass, 0, pid); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestNameOfAProcessDoesNotHideThatItEnded(t *testing.T) {
	dir := t.TempDir()
	name := dir + "/x) Z (y) R 1"
	program, err := os.Open("/bin/sleep")
	if err != nil {
		t.Fatal(err)
	}
	defer program.Close()
	link, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(link, program); err != nil {
		t.Fatal(err)
	}
	link.Close()
	cmd := exec.Command(name, "1000")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	if ended, err := hasEnded(cmd.Process.Pid); ended || err != nil {
		t.Errorf("ended %v, %v", ended, err)
	}
}
