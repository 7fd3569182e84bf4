//go:build linux

package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestEachFigureIsOneLine(t *testing.T) {
	var out bytes.Buffer
	r := newReport(&out)
	r.add("launch", estimate{1.0612, 1.04, 1.0849, 100, 100}, "LAUNCH to TASK_RUNNING %d ms", 331)
	r.add("size", estimate{value: 20.5}, "")
	r.add("logs", estimate{0.899, 0.88, 0.93, 5, 5}, "")
	r.add("burst", estimate{1.1, 1.05, 1.2, 150, 5}, "")
	r.add("burst", estimate{1.1, 1.05, 1.2, 60, 2}, "")
	r.add("kill", estimate{0.1, 0.1, 0.1, 4, 4}, "")
	r.add("idle_calls", estimate{}, "")
	want := []string{
		"launch             1.06 x plain      <= 1.10 ok     95%: 1.04..1.08, n=100; LAUNCH to TASK_RUNNING 331 ms; stock: 2.2",
		"size               20.5 MB           <= 20   short",
		"logs               0.90 x docker run >= 0.90 short  95%: 0.88..0.93, n=5",
		"burst              1.10 x plain      <= 1.25 ok     95%: 1.05..1.20, 5 rounds of 30",
		"burst              1.10 x plain      <= 1.25 ok     2 rounds of 30, too few for an interval",
		"kill               0.10 x plain      <= 1    ok     n=4, too few for an interval",
		"idle_calls            0 calls/min    <= 0    ok",
	}
	for i, line := range strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n") {
		if rest, ok := strings.CutPrefix(line, want[i]); !ok || rest != "" && !strings.HasPrefix(rest, "; held back by: ") {
			t.Errorf("got  %q\nwant %q", line, want[i])
		}
	}
}

func TestGoalsAreReachedFromTheRightSide(t *testing.T) {
	for _, test := range []struct {
		name  string
		value float64
		want  bool
	}{
		{"launch", 1.10, true}, {"launch", 1.101, false},
		{"logs", 0.9, true}, {"logs", 1.5, true}, {"logs", 0.899, false},
		{"idle_calls", 0, true}, {"idle_calls", 0.5, false},
	} {
		if got := goalOf(test.name).reached(test.value); got != test.want {
			t.Errorf("%s = %v: %v", test.name, test.value, got)
		}
	}
}

func TestFlagsAndVariables(t *testing.T) {
	env := map[string]string{"BENCH": "idle,size", "BENCH_PAIRS": "7", "BENCH_IDLE": "30s", "BENCH_JSON": "x.json"}
	o, err := parse([]string{"-pairs", "9"}, func(name string) string { return env[name] }, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	if o.pairs != 9 || o.options() != "idle,size 30s x.json" {
		t.Errorf("%+v", o)
	}
	for _, args := range [][]string{
		{"-only", "nothing"}, {"word"}, {"-pairs", "3"}, {"-network", "host"}, {"-idle", "1ms"}, {"-executors", "0"}, {"-log-mib", "15"},
	} {
		var said bytes.Buffer
		if status := run(t.Context(), args, func(string) string { return "" }, &said, &said); status != exitUsage {
			t.Errorf("%v: status %d, %s", args, status, said.String())
		}
	}
	if _, err := parse(nil, func(string) string { return "many" }, &bytes.Buffer{}); err == nil {
		t.Error("BENCH_PAIRS=many was taken")
	}
}

// options is what the variables decided.
func (o options) options() string {
	return strings.Join(o.only, ",") + " " + o.idle.String() + " " + o.json
}

func TestHelpHasExamplesAndSucceeds(t *testing.T) {
	var out, errOut bytes.Buffer
	if status := run(t.Context(), []string{"--help"}, func(string) string { return "" }, &out, &errOut); status != exitMeasured {
		t.Errorf("status %d", status)
	}
	for _, want := range []string{"make bench BENCH=launch", "BENCH_JSON", "-pairs"} {
		if !strings.Contains(errOut.String(), want) {
			t.Errorf("no %q in\n%s", want, errOut.String())
		}
	}
}

func TestCallsAreNamed(t *testing.T) {
	id := strings.Repeat("0a", 32)
	for _, test := range [][3]string{
		{"GET", "/_ping", "_ping"},
		{"GET", "/v1.41/info", "info"},
		{"POST", "/v1.41/containers/create", "create"},
		{"POST", "/v1.41/containers/" + id + "/start", "start"},
		{"DELETE", "/v1.41/containers/" + id, "delete container"},
		{"GET", "/v1.41/images/busybox:local/json", "image json"},
		{"POST", "/v1.41/images/create", "image create"},
	} {
		if got := nameOf(test[0], test[1]); got != test[2] {
			t.Errorf("%s %s is %q, want %q", test[0], test[1], got, test[2])
		}
	}
}

// With few pairs as with many, each figure has values, and neither order nor end is preferred.
func TestWaysOfPairsAreBalanced(t *testing.T) {
	for _, pairs := range []int{leastPairs, 20, 100} {
		seen := map[way]int{}
		for i := range pairs {
			seen[wayOf(i)]++
		}
		for _, byKill := range []bool{true, false} {
			first, second := seen[way{true, true, byKill}], seen[way{false, true, byKill}]
			if first+second == 0 || max(first-second, second-first) > 1 && pairs == 20 || first != second && pairs == 100 {
				t.Errorf("%d pairs, by kill %v: %d and %d", pairs, byKill, first, second)
			}
		}
	}
}
