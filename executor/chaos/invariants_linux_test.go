package chaos

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/process"
	"mesos-docker-executor/executor/supervise"
)

// base is what this process holds before a test.
type base struct{ goroutines, files int }

func takeBase(t testing.TB) base {
	t.Helper()
	return base{runtime.NumGoroutine(), openFiles(t)}
}

// returns waits until this process holds no more than before.
func (b base) returns(t testing.TB) {
	t.Helper()
	until(t, "goroutines and file descriptors to return to the base line", func() bool {
		return runtime.NumGoroutine() <= b.goroutines && openFiles(t) <= b.files
	})
}

// engineSlack is what dockerd keeps of goroutines, and of files, from its first container on.
const engineSlack = 2

// engineBase is what a dockerd holds before a test.
type engineBase struct {
	engine            *enginetest.Engine
	goroutines, files int
}

func takeEngineBase(t testing.TB, e *enginetest.Engine) engineBase {
	t.Helper()
	b := engineBase{engine: e}
	var err error
	if b.goroutines, b.files, err = b.now(); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b engineBase) now() (goroutines, files int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), soonEnough)
	defer cancel()
	if goroutines, err = b.engine.Goroutines(ctx); err == nil {
		files, err = b.engine.Files()
	}
	return goroutines, files, err
}

// returns waits until dockerd holds no more than before: nothing hangs in it.
func (b engineBase) returns(t testing.TB) {
	t.Helper()
	goroutines, files := 0, 0
	defer func() {
		if t.Failed() {
			t.Logf("dockerd has %d goroutines and %d files; before, %d and %d", goroutines, files, b.goroutines, b.files)
		}
	}()
	until(t, "dockerd's goroutines and files to return to the base line", func() bool {
		var err error
		goroutines, files, err = b.now()
		return err == nil && goroutines <= b.goroutines+engineSlack && files <= b.files+engineSlack
	})
}

func openFiles(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries) - 1 // the one that is being read
}

// noProcess waits until nothing is alive in the task's cgroup.
func (l *life) noProcess() {
	l.t.Helper()
	leaf := l.leaf()
	until(l.t, "the end of the container's processes", func() bool {
		alive, err := leaf.Processes()
		return err == nil && len(alive) == 0
	})
}

func (l *life) leaf() *process.Leaf {
	l.t.Helper()
	groups, err := cgroupnet.Hierarchies()
	if err != nil {
		l.t.Fatal(err)
	}
	return process.OpenLeaf(groups, cgroupRoot+"/00000000/"+l.containerID)
}

// nothingLeft has the sweep of a later executor clean up, on an engine that is well again, and checks that nothing of the task is on
// the host.
func (l *life) nothingLeft(host string) {
	l.t.Helper()
	docker, err := engine.Open(host, engine.DefaultLimits())
	if err != nil {
		l.t.Fatal(err)
	}
	defer docker.Close()
	if _, err := docker.Probe(context.Background()); err != nil {
		l.t.Fatal(err)
	}
	sweep := supervise.SweepOptions{
		RunDir: l.runDir, CgroupRoot: cgroupRoot, Log: slog.New(slog.NewTextHandler(l.log, nil)),
		Engine: docker, Limit: soonEnough, Settle: 1, Thorough: true,
	}
	until(l.t, "the sweep to leave nothing", func() bool {
		if _, err := supervise.Sweep(context.Background(), sweep); err != nil {
			l.t.Fatal(err)
		}
		return len(l.left(docker)) == 0
	})
}

// left lists what is on the host of the task.
func (l *life) left(docker *engine.Engine) []string {
	l.t.Helper()
	var left []string
	for _, folder := range []string{"leases", "mounts", "tasks"} {
		found, _ := filepath.Glob(filepath.Join(l.runDir, folder, l.containerID+"*"))
		left = append(left, found...)
	}
	listed, err := docker.List(context.Background(), "mesos-docker-executor.container_id="+l.containerID)
	if err != nil {
		l.t.Fatal(err)
	}
	for _, one := range listed {
		left = append(left, "container "+one.ID+" "+one.State)
	}
	groups, err := cgroupnet.Hierarchies()
	if err != nil {
		l.t.Fatal(err)
	}
	for _, h := range groups {
		found, _ := filepath.Glob(filepath.Join(h.Dir, cgroupRoot, "*", l.containerID))
		left = append(left, found...)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		l.t.Fatal(err)
	}
	if strings.Contains(string(mounts), l.containerID) {
		left = append(left, "a mount of "+l.containerID)
	}
	return left
}

// removeCgroupRoot removes the empty folders that executors leave for each other.
func removeCgroupRoot() {
	hierarchies, _ := cgroupnet.Hierarchies()
	for _, h := range hierarchies {
		os.Remove(filepath.Join(h.Dir, cgroupRoot, "00000000"))
		os.Remove(filepath.Join(h.Dir, cgroupRoot))
	}
}
