package process

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mesos-docker-executor/cgroupnet"
)

// eachWay runs the test with cgroup.kill, and as on a host without cgroup v2.
func eachWay(t *testing.T, test func(t *testing.T, f *fixture, kill func() error)) {
	t.Run("as the host is", func(t *testing.T) {
		f := newLeaf(t)
		test(t, f, f.Kill)
	})
	t.Run("v1 freezer only", func(t *testing.T) {
		f := newLeaf(t)
		test(t, f, f.without(unified).Kill)
	})
	t.Run("without the v1 freezer", func(t *testing.T) {
		f := newLeaf(t)
		test(t, f, f.without(func(h cgroupnet.Hierarchy) bool { return h.Has("freezer") && !h.Unified }).Kill)
	})
}

func (f *fixture) wantEmpty() {
	f.t.Helper()
	ps, err := f.Processes()
	if err != nil || len(ps) != 0 {
		f.t.Errorf("left: %v (%v)", ps, err)
	}
	if state, err := os.ReadFile(filepath.Join(f.freezer(""), "freezer.state")); err != nil || strings.TrimSpace(string(state)) != "THAWED" {
		f.t.Errorf("freezer state %q (%v)", state, err)
	}
}

func TestKillEndsTheWholeSubtree(t *testing.T) {
	eachWay(t, func(t *testing.T, f *fixture, kill func() error) {
		f.start(testID, nil, shell("trap '' TERM INT HUP; sleep 1000 & sleep 1000 & wait; wait", false))
		f.start(testID+"/inner/most", nil, shell("exec sleep 1000", true))
		f.start("", nil, shell("exec sleep 1000", false))
		f.waitForProcesses(5)
		began := time.Now()
		if err := kill(); err != nil {
			t.Fatal(err)
		}
		t.Logf("killed in %v", time.Since(began))
		f.wantEmpty()
		if err := kill(); err != nil {
			t.Errorf("the second time: %v", err)
		}
	})
}

func TestKillEndsForkingProcesses(t *testing.T) {
	eachWay(t, func(t *testing.T, f *fixture, kill func() error) {
		f.start(testID, nil, shell(`
			for i in $(seq 50); do (while :; do sleep 0.01; done) & done; wait`, false))
		f.waitForProcesses(50)
		began := time.Now()
		if err := kill(); err != nil {
			t.Fatal(err)
		}
		t.Logf("killed in %v", time.Since(began))
		f.wantEmpty()
	})
}

func TestKillThawsAPausedContainer(t *testing.T) {
	for name, leave := range map[string]func(cgroupnet.Hierarchy) bool{
		"as the host is":  func(cgroupnet.Hierarchy) bool { return false },
		"v1 freezer only": unified,
	} {
		t.Run(name, func(t *testing.T) {
			f := newLeaf(t)
			f.start(testID, nil, shell("exec sleep 1000", true))
			f.start(testID+"/inner", nil, shell("exec sleep 1000", false))
			for _, below := range []string{testID + "/inner", testID} {
				if err := writeFile(filepath.Join(f.freezer(below), "freezer.state"), "FROZEN"); err != nil {
					t.Fatal(err)
				}
			}
			if err := f.without(leave).Kill(); err != nil {
				t.Fatal(err)
			}
			f.wantEmpty()
		})
	}
}

func TestKillEndsAProcessThatIsInOneHierarchyOnly(t *testing.T) {
	f := newLeaf(t)
	f.start(testID, func(h cgroupnet.Hierarchy) bool { return h.Has("pids") }, shell("exec sleep 1000", false))
	if err := f.Kill(); err != nil {
		t.Fatal(err)
	}
	f.wantEmpty()
}

func TestKillNamesWhatSurvives(t *testing.T) {
	f := newLeaf(t)
	c := f.start(testID, nil, shell("exec sleep 1000", false))
	waitFor(t, "the process to sleep", func() bool { st, err := readStat(c.Process.Pid); return err == nil && st.comm == "sleep" })
	// Frozen above the leaf, where Kill does not reach: it sleeps uninterruptibly.
	above := filepath.Join(filepath.Dir(f.freezer("")), "freezer.state")
	if err := writeFile(above, "FROZEN"); err != nil {
		t.Fatal(err)
	}
	thaw := func() {
		if err := writeFile(above, "THAWED"); err != nil {
			t.Error(err)
		}
	}
	defer thaw()
	began := time.Now()
	err := f.Kill()
	var alive *AliveError
	if !errors.As(err, &alive) || len(alive.Processes) != 1 || alive.Processes[0].PID != c.Process.Pid {
		t.Fatalf("error %v", err)
	}
	if took := time.Since(began); took > KillLimit+time.Second {
		t.Errorf("took %v", took)
	}
	if s := err.Error(); !strings.Contains(s, "(sleep) state D") {
		t.Errorf("the message lacks the process: %s", s)
	} else if !strings.Contains(s, "write THAWED to "+above) {
		t.Errorf("the message lacks what to do: %s", s)
	}
	t.Log(err)
	thaw()
	if err := f.Kill(); err != nil {
		t.Fatal(err)
	}
	f.wantEmpty()
}

func TestKillNamesWhatSomebodyFreezesAgainAndAgain(t *testing.T) {
	for name, leave := range map[string]func(cgroupnet.Hierarchy) bool{
		"as the host is":  func(cgroupnet.Hierarchy) bool { return false },
		"v1 freezer only": unified,
	} {
		t.Run(name, func(t *testing.T) {
			f := newLeaf(t)
			c := f.start(testID, nil, shell("exec sleep 1000", false))
			waitFor(t, "the process to sleep", func() bool { st, err := readStat(c.Process.Pid); return err == nil && st.comm == "sleep" })
			state := filepath.Join(f.freezer(testID), "freezer.state")
			above := filepath.Join(filepath.Dir(f.freezer("")), "freezer.state")
			stop, stopped := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(stopped)
				for {
					select {
					case <-stop:
						return
					default:
						// The container's own and one that Kill does not thaw.
						_ = writeFile(state, "FROZEN")
						_ = writeFile(above, "FROZEN")
					}
				}
			}()
			thaw := func() {
				close(stop)
				<-stopped
				if err := writeFile(above, "THAWED"); err != nil {
					t.Error(err)
				}
			}
			waitFor(t, "the process to be frozen", func() bool { st, err := readStat(c.Process.Pid); return err == nil && st.state == "D" })
			began := time.Now()
			err := f.without(leave).Kill()
			took := time.Since(began)
			thaw()
			var alive *AliveError
			if !errors.As(err, &alive) || len(alive.Processes) != 1 {
				t.Fatalf("error %v", err)
			}
			if p := alive.Processes[0]; p.PID != c.Process.Pid || p.Comm != "sleep" || p.State != "D" || p.WaitChannel == "" {
				t.Errorf("named as %+v", p)
			}
			if took > KillLimit+2*time.Second {
				t.Errorf("took %v", took)
			}
			t.Logf("%v: %v", took, err)
			if err := f.Kill(); err != nil {
				t.Fatal(err)
			}
			f.wantEmpty()
		})
	}
}

func TestKillSparesItsOwnProcess(t *testing.T) {
	f := newLeaf(t)
	cmd := actor(t, "kill the own leaf", "LEAF="+f.placement.Path)
	var says bytes.Buffer
	cmd.Stdout = &says
	sister := f.start(testID, nil, shell("exec sleep 1000", false))
	c := f.start("", nil, cmd)
	if err := c.reap(); err != nil {
		t.Errorf("the process that called Kill: %v", err)
	}
	if !strings.Contains(says.String(), ErrOwnCgroup.Error()) {
		t.Errorf("it said %q", says.String())
	}
	if _, err := readStat(sister.Process.Pid); err != nil {
		t.Errorf("its sister: %v", err)
	}
}

func TestSignalsGoToMembersOnly(t *testing.T) {
	f := newLeaf(t)
	inside := f.start(testID, nil, shell("exec sleep 1000", false))
	outside := newLeaf(t).start(testID, nil, shell("exec sleep 1000", false))
	// A list that is out of date: ids of the group, of nobody and of others.
	stale := []int{0, -1, 1, inside.Process.Pid, outside.Process.Pid, 1<<22 + 1}
	if err := f.signalBatch(stale, 9); err != nil {
		t.Fatal(err)
	}
	_ = inside.reap()
	if st, err := readStat(outside.Process.Pid); err != nil || st.state == "Z" {
		t.Errorf("a process outside of the leaf was hit: %+v %v", st, err)
	}
}

func TestWriteFileRefusesWhatIsNoCgroup(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "cgroup.kill")
	if err := writeFile(name, "1"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(name, "1"); !errors.Is(err, cgroupnet.ErrNotCgroup) {
		t.Errorf("plain file: %v", err)
	}
	if text, _ := os.ReadFile(name); len(text) != 0 {
		t.Errorf("wrote %q", text)
	}
}
