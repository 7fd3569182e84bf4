package admission

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestExecutorsOfAHostAskASickEngineOneAtATime(t *testing.T) {
	const executors = 30
	h := newHost(t)
	h.open()
	all := h.executors(executors, "launch", always(1))
	h.until("two failed probes", func() bool { return len(h.notes("well=false")) >= 2 })
	h.touch("well")
	h.wait(all)
	failed, passed := h.notes("well=false"), h.notes("well=true")
	if len(failed) > 4 {
		t.Errorf("%d probes failed", len(failed))
	}
	for _, line := range append(failed, passed[0]) {
		var at int64
		var healthy, alone bool
		if _, err := fmt.Sscanf(line, "well=%t alone=%t at=%d", &healthy, &alone, &at); err != nil || !alone {
			t.Errorf("two asked at a time: %s, %v", line, err)
		}
	}
	var times []int64
	for _, line := range passed {
		var at int64
		if _, err := fmt.Sscanf(line[len("well=true alone="):], "%t at=%d", new(bool), &at); err != nil {
			t.Fatal(line, err)
		}
		times = append(times, at)
	}
	slices.Sort(times)
	if len(passed) != executors || times[executors-1]-times[0] < 300 {
		t.Errorf("%d passed, within %d ms", len(passed), times[executors-1]-times[0])
	}
}

func TestKilledProbersTurnIsFree(t *testing.T) {
	h := newHost(t)
	h.touch("wanted")
	h.touch("well")
	h.open()
	all := h.executors(5, "launch", always(1))
	victim := h.victim(all)
	if _, s := h.gate().Open(); s.Phase != HalfOpen {
		t.Errorf("while somebody asks it is %s", s.Phase)
	}
	if n := len(h.notes("")); n != 0 {
		t.Errorf("%d others asked meanwhile", n)
	}
	victim.killed = true
	must(t, victim.command.Process.Kill())
	h.wait(all)
	if n := len(h.notes("well=true")); n != 4 {
		t.Errorf("%d passed", n)
	}
}

func TestStoppedProbersTurnIsPassedOn(t *testing.T) {
	h := newHost(t)
	h.touch("wanted")
	h.touch("well")
	h.open()
	all := h.executors(5, "launch", always(1))
	victim := h.victim(all)
	must(t, victim.command.Process.Signal(unix.SIGSTOP))
	others := slices.DeleteFunc(slices.Clone(all), func(e *executor) bool { return e == victim })
	h.gate().change(func(s State) State { // as if it had stood still for so long
		s.Probing = s.Probing.Add(-turnLimit)
		return s
	})
	h.wait(others)
	_, before := h.gate().Open()
	h.touch("resume")
	must(t, victim.command.Process.Signal(unix.SIGCONT))
	h.wait([]*executor{victim})
	if open, after := h.gate().Open(); open || after != before || after.Turn != 1 {
		t.Errorf("%+v became %+v", before, after)
	}
}

func TestSlotsAreNeverExceeded(t *testing.T) {
	for name, limit := range map[string]func(i int) int{
		"one limit":  always(4),
		"two limits": func(i int) int { return 2 + i%2*2 },
	} {
		t.Run(name, func(t *testing.T) {
			h := newHost(t)
			h.wait(h.executors(40, "start", limit))
			seen := map[string]int{}
			for _, line := range h.notes("within=") {
				seen[line]++
			}
			if n := seen["within=1"] + seen["within=2"] + seen["within=3"] + seen["within=4"]; n != 120 {
				t.Errorf("within their slots: %v", seen)
			}
			if seen["within=4"] == 0 {
				t.Errorf("no more than 3 at a time: %v", seen)
			}
		})
	}
}

func TestKilledHoldersSlotsAreFree(t *testing.T) {
	const slots = 4
	h := newHost(t)
	h.touch("hold")
	all := h.executors(12, "start", always(slots))
	within := func() []os.DirEntry {
		entries, err := os.ReadDir(h.path("within"))
		must(t, err)
		return entries
	}
	h.until("all slots taken", func() bool { return len(within()) == slots })
	for _, entry := range within() {
		pid, err := strconv.Atoi(entry.Name())
		must(t, err)
		i := slices.IndexFunc(all, func(e *executor) bool { return e.command.Process.Pid == pid })
		must(t, os.Remove(filepath.Join(h.path("within"), entry.Name())))
		all[i].killed = true
		must(t, all[i].command.Process.Kill())
	}
	h.until("all slots taken again", func() bool { return len(within()) == slots })
	must(t, os.Remove(h.path("hold")))
	h.wait(all)
	if n := len(h.notes("within=")); n != (12-slots)*3 {
		t.Errorf("%d times within", n)
	}
}

// TestManyChangeTheStateAtOnce has executors that all find the engine sick for themselves.
func TestManyChangeTheStateAtOnce(t *testing.T) {
	h := newHost(t)
	all := h.executors(40, "launch", always(1))
	h.until("a failed probe", func() bool { return len(h.notes("well=false")) > 0 })
	h.touch("well")
	h.wait(all)
	if open, s := h.gate().Open(); open {
		t.Errorf("%+v", s)
	}
}

func TestReadersNeverSeeHalfAState(t *testing.T) {
	h := newHost(t)
	reader := newShared(h.path("engine"), fileName(theirEngine), func() float64 { return 0 })
	phases := map[Phase]int{}
	for range 5 {
		all := h.executors(6, "storm", always(1))
		for end := time.Now().Add(500 * time.Millisecond); time.Now().Before(end); {
			s, err := reader.read()
			must(t, err)
			phases[s.Phase]++
		}
		for _, e := range all {
			e.killed = true
			must(t, e.command.Process.Kill())
		}
		h.wait(all)
		for _, e := range all {
			if e.output.Len() > 0 {
				t.Errorf("an executor: %s", e.output.String())
			}
		}
	}
	if len(phases) != 3 {
		t.Errorf("phases seen: %v", phases)
	}
}
