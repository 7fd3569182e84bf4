package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// noted tells whether try said something.
func (r tried) noted(text string) bool {
	for _, l := range r.lines {
		if l.Event != nil && l.Event.From == "try" && strings.Contains(l.Event.Text, text) {
			return true
		}
	}
	return false
}

// frozen stops dockerd while a task runs: the result is the task's, what is left is named beside it, and the next try removes it.
func (f tryFixture) frozen(t *testing.T) {
	thaw := func() {
		if err := f.engine.Thaw(); err != nil {
			t.Error(err)
		}
	}
	defer thaw() // before the containers are looked for, whatever happens here
	running, begun := false, false
	r := f.json(t, func(cmd *exec.Cmd, l jsonLine) {
		before := running && begun
		running = running || l.Status != nil && l.Status.State == "TASK_RUNNING"
		begun = begun || l.Log != nil && l.Log.Line == "begun"
		if before || !running || !begun {
			return
		}
		if err := f.engine.Freeze(); err != nil {
			t.Error(err)
		}
		if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
			t.Error(err)
		}
	}, "--mode", "custom", taskFile(t, "trap 'exit 0' TERM; echo begun; while true; do sleep 0.1; done"))
	thaw()
	result := r.lines[len(r.lines)-1].Result
	if r.exit != 1 || result.State != "TASK_KILLED" || !strings.Contains(result.Message, "Container exited with status 0") ||
		!strings.Contains(result.Left, "run try again once the engine answers") {
		t.Errorf("exit %d, result %+v", r.exit, result)
	}
	if !r.noted("s to end the task") || !r.noted("the task has ended; its executor waits") {
		t.Errorf("the wait is not told of: %+v", r.lines)
	}
	if again := f.json(t, nil, taskFile(t, "true")); again.exit != 0 {
		t.Errorf("the next try: exit %d, %+v", again.exit, again.lines)
	}
}

func (f tryFixture) keep(t *testing.T) {
	r := f.json(t, nil, "--keep", taskFile(t, "exit 7"))
	found := map[string]string{}
	for _, l := range r.lines {
		for _, before := range []string{"kept the sandbox ", "read the report with: mesos-docker-executor report ", "kept all of "} {
			if l.Event == nil {
				break
			}
			if path, ok := strings.CutPrefix(l.Event.Text, before); ok {
				found[before], _, _ = strings.Cut(path, ";")
			}
		}
	}
	if len(found) != 3 {
		t.Errorf("it says %q", found)
	}
	for _, path := range found {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
	all := found["kept all of "]
	if !strings.HasPrefix(filepath.Base(all), keptPrefix) {
		t.Fatalf("kept %q", all)
	}
	if err := os.RemoveAll(all); err != nil {
		t.Error(err)
	}
}
