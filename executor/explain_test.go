package main

import (
	"bytes"
	"strings"
	"testing"
)

func explained(t *testing.T, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	app := newApp(nil, new(int))
	app.Writer = &out
	if err := app.Run(append([]string{"x", "explain"}, args...)); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestExplainNamesTheSandboxAndJSONItsLease(t *testing.T) {
	text := explained(t, "../testdata/tasks/full.json")
	for _, want := range []string{"sandbox:data on /data\n", "sandbox:config on /config (read only)\n", "sandbox on /mnt/mesos/sandbox\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "/leases/") {
		t.Errorf("the lease is shown:\n%s", text)
	}
	if out := explained(t, "--json", "../testdata/tasks/full.json"); !strings.Contains(out, "/leases/") {
		t.Errorf("JSON lacks the lease:\n%s", out)
	}
}

func TestExplainShowsEachTrimOnce(t *testing.T) {
	text := explained(t, "../testdata/tasks/demo-trimmed.json")
	if strings.Count(text, "CAP_NET_ADMIN") != 1 || strings.Count(text, "CAP_SYS_ADMIN") != 1 || !strings.Contains(text, "note: forced") {
		t.Error(text)
	}
	if out := explained(t, "--json", "../testdata/tasks/demo-trimmed.json"); !strings.Contains(out, "trimmed CAP_NET_ADMIN") {
		t.Errorf("JSON lacks the note of TASK_STARTING:\n%s", out)
	}
}
