package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"mesos-docker-executor/executor/enginefault"
)

// struckBy tells whether a fault was shown, and what it did.
func (r tried) struckBy(rule string, did enginefault.Deed) bool {
	for _, l := range r.lines {
		if l.Event != nil && l.Event.From == "engine" && l.Event.Name == string(did) && strings.Contains(l.Event.Text, rule) {
			return true
		}
	}
	return false
}

// faults are tried in a short time: the task is killed while the engine is sick. What is left behind fails the test, see command.
func (f tryFixture) faults(t *testing.T) {
	path := taskFile(t, "trap 'exit 0' TERM; while true; do sleep 0.1; done")
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, bytes.ReplaceAll(text, []byte("60000000000"), []byte("1000000000")), 0o600) // the grace period
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		rule string
		did  enginefault.Deed
	}{ // on a busy machine it takes more than a second until the engine is asked to start a container
		{"create=hang-answer", enginefault.Held},
		{"create=delay:2s", enginefault.Held},
		{"start=hang", enginefault.Held},
		{"start=freeze", enginefault.Held},
		{"start=down", enginefault.Struck},
		{"create={}", enginefault.Struck},
	} {
		t.Run(tt.rule, func(t *testing.T) {
			r := f.json(t, nil, "--kill-after", "3s", "--fault", tt.rule, "--mode", "custom", path)
			if !r.struckBy(tt.rule, tt.did) || !strings.Contains(r.states(), "STARTING") {
				t.Errorf("%s is not told of, or nothing was begun: exit %d, %s, %+v", tt.rule, r.exit, r.states(), r.lines)
			}
		})
	}
}

func (f tryFixture) faultHelp(t *testing.T) {
	for _, args := range [][]string{{"--fault", "help"}, {taskFile(t, "true"), "--fault", "help"}} {
		if out, err := f.command(t, args...).CombinedOutput(); err != nil || string(out) != enginefault.Help() {
			t.Errorf("%q: %v\n%s", args, err, out)
		}
	}
}
