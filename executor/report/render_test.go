package report

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// examples are the reports in the repository that people and the page docs/report.md are shown.
const examples = "../../testdata/reports"

func example(t *testing.T, name string) Report {
	t.Helper()
	f, err := os.Open(filepath.Join(examples, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func rendered(t *testing.T, r Report, width int, color bool) string {
	t.Helper()
	var b bytes.Buffer
	if err := Render(&b, r, width, color); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// With UPDATE_GOLDEN=1 the files in testdata are written anew.
func TestRenderedReports(t *testing.T) {
	for _, tc := range []struct {
		golden, example string
		width           int
		color           bool
	}{
		{"frozen-engine.txt", "frozen-engine", 0, false},
		{"failed-start.txt", "failed-start", 100, false},
		{"months-of-life.txt", "months-of-life", 100, false},
		{"colored-and-narrow.txt", "months-of-life", 60, true},
	} {
		t.Run(tc.golden, func(t *testing.T) {
			got, path := rendered(t, example(t, tc.example), tc.width, tc.color), filepath.Join("testdata", tc.golden)
			if os.Getenv("UPDATE_GOLDEN") != "" {
				if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestExamplesAreAsAnExecutorWritesThem(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(examples, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, path := range files {
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Encode(example(t, strings.TrimSuffix(filepath.Base(path), ".json")))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), string(got)); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

func TestStrangersWordsDoNotActOnTheTerminal(t *testing.T) {
	evil := "\x1b]0;title\x07 \u202e \r\n+0.000 s    state   TASK_FINISHED\x00\xff"
	r := Report{State: evil, Reason: evil, TaskID: evil, Message: evil, Image: evil, Mode: evil,
		Engine: Engine{Host: evil, Condition: evil}, Class: Class{ID: evil, Team: evil, App: evil}, Review: []string{evil}, Processes: []string{evil},
		Events:    []Event{{Kind: evil, Text: evil, Severity: Severity(evil), At: began}},
		Calls:     []Call{{Call: evil, Outcome: evil, Error: evil, At: began}},
		Witnesses: []Witness{{Name: evil, Said: evil}},
		Output:    Output{Stdout: Stream{Last: []string{evil}}},
	}
	for _, width := range []int{0, 1, 40, 80} {
		out := rendered(t, r, width, false)
		harmless(t, out)
		for line := range strings.Lines(out) {
			if text := strings.TrimLeft(line, " "); strings.HasPrefix(text, "+0.000 s    state") && len(line)-len(text) < 4 {
				t.Errorf("a line of the timeline is faked: %q", line)
			}
		}
	}
}

func TestClassIsToldWithWhoseItIsOrWhyThereIsNone(t *testing.T) {
	for want, c := range map[string]Class{
		"":                                    {},
		"0x00100101, team web, app /web/shop": {ID: "0x00100101", Team: "web", App: "/web/shop"},
		"0x00100001, team web":                {ID: "0x00100001", Team: "web"},
		"0x00100001, team web, found changed once":               {ID: "0x00100001", Team: "web", Lost: 1},
		"none: Untagged: nobody knows it, found changed 2 times": {Untagged: "Untagged: nobody knows it.", Lost: 2},
	} {
		if got := c.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// harmless fails if text is more than lines of visible characters.
func harmless(t *testing.T, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		if line = strings.TrimSuffix(line, "\n"); Printable(line) != line {
			t.Errorf("%q acts on the terminal", line)
		}
	}
}

func TestLinesAreNoWiderThanTheScreen(t *testing.T) {
	for _, width := range []int{40, 57, 80, 200} {
		for _, name := range []string{"frozen-engine", "failed-start", "months-of-life"} {
			for line := range strings.Lines(rendered(t, example(t, name), width, false)) {
				if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
					t.Errorf("%s: %d characters in %d: %q", name, n, width, line)
				}
			}
		}
	}
}

func TestQuickCallsShareALineAndOthersDoNot(t *testing.T) {
	at := func(seconds float64) time.Time { return began.Add(time.Duration(seconds * float64(time.Second))) }
	r := Report{State: "TASK_FAILED", Began: began,
		Events: []Event{{At: at(1), Kind: "state", Text: "middle"}},
		Calls: []Call{
			{At: at(2), TookMS: 10, Call: "late", Outcome: "done"},
			{At: at(0.1), TookMS: 2, Call: "ping", Outcome: "done"},
			{At: at(0.2), TookMS: 310, Call: "start", Outcome: "done"},
			{At: at(0.6), TookMS: 1200, Call: "info", Outcome: "done"},
			{At: at(2.1), TookMS: 1, Call: "remove", Outcome: "refused", Error: "docker remove: no such container"},
			{At: at(2.2), TookMS: 2000, Call: "kill", Outcome: "unknown"},
			{At: at(2.3), TookMS: 500, Call: "logs", Running: true},
		},
	}
	_, text, _ := strings.Cut(rendered(t, r, 0, false), "timeline\n")
	text, _, _ = strings.Cut(text, "\noutput")
	want := `  +0.100 s    engine  2 calls, all answered, slowest start 0.31 s
  +0.600 s !  engine  info: answered, but only after 1.20 s
  +1.000 s    state   middle
  +2.000 s    engine  late: answered in 10 ms
  +2.100 s !  engine  remove: refused after 1 ms: no such container
  +2.200 s !! engine  kill: unknown after 2.00 s
  +2.300 s !  engine  logs: not answered yet after 0.50 s
  4 calls to the engine answered, 1 refused, 1 of unknown effect, 1 not over, slowest kill 2.00 s
`
	if diff := cmp.Diff(want, text); diff != "" {
		t.Error(diff)
	}
}

func TestSilenceIsShown(t *testing.T) {
	for name, tc := range map[string]struct {
		second, end time.Duration
		call        int64
		want        string
	}{
		"none":                      {900 * time.Millisecond, time.Second, 0, ""},
		"a second of a short life":  {1100 * time.Millisecond, 2 * time.Second, 0, "... 1.10 s ..."},
		"a second of a minute":      {1100 * time.Millisecond, time.Minute, 0, "... 58.9 s ..."},
		"a call is no silence":      {20 * time.Second, 21 * time.Second, 20000, ""},
		"what a call leaves of one": {20 * time.Second, 21 * time.Second, 10000, "... 10.00 s ..."},
		"in a life of months":       {time.Hour, time.Hour + 9*time.Second, 0, "... 60 min 0 s ..."},
	} {
		t.Run(name, func(t *testing.T) {
			r := Report{State: "TASK_FAILED", Began: began, Events: []Event{{At: began}, {At: began.Add(tc.second)}, {At: began.Add(tc.end)}}}
			if tc.call > 0 {
				r.Calls = []Call{{At: began.Add(time.Millisecond), TookMS: tc.call, Call: "start"}}
			}
			var gaps []string
			for line := range strings.Lines(rendered(t, r, 0, false)) {
				if strings.Contains(line, "...") {
					gaps = append(gaps, strings.TrimSpace(line))
				}
			}
			if got := strings.Join(gaps, " "); got != tc.want {
				t.Errorf("%q, want %q", got, tc.want)
			}
		})
	}
}

func TestTimesOfALifeOfAnyLength(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                           "+0.000 s",
		59999 * time.Millisecond:    "+59.999 s",
		time.Hour:                   "+01:00:00.000",
		90061500 * time.Millisecond: "+1d 01:01:01.500",
		-1500 * time.Millisecond:    "-1.500 s",
		-1 << 63:                    "-0.000 s",
	} {
		if got := offset(began.Add(d), began); d != -1<<63 && got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		2 * time.Millisecond:      "2 ms",
		310 * time.Millisecond:    "0.31 s",
		41200 * time.Millisecond:  "41.2 s",
		125 * time.Second:         "2 min 5 s",
		3*time.Hour + time.Minute: "3 h 1 min",
		49 * time.Hour:            "2 days 1 h",
		-time.Second:              "-1.00 s",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

func TestErrorOfTheWriterIsReturned(t *testing.T) {
	if err := Render(brokenWriter{}, small(), 0, false); !errors.Is(err, os.ErrClosed) {
		t.Error(err)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, os.ErrClosed }
