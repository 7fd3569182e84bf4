package supervise

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/process"
)

// bystander is a living executor's task: a claim, a lease, volumes, and a process in a leaf.
type bystander struct {
	*player
	child *exec.Cmd
}

func standBy(t *testing.T, runDir string) bystander {
	t.Helper()
	p := cast(t, wasPlaced, runDir)
	claim, err := process.NewClaim(ClaimDir(runDir), p.ID, process.ClaimRecord{Leaf: p.leaf()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = claim.Release(false) })
	groups, err := cgroupnet.Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.place(groups); err != nil {
		t.Fatal(err)
	}
	return bystander{p, childIn(t, groups, p.leaf())}
}

// childIn starts a process in a cgroup.
func childIn(t *testing.T, groups []cgroupnet.Hierarchy, leaf cgroupnet.Placement) *exec.Cmd {
	t.Helper()
	child := exec.Command("sleep", "600")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill(); _ = child.Wait() })
	for _, h := range groups {
		if h.Has("freezer") || h.Unified {
			if err := os.WriteFile(filepath.Join(h.Folder(leaf.Path), "cgroup.procs"), []byte(strconv.Itoa(child.Process.Pid)), 0); err != nil {
				t.Fatal(err)
			}
		}
	}
	return child
}

func (b bystander) unharmed(t *testing.T) {
	t.Helper()
	if err := b.child.Process.Signal(unix.Signal(0)); err != nil || len(b.processes(t)) != 1 {
		t.Errorf("the process of another task: %v", err)
	}
	found := strings.Join(b.traces(t), " ")
	for _, kind := range []string{"claim", "lease", "volumes", "mounts", "leaf"} {
		if !strings.Contains(found, kind) {
			t.Errorf("of another task is left %q", found)
		}
	}
}

func TestForgedClaimHarmsNobodyElse(t *testing.T) {
	e := probed(t)
	runDir := filepath.Join(t.TempDir(), "run")
	other := standBy(t, runDir)
	othersContainer := createPlain(t, e, other.Name, map[string]string{labelContainer: other.ID})
	const dead = "dead"
	record := func(change func(*process.ClaimRecord)) string {
		r := process.ClaimRecord{ClaimOwner: process.ClaimOwner{Version: 1, ContainerID: dead}}
		change(&r)
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	stays := func(text string) bool { return strings.Contains(text, `"version":2`) }
	for name, content := range map[string]string{
		"garbage":     "\x00\x01garbage",
		"empty":       "",
		"huge":        `{"version":1,"container_id":"dead","task_id":"` + strings.Repeat("x", 1<<20) + `"}`,
		"version 2":   `{"version":2,"container_id":"dead","leaf":"?"}`,
		"other id":    record(func(r *process.ClaimRecord) { r.ContainerID, r.Leaf = other.ID, other.leaf() }),
		"other leaf":  record(func(r *process.ClaimRecord) { r.Leaf = other.leaf() }),
		"root cgroup": record(func(r *process.ClaimRecord) { r.Leaf = cgroupnet.Placement{Parent: "/", Path: "/", Keep: "/"} }),
		"all leaves": record(func(r *process.ClaimRecord) {
			r.Leaf = cgroupnet.Placement{Parent: cgroupRoot, Path: cgroupRoot, Keep: cgroupRoot}
		}),
		"other container": record(func(r *process.ClaimRecord) { r.DockerID = othersContainer }),
		"other name":      record(func(r *process.ClaimRecord) { r.Name, r.CreateUnknown = other.Name, true }),
		"other paths": record(func(r *process.ClaimRecord) {
			r.Lease = process.LeasePath(LeaseDir(runDir), other.ID, 1)
			r.Stage = filepath.Join(stageDir(runDir), other.ID+".1")
		}),
		"name up the API": record(func(r *process.ClaimRecord) { r.Name, r.CreateUnknown = "../images", true }),
		"future": record(func(r *process.ClaimRecord) {
			r.CreateUnknown, r.Sweep.Absent, r.Sweep.Asked, r.Sweep.Failed = true, time.Now().Add(1e6*time.Hour), time.Now().Add(1e6*time.Hour), 1e9
		}),
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(ClaimDir(runDir), dead)
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			defer os.Remove(path)
			first := sweepOnce(t, runDir)
			second := sweepOnce(t, runDir, later(time.Hour))
			other.unharmed(t)
			if _, err := e.Inspect(t.Context(), othersContainer); err != nil {
				t.Errorf("the container of another task: %v", err)
			}
			_, err := os.Stat(path)
			if gone := errors.Is(err, os.ErrNotExist); gone == stays(content) {
				t.Errorf("claim: %v\n%s%s", err, first, second)
			}
		})
	}
}

func TestStrangeEntriesOfTheFoldersAreLeftAlone(t *testing.T) {
	runDir := filepath.Join(t.TempDir(), "run")
	other := standBy(t, runDir)
	precious := t.TempDir()
	if err := os.WriteFile(filepath.Join(precious, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tasks, leases, mounts := ClaimDir(runDir), LeaseDir(runDir), stageDir(runDir)
	strange := []string{
		filepath.Join(tasks, "fifo"), filepath.Join(tasks, "folder"), filepath.Join(tasks, "link"), filepath.Join(tasks, "with blank"),
		filepath.Join(leases, "folder.1"), filepath.Join(leases, "no-attempt"), filepath.Join(leases, "zero.0"), filepath.Join(leases, "x.01"),
		filepath.Join(mounts, "file.1"), filepath.Join(mounts, "full.1"), filepath.Join(mounts, "link.1"),
	}
	old := time.Now().Add(-time.Hour)
	for _, err := range []error{
		unix.Mkfifo(strange[0], 0o600), os.Mkdir(strange[1], 0o700), os.Symlink(other.ID, strange[2]), os.WriteFile(strange[3], nil, 0o600),
		os.Mkdir(strange[4], 0o700), os.Symlink(precious, strange[5]), os.Symlink(precious, strange[6]), os.Symlink(precious, strange[7]),
		os.WriteFile(strange[8], nil, 0o600), os.MkdirAll(filepath.Join(strange[9], "file"), 0o700), os.Symlink(precious, strange[10]),
		os.Chtimes(strange[4], old, old), os.Chtimes(strange[9], old, old), os.Chtimes(strange[8], old, old),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	report := sweepOnce(t, runDir, later(time.Hour))
	for _, path := range append(strange, filepath.Join(precious, "file"), filepath.Join(strange[9], "file")) {
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("%v\n%s", err, report)
		}
	}
	other.unharmed(t)
	if len(report.Dead) > 0 || len(report.Notes) != 4 {
		t.Errorf("%s", report)
	}
	if err := os.Chmod(leases, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := Sweep(t.Context(), SweepOptions{RunDir: runDir, CgroupRoot: cgroupRoot}); err == nil {
		t.Error("swept in a folder that others can change")
	}
	if err := os.Chmod(leases, 0o700); err != nil {
		t.Fatal(err)
	}
}

func TestWhatHasNoClaimGoesWhenItIsOld(t *testing.T) {
	runDir := filepath.Join(t.TempDir(), "run")
	p := killed(t, wasPlaced, runDir)
	other := standBy(t, runDir)
	if err := os.Rename(filepath.Join(ClaimDir(runDir), p.ID), filepath.Join(ClaimDir(runDir), "."+p.ID+".ABC")); err != nil {
		t.Fatal(err)
	}
	before := len(p.traces(t))
	if report := sweepOnce(t, runDir); len(report.Unclaimed) > 0 || len(p.traces(t)) != before {
		t.Errorf("too early:\n%s", report)
	}
	report := sweepOnce(t, runDir, later(11*time.Minute))
	if found := strings.Join(p.traces(t), " "); found != "leaf" || len(report.Unclaimed) != 3 {
		t.Errorf("there is %q\n%s", found, report)
	}
	if _, err := os.Stat(filepath.Join(p.Sandbox, "data", "proof")); err != nil {
		t.Errorf("the sandbox: %v", err)
	}
	if _, err := os.Stat(filepath.Join(ClaimDir(runDir), "."+p.ID+".ABC")); err == nil {
		t.Error("the unfinished claim is there")
	}
	other.unharmed(t)
	groups, err := cgroupnet.Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	if err := cgroupnet.Remove(groups, p.leaf()); err != nil {
		t.Error(err)
	}
}

func TestClaimOfAnotherBootIsSettledAtOnce(t *testing.T) {
	p := killed(t, wasCreated, filepath.Join(t.TempDir(), "run"))
	path := filepath.Join(ClaimDir(p.RunDir), p.ID)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var record process.ClaimRecord
	if err := json.Unmarshal(text, &record); err != nil {
		t.Fatal(err)
	}
	record.BootID, record.CreateUnknown, record.DockerID = "00000000-0000-0000-0000-000000000000", true, ""
	if text, err = json.Marshal(record); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	sweepOnce(t, p.RunDir)
	p.nothingLeft(t)
}

func TestNestedLeafIsLeftToTheAgentForAWhile(t *testing.T) {
	const id, agents = "nested-sweep-test", "/mesos-sweep-test"
	runDir := filepath.Join(t.TempDir(), "run")
	groups, err := cgroupnet.Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	nested := cgroupnet.Placement{Parent: agents + "/" + id + "/task", Path: agents + "/" + id + "/task", Keep: agents}
	if err := cgroupnet.Prepare(groups, nested); err != nil {
		t.Fatal(err)
	}
	there := func(cgroup string) (n int) {
		for _, h := range groups {
			if _, err := os.Stat(h.Folder(cgroup)); err == nil {
				n++
			}
		}
		return n
	}
	t.Cleanup(func() {
		for _, h := range groups {
			for _, cgroup := range []string{nested.Path, agents + "/" + id, agents} {
				_ = os.Remove(h.Folder(cgroup))
			}
		}
	})
	child := childIn(t, groups, nested)
	leaveClaim(t, runDir, id, process.ClaimRecord{Leaf: nested})

	report := sweepOnce(t, runDir)
	if err := child.Wait(); err == nil || len(report.Dead) != 1 || report.Dead[0].Complete {
		t.Errorf("%v\n%s", err, report)
	}
	if there(nested.Path) != 1 || there(agents+"/"+id) != len(groups) {
		t.Errorf("the leaf is in %d hierarchies, the agent's cgroup in %d of %d\n%s", there(nested.Path), there(agents+"/"+id), len(groups), report)
	}
	if report = sweepOnce(t, runDir, later(11*time.Minute)); len(report.Dead) != 1 || !report.Dead[0].Complete {
		t.Errorf("%s", report)
	}
	if there(nested.Path) != 0 || there(agents+"/"+id) != 1 {
		t.Errorf("the leaf is in %d hierarchies, the agent's cgroup in %d\n%s", there(nested.Path), there(agents+"/"+id), report)
	}
}

func TestContainersWithoutAClaimAreJudgedByTheirLabels(t *testing.T) {
	e := probed(t)
	runDir := filepath.Join(t.TempDir(), "run")
	boot, err := process.BootID()
	if err != nil {
		t.Fatal(err)
	}
	claim := func(id string) string { return filepath.Join(ClaimDir(runDir), id) }
	thorough := func(o *SweepOptions) { o.Thorough = true }
	labels := func(id, claim, boot string) map[string]string {
		return map[string]string{labelContainer: id, labelClaim: claim, labelBoot: boot}
	}
	leaveClaim(t, runDir, "claimed", process.ClaimRecord{DockerID: strings.Repeat("0", 64)})
	living, err := process.NewClaim(ClaimDir(runDir), "living", process.ClaimRecord{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = living.Release(true) }()
	prefix := "orphan-" + filepath.Base(filepath.Dir(t.TempDir())) + "-"
	ids := map[string]string{}
	for name, l := range map[string]map[string]string{
		"plain":                      nil,
		"no claim":                   {labelContainer: "x"},
		"elsewhere":                  labels("x", "/run/other/tasks/x", boot),
		"living":                     labels("living", claim("living"), boot),
		"this boot":                  labels("x", claim("x"), boot),
		"running":                    labels("y", claim("y"), boot),
		"other boot":                 labels("z", claim("z"), "00000000-0000-0000-0000-000000000000"),
		"running since another boot": labels("u", claim("u"), "00000000-0000-0000-0000-000000000000"),
	} {
		ids[name] = createPlain(t, e, prefix+strings.ReplaceAll(name, " ", "-"), l)
	}
	for _, name := range []string{"running", "running since another boot"} {
		if err := e.Start(t.Context(), ids[name]); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(report SweepReport, gone ...string) {
		t.Helper()
		for name, id := range ids {
			_, err := e.Inspect(t.Context(), id)
			want := slices.Contains(gone, name)
			if errors.Is(err, engine.ErrNotFound) != want {
				t.Errorf("%s: %v\n%s", name, err, report)
			}
		}
	}
	expect(sweepOnce(t, runDir))
	expect(sweepOnce(t, runDir, thorough), "other boot")
	expect(sweepOnce(t, runDir, thorough, later(11*time.Minute)), "other boot", "this boot")
}

// An image that was committed from a container has its labels, and so has every container that is made from the image.
func TestCopyOfADeadTasksContainerStays(t *testing.T) {
	e := probed(t)
	for _, s := range []stage{wasCreated, sentCreate} {
		p := killed(t, s, filepath.Join(t.TempDir(), "run"))
		copied := createPlain(t, e, "copy-of-"+p.Name, p.labels(filepath.Join(ClaimDir(p.RunDir), p.ID)))
		first := sweepOnce(t, p.RunDir)
		second := sweepOnce(t, p.RunDir, later(11*time.Minute))
		if _, err := e.Inspect(t.Context(), copied); err != nil {
			t.Errorf("%s: the copy: %v\n%s%s", s, err, first, second)
		}
		if _, err := e.Inspect(t.Context(), p.Name); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("%s: the container: %v\n%s%s", s, err, first, second)
		}
		if swept := sweptIn(t, first, p.ID); !strings.Contains(strings.Join(swept.Notes, " "), "copy") {
			t.Errorf("%s: the copy is not told of: %q", s, swept.Notes)
		}
		if _, err := os.Lstat(filepath.Join(ClaimDir(p.RunDir), p.ID)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the claim: %v", s, err)
		}
	}
}

func TestEngineThatCannotRemoveIsSparedForAWhile(t *testing.T) {
	now := time.Now()
	e := &engine.Engine{}
	for name, test := range map[string]struct {
		failed   int
		ago      time.Duration
		thorough bool
		asked    bool
	}{
		"never failed":          {0, 0, false, true},
		"a moment ago":          {1, time.Second, false, false},
		"long ago for one":      {1, 61 * time.Second, false, true},
		"not long for four":     {4, 7 * time.Minute, false, false},
		"long ago for four":     {4, 8*time.Minute + time.Second, false, true},
		"never more than this":  {1 << 40, 30*time.Minute + time.Second, false, true},
		"the clock was stepped": {1, -time.Hour, false, true},
		"asked by a person":     {5, time.Second, true, true},
	} {
		s := &sweep{SweepOptions: SweepOptions{Engine: e, Thorough: test.thorough, Now: func() time.Time { return now }}}
		d := &deadTask{record: process.ClaimRecord{Sweep: process.ClaimSweep{Failed: test.failed, Asked: now.Add(-test.ago)}}}
		if why := s.keepFromEngine(d); (why == "") != test.asked {
			t.Errorf("%s: %q", name, why)
		}
	}
}
