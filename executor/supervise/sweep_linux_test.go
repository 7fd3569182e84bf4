package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	api "github.com/docker/docker/api/types/container"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/process"
)

func TestSweepRemovesAllOfTheDeadAndNothingOfTheLiving(t *testing.T) {
	runDir := filepath.Join(t.TempDir(), "run")
	living := cast(t, wasRunning, runDir)
	living.begin(t)
	var dead []*player
	for _, s := range []stage{wasClaimed, wasPlaced, wasCreated, wasRunning} {
		dead = append(dead, killed(t, s, runDir))
	}
	living.says(t, "ready")
	before := living.traces(t)

	report := sweepOnce(t, runDir)
	if report.Alive != 1 || len(report.Dead) != len(dead) || len(report.Notes) > 0 || report.More {
		t.Errorf("report:\n%s", report)
	}
	for _, p := range dead {
		p.nothingLeft(t)
		if swept := sweptIn(t, report, p.ID); !swept.Complete || swept.TaskID != "task of "+p.ID {
			t.Errorf("%s: %+v", p.Stage, swept)
		}
	}
	if after := living.traces(t); len(after) != len(before) || len(living.processes(t)) == 0 {
		t.Errorf("of the living is there %q, was %q", after, before)
	}
	if c, err := probed(t).Inspect(t.Context(), living.Name); err != nil || !c.Running {
		t.Errorf("container of the living: %s, %v", c.Status, err)
	}
	exchange(t, filepath.Join(ClaimDir(runDir), living.ID)) // as an editor does
	sweepOnce(t, runDir)
	if len(living.processes(t)) == 0 {
		t.Error("a claim that was exchanged cost a living executor its task")
	}
	living.kill(t)
	sweepOnce(t, runDir)
	living.nothingLeft(t)
	if _, err := json.Marshal(report); err != nil {
		t.Error(err)
	}
}

// exchange puts a copy of a file in its place.
func exchange(t *testing.T, path string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func TestForeignContainerOfTheSameNameStays(t *testing.T) {
	e := probed(t)
	for _, labels := range []map[string]string{nil, {labelContainer: "another"}} {
		p := cast(t, sentCreate, filepath.Join(t.TempDir(), "run"))
		id := createPlain(t, e, p.Name, labels)
		p.begin(t)
		p.says(t, "ready")
		p.kill(t)
		swept := sweptIn(t, sweepOnce(t, p.RunDir), p.ID)
		if swept.Complete || !strings.Contains(fmt.Sprint(swept.Notes), "not ours") {
			t.Errorf("%+v", swept)
		}
		if swept = sweptIn(t, sweepOnce(t, p.RunDir, later(11*time.Minute)), p.ID); !swept.Complete {
			t.Errorf("%+v", swept)
		}
		if found := p.traces(t); len(found) > 0 {
			t.Errorf("left: %q", found)
		}
		if _, err := e.Inspect(t.Context(), id); err != nil {
			t.Errorf("the foreign container: %v", err)
		}
	}
}

// createPlain creates a container that is removed at the end of the test.
func createPlain(t *testing.T, e *engine.Engine, name string, labels map[string]string) string {
	t.Helper()
	id, _, err := e.Create(t.Context(), name, &api.Config{Image: enginetest.Image, Labels: labels, Cmd: []string{"sleep", "600"}},
		&api.HostConfig{NetworkMode: "none", LogConfig: api.LogConfig{Type: "none"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Remove(context.WithoutCancel(t.Context()), id); err != nil {
			t.Error(err)
		}
	})
	return id
}

func TestFrozenEngineDelaysNothingButTheContainer(t *testing.T) {
	p := killed(t, wasRunning, filepath.Join(t.TempDir(), "run"))
	e := probed(t)
	if err := docker.Freeze(); err != nil {
		t.Fatal(err)
	}
	report := sweepOnce(t, p.RunDir, func(o *SweepOptions) { o.Engine, o.Limit = e, time.Second })
	if found := p.traces(t); strings.Join(found, " ") != "claim leaf" && strings.Join(found, " ") != "leaf claim" {
		t.Errorf("there is %q\n%s", found, report)
	}
	if swept := sweptIn(t, report, p.ID); swept.Complete || len(swept.Done) != 3 || len(swept.Left) == 0 {
		t.Errorf("%+v", swept)
	}
	if err := docker.Thaw(); err != nil {
		t.Fatal(err)
	}
	sweepOnce(t, p.RunDir)
	p.nothingLeft(t)
}

func TestLateCreateLeavesNoContainer(t *testing.T) {
	const executors = 5
	runDir := filepath.Join(t.TempDir(), "run")
	e := probed(t)
	if err := docker.Freeze(); err != nil {
		t.Fatal(err)
	}
	var dead []*player
	for range executors {
		dead = append(dead, killed(t, sentCreate, runDir))
	}
	const fenced = 2 // the others have nobody to revoke their leases before the engine goes on
	sweepOnce(t, runDir, func(o *SweepOptions) { o.Engine, o.Limit, o.MaxClaims = e, 200*time.Millisecond, fenced })
	if err := docker.Thaw(); err != nil {
		t.Fatal(err)
	}
	await(t, "the late containers", func() bool {
		listed, err := e.List(t.Context(), labelContainer)
		n := 0
		for _, l := range listed {
			if strings.HasPrefix(l.Labels[labelClaim], runDir) {
				n++
			}
		}
		return err == nil && n >= executors-fenced
	})
	report := sweepOnce(t, runDir, func(o *SweepOptions) { o.MaxClaims = executors })
	for _, p := range dead {
		if found := p.traces(t); strings.Join(found, "") != "claim" {
			t.Errorf("there is %q\n%s", found, report)
		}
	}
	report = sweepOnce(t, runDir, later(9*time.Minute), func(o *SweepOptions) { o.MaxClaims = executors })
	if len(report.Dead) != executors || sweptIn(t, report, dead[0].ID).Complete {
		t.Errorf("a claim went too early\n%s", report)
	}
	sweepOnce(t, runDir, later(11*time.Minute), func(o *SweepOptions) { o.MaxClaims = executors })
	for _, p := range dead {
		p.nothingLeft(t)
	}
}

func TestLateStartRunsNothing(t *testing.T) {
	p := cast(t, sentStart, filepath.Join(t.TempDir(), "run"))
	e := probed(t)
	p.begin(t)
	p.says(t, "created")
	if err := docker.Freeze(); err != nil {
		t.Fatal(err)
	}
	p.goOn(t)
	p.says(t, "ready")
	p.kill(t)
	sweepOnce(t, p.RunDir, func(o *SweepOptions) { o.Engine, o.Limit = e, 200*time.Millisecond })
	if err := docker.Thaw(); err != nil {
		t.Fatal(err)
	}
	// The removal that the sweep sent to the frozen engine may be under way.
	if err := e.Start(t.Context(), p.Name); err == nil ||
		!strings.Contains(err.Error(), "bind source path does not exist") && !strings.Contains(err.Error(), "marked for removal") && !errors.Is(err, engine.ErrNotFound) {
		t.Errorf("start without the lease: %v", err)
	}
	sweepOnce(t, p.RunDir, func(o *SweepOptions) { o.Thorough = true }) // which does not spare the engine
	p.nothingLeft(t)
	if _, err := os.Stat(filepath.Join(p.Sandbox, "ran")); err == nil {
		t.Error("the task has run")
	}
}

// Nobody has revoked the leases: the engine starts the containers while the sweep removes them.
func TestLateStartDuringTheSweepLeavesNothing(t *testing.T) {
	runDir := filepath.Join(t.TempDir(), "run")
	var dead []*player
	for range 3 {
		p := cast(t, sentStart, runDir)
		p.begin(t)
		p.says(t, "created")
		dead = append(dead, p)
	}
	if err := docker.Freeze(); err != nil {
		t.Fatal(err)
	}
	for _, p := range dead {
		p.goOn(t)
		p.says(t, "ready")
		p.kill(t)
	}
	if err := docker.Thaw(); err != nil {
		t.Fatal(err)
	}
	report := sweepOnce(t, runDir)
	for _, p := range dead {
		p.nothingLeft(t)
	}
	if t.Failed() {
		t.Log(report)
	}
}

// A frozen shim makes the engine hang in the removal of this container only.
func TestWedgedContainerIsNotAskedForByEverySweep(t *testing.T) {
	runDir := filepath.Join(t.TempDir(), "run")
	wedged, other := killed(t, wasRunning, runDir), killed(t, wasCreated, runDir)
	c, err := probed(t).Inspect(t.Context(), wedged.Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := docker.SignalShim(c.ID, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = docker.SignalShim(c.ID, unix.SIGCONT) }()
	report := sweepOnce(t, runDir, func(o *SweepOptions) { o.Limit = 2 * time.Second })
	other.nothingLeft(t)
	if len(wedged.processes(t)) > 0 || sweptIn(t, report, wedged.ID).Complete {
		t.Errorf("%s", report)
	}
	swept := sweptIn(t, sweepOnce(t, runDir), wedged.ID)
	if len(swept.Left) != 1 || !strings.Contains(swept.Left[0], "failed to remove it 1 times") {
		t.Errorf("%+v", swept)
	}
	if err := docker.SignalShim(c.ID, unix.SIGCONT); err != nil {
		t.Fatal(err)
	}
	sweepOnce(t, runDir, later(2*time.Minute))
	wedged.nothingLeft(t)
}

func TestEngineIsKnownByItsSocket(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.WriteFile(dir+"/a", nil, 0o600), os.Symlink("a", dir+"/b"), os.WriteFile(dir+"/c", nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	for other, same := range map[string]bool{"/a": true, "/b": true, "/c": false, "/none": false} {
		if got := sameEngine("unix://"+dir+"/a", "unix://"+dir+other); got != same {
			t.Errorf("%s: %v", other, got)
		}
	}
	p := killed(t, wasCreated, filepath.Join(dir, "run"))
	swept := sweptIn(t, sweepOnce(t, p.RunDir, func(o *SweepOptions) { o.EngineHost = "unix://" + dir + "/a" }), p.ID)
	if swept.Complete || len(swept.Left) != 1 || !strings.Contains(swept.Left[0], "another engine") {
		t.Errorf("%+v", swept)
	}
	sweepOnce(t, p.RunDir, func(o *SweepOptions) { o.EngineHost = docker.Host })
	p.nothingLeft(t)
}

func TestTwoSweepsAtOnceDoEachWorkOnce(t *testing.T) {
	runDir := filepath.Join(t.TempDir(), "run")
	var dead []*player
	for range 4 {
		dead = append(dead, killed(t, wasCreated, runDir))
	}
	var both sync.WaitGroup
	reports := make([]SweepReport, 2)
	for i := range reports {
		both.Go(func() { reports[i] = sweepOnce(t, runDir) })
	}
	both.Wait()
	all := append(reports[0].Dead, reports[1].Dead...)
	if len(all) != len(dead) {
		t.Errorf("%s\n%s", reports[0], reports[1])
	}
	for _, d := range all {
		if !d.Complete {
			t.Errorf("%+v", d)
		}
	}
	for _, p := range dead {
		p.nothingLeft(t)
	}
}

func TestKilledSweepIsTakenUpByTheNext(t *testing.T) {
	runDir := filepath.Join(t.TempDir(), "run")
	p := killed(t, wasRunning, runDir)
	sweeper := cast(t, sweeping, runDir)
	sweeper.begin(t)
	sweeper.says(t, "probed")
	if err := docker.Freeze(); err != nil {
		t.Fatal(err)
	}
	sweeper.goOn(t)
	await(t, "the part without the engine", func() bool { return len(p.traces(t)) == 2 }) // claim and leaf
	if _, err := process.TakeClaim(ClaimDir(runDir), p.ID); err == nil {
		t.Error("nobody holds the claim during the sweep")
	}
	sweeper.kill(t)
	if err := docker.Thaw(); err != nil {
		t.Fatal(err)
	}
	sweepOnce(t, runDir)
	p.nothingLeft(t)
}

func TestSweepWithoutTheDeadAsksNoEngine(t *testing.T) {
	runDir := filepath.Join(t.TempDir(), "run")
	for i := range 40 {
		c, err := process.NewClaim(ClaimDir(runDir), fmt.Sprintf("living-%d", i), process.ClaimRecord{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Release(true) })
	}
	none, err := engine.Open("unix:///none", engine.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	report := sweepOnce(t, runDir, func(o *SweepOptions) { o.Engine = none })
	if report.Alive != 40 || len(report.Dead)+len(report.Notes)+len(report.Unclaimed) > 0 {
		t.Errorf("%s", report)
	}
}

func TestSweepLeavesNoFilesAndGoroutinesOpen(t *testing.T) {
	runDir := filepath.Join(t.TempDir(), "run")
	files := func() int { entries, _ := os.ReadDir("/proc/self/fd"); return len(entries) }
	killed(t, wasPlaced, runDir)
	sweepOnce(t, runDir)
	for range 2 {
		killed(t, wasPlaced, runDir)
	}
	goroutines, fds := runtime.NumGoroutine(), files()
	for range 3 {
		sweepOnce(t, runDir)
	}
	await(t, "goroutines and files to be gone", func() bool {
		return runtime.NumGoroutine() <= goroutines && files() <= fds
	})
}

func TestSweepWorksOnLimitedNumberOfTheDead(t *testing.T) {
	runDir := filepath.Join(t.TempDir(), "run")
	for i := range 5 {
		leaveClaim(t, runDir, fmt.Sprintf("dead-%d", i), process.ClaimRecord{})
	}
	for want := 5; want > 0; want -= 2 {
		report := sweepOnce(t, runDir, func(o *SweepOptions) { o.MaxClaims = 2 })
		if len(report.Dead) != min(want, 2) || report.More != (want > 2) {
			t.Errorf("%s", report)
		}
	}
}

// leaveClaim makes a claim as of an executor that has died.
func leaveClaim(t *testing.T, runDir, id string, record process.ClaimRecord) {
	t.Helper()
	c, err := process.NewClaim(ClaimDir(runDir), id, record)
	if err == nil {
		err = c.Release(false)
	}
	if err != nil {
		t.Fatal(err)
	}
}
