package process

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
)

func tasksDir(t *testing.T) string { return filepath.Join(t.TempDir(), "run", "tasks") }

func newTestClaim(t *testing.T, dir, id string) *Claim {
	t.Helper()
	c, err := NewClaim(dir, id, ClaimRecord{TaskID: "t1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Release(false) })
	return c
}

func readClaim(t *testing.T, path string) ClaimRecord {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var record ClaimRecord
	if err := json.Unmarshal(text, &record); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return record
}

func TestClaimTellsWhoServesAndWhatMayExist(t *testing.T) {
	dir := tasksDir(t)
	c := newTestClaim(t, dir, "c1")
	if c.Path() != filepath.Join(dir, "c1") {
		t.Errorf("path %s", c.Path())
	}
	first := readClaim(t, c.Path())
	boot, err := BootID()
	if err != nil || len(boot) != 36 {
		t.Errorf("boot id %q, %v", boot, err)
	}
	if first.Version != 1 || first.ContainerID != "c1" || first.TaskID != "t1" || first.BootID != boot || first.PID != os.Getpid() || first.StartTime == 0 || first.Claimed.IsZero() {
		t.Errorf("got %+v", first)
	}
	want := ClaimRecord{
		ClaimOwner: first.ClaimOwner,
		TaskID:     "t2", Name: "mesosx-c1", DockerID: strings.Repeat("a", 64), EngineHost: "unix:///x", CreateUnknown: true,
		Leaf:  cgroupnet.Placement{Parent: "/r/00000000/c1", Path: "/r/00000000/c1", Keep: "/r"},
		Lease: "/run/leases/c1.1", Stage: "/run/mounts/c1.1",
		Sweep: ClaimSweep{Failed: 2},
	}
	changed := want
	changed.ClaimOwner = ClaimOwner{ContainerID: "other"} // is not for the caller to say
	if err := c.Update(changed); err != nil {
		t.Fatal(err)
	}
	if got := readClaim(t, c.Path()); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("folder %v, %v", st, err)
	}
	if st, err := os.Stat(c.Path()); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("file %v, %v", st, err)
	}
}

func TestHeldClaimIsRefusedToOthers(t *testing.T) {
	dir := tasksDir(t)
	c := newTestClaim(t, dir, "c1")
	for range 2 { // before and after an update
		if _, err := NewClaim(dir, "c1", ClaimRecord{}); !errors.Is(err, ErrClaimHeld) {
			t.Errorf("new: %v", err)
		}
		if _, err := TakeClaim(dir, "c1"); !errors.Is(err, ErrClaimHeld) {
			t.Errorf("take: %v", err)
		}
		if err := c.Update(ClaimRecord{TaskID: "t1"}); err != nil {
			t.Fatal(err)
		}
	}
	checkOnly(t, dir, "c1")
}

func TestReleasedClaimStaysForASweepUnlessClean(t *testing.T) {
	dir := tasksDir(t)
	c := newTestClaim(t, dir, "c1")
	for range 2 {
		if err := c.Release(false); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Update(ClaimRecord{}); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("update after release: %v", err)
	}
	if _, err := NewClaim(dir, "c1", ClaimRecord{}); !errors.Is(err, ErrClaimLeft) {
		t.Errorf("new: %v", err)
	}
	taken, err := TakeClaim(dir, "c1")
	if err != nil {
		t.Fatal(err)
	}
	record, err := taken.Record()
	if err != nil || record.TaskID != "t1" || record.PID != os.Getpid() {
		t.Errorf("got %+v, %v", record, err)
	}
	if _, err := TakeClaim(dir, "c1"); !errors.Is(err, ErrClaimHeld) {
		t.Errorf("second sweep: %v", err)
	}
	record.Sweep.Failed = 1
	if err := taken.Update(record); err != nil {
		t.Fatal(err)
	}
	if got := readClaim(t, c.Path()); got.Sweep.Failed != 1 || !got.Claimed.Equal(record.Claimed) {
		t.Errorf("got %+v", got)
	}
	if err := taken.Release(true); err != nil {
		t.Fatal(err)
	}
	checkOnly(t, dir)
	if _, err := TakeClaim(dir, "c1"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("take: %v", err)
	}
	if err := newTestClaim(t, dir, "c1").Release(true); err != nil {
		t.Error(err)
	}
}

func checkOnly(t *testing.T, dir string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if !reflect.DeepEqual(names, want) {
		t.Errorf("%s holds %q, want %q", dir, names, want)
	}
}

// While an owner makes, updates and removes its claim all the time, nobody else gets the lock or sees half a record.
func TestClaimOfTheLivingIsNeverSeenUnlockedOrIncomplete(t *testing.T) {
	dir := tasksDir(t)
	newTestClaim(t, dir, "other")
	done := make(chan struct{})
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				c, err := TakeClaim(dir, "c1")
				switch {
				case err == nil:
					t.Error("taken from a living owner")
					_ = c.Release(false)
					return
				case !errors.Is(err, ErrClaimHeld) && !errors.Is(err, fs.ErrNotExist):
					t.Error(err)
					return
				}
				if text, err := os.ReadFile(filepath.Join(dir, "c1")); err == nil && !json.Valid(text) {
					t.Errorf("half a claim: %q", text)
				}
			}
		})
	}
	for range 300 {
		c, err := NewClaim(dir, "c1", ClaimRecord{})
		if err != nil {
			t.Error(err)
			break
		}
		for range 3 {
			if err := c.Update(ClaimRecord{TaskID: strings.Repeat("x", 5000)}); err != nil {
				t.Error(err)
			}
		}
		if err := c.Release(true); err != nil {
			t.Error(err)
		}
	}
	close(done)
	all.Wait()
	checkOnly(t, dir, "other")
}

func TestClaimDoesNotLeakIntoChildren(t *testing.T) {
	dir := tasksDir(t)
	c := newTestClaim(t, dir, "c1")
	if err := c.Update(ClaimRecord{}); err != nil {
		t.Fatal(err)
	}
	child := exec.Command("sleep", "600")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = child.Process.Kill(); _ = child.Wait() }()
	if err := c.Release(false); err != nil {
		t.Fatal(err)
	}
	taken, err := TakeClaim(dir, "c1")
	if err != nil {
		t.Fatal(err)
	}
	if err := taken.Release(true); err != nil {
		t.Error(err)
	}
}

func TestRemovedClaimIsMadeAgainAndAnothersIsLeft(t *testing.T) {
	dir := tasksDir(t)
	c := newTestClaim(t, dir, "c1")
	if err := os.Remove(c.Path()); err != nil {
		t.Fatal(err)
	}
	if err := c.Update(ClaimRecord{TaskID: "again"}); err != nil || readClaim(t, c.Path()).TaskID != "again" {
		t.Errorf("update: %v", err)
	}
	if err := os.Remove(c.Path()); err != nil {
		t.Fatal(err)
	}
	other := newTestClaim(t, dir, "c1")
	if err := c.Update(ClaimRecord{}); !errors.Is(err, ErrClaimHeld) {
		t.Errorf("update: %v", err)
	}
	if err := c.Release(true); !errors.Is(err, ErrClaimHeld) {
		t.Errorf("release: %v", err)
	}
	if err := other.Update(ClaimRecord{}); err != nil {
		t.Error(err)
	}
}

func TestOnlyRootMayChangeWhereTheClaimsAre(t *testing.T) {
	base := t.TempDir()
	if err := makeFolder(base+"/open", 0o777, 0); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{base + "/open", base + "/open/tasks", "tasks"} {
		if _, err := NewClaim(dir, "c1", ClaimRecord{}); err == nil {
			t.Errorf("claimed in %s", dir)
		}
	}
	if _, err := ListClaims(base + "/open"); err == nil {
		t.Error("listed")
	}
	for _, id := range []string{"", "..", "a/b", ".c1"} {
		if _, err := NewClaim(base+"/tasks", id, ClaimRecord{}); err == nil {
			t.Errorf("claimed %q", id)
		}
	}
}

func TestListClaimsTellsWhatIsNone(t *testing.T) {
	dir := tasksDir(t)
	if all, err := ListClaims(dir); err != nil || !reflect.DeepEqual(all, Claims{}) {
		t.Errorf("missing folder: %+v, %v", all, err)
	}
	newTestClaim(t, dir, "c1")
	for _, name := range []string{".c2.ABC", ".x", "c3.1", ".hidden file"} {
		write(t, dir, name)
	}
	all, err := ListClaims(dir)
	want := Claims{IDs: []string{"c1"}, Unfinished: []string{filepath.Join(dir, ".c2.ABC"), filepath.Join(dir, ".x")}, Others: []string{".hidden file", "c3.1"}}
	if len(all.Unfinished) == 2 && all.Unfinished[0] > all.Unfinished[1] {
		all.Unfinished[0], all.Unfinished[1] = all.Unfinished[1], all.Unfinished[0]
	}
	if len(all.Others) == 2 && all.Others[0] > all.Others[1] {
		all.Others[0], all.Others[1] = all.Others[1], all.Others[0]
	}
	if err != nil || !reflect.DeepEqual(all, want) {
		t.Errorf("got %+v, %v, want %+v", all, err, want)
	}
}

func TestTakeClaimTakesNothingButFiles(t *testing.T) {
	dir := tasksDir(t)
	newTestClaim(t, dir, "real")
	for id, put := range map[string]func(string) error{
		"fifo":    func(path string) error { return unix.Mkfifo(path, 0o600) },
		"folder":  func(path string) error { return os.Mkdir(path, 0o700) },
		"symlink": func(path string) error { return os.Symlink("real", path) },
	} {
		if err := put(filepath.Join(dir, id)); err != nil {
			t.Fatal(err)
		}
		taken := answerOf(func() error { _, err := TakeClaim(dir, id); return err })
		select {
		case err := <-taken:
			if err == nil || errors.Is(err, ErrClaimHeld) {
				t.Errorf("%s: %v", id, err)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s: hangs", id)
		}
		if _, err := NewClaim(dir, id, ClaimRecord{}); err == nil {
			t.Errorf("%s: claimed", id)
		}
	}
}

func answerOf(f func() error) chan error {
	answer := make(chan error, 1)
	go func() { answer <- f() }()
	return answer
}

func TestRecordRefusesWhatIsNotAboutTheContainer(t *testing.T) {
	dir := tasksDir(t)
	newTestClaim(t, dir, "other")
	for name, test := range map[string]struct {
		content string
		version bool
	}{
		"empty":           {"", false},
		"garbage":         {"\x00\xffgarbage", false},
		"array":           {"[]", false},
		"null":            {"null", false},
		"half":            {`{"version":1,"container_id":"c1"`, false},
		"another version": {`{"version":2,"container_id":["what","ever"]}`, true},
		"version 2":       {`{"version":2,"container_id":"c1"}`, true},
		"another id":      {`{"version":1,"container_id":"c2"}`, false},
		"wrong type":      {`{"version":1,"container_id":"c1","leaf":7}`, false},
		"huge":            {`{"version":1,"container_id":"c1","task_id":"` + strings.Repeat("x", maxClaimSize) + `"}`, false},
		"wrong time":      {`{"version":1,"container_id":"c1","claimed":"yesterday"}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(filepath.Join(dir, "c1"), []byte(test.content), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := TakeClaim(dir, "c1")
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = c.Release(false) }()
			record, err := c.Record()
			if err == nil || errors.Is(err, ErrClaimVersion) != test.version {
				t.Errorf("got %+v, %v", record, err)
			}
		})
	}
}
