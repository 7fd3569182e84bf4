package report

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

var began = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func small() Report {
	return Report{TaskID: "web.1", State: "TASK_FAILED", Message: "Container exited with status 3", Began: began}
}

func TestReportFitsWhateverItSays(t *testing.T) {
	// The worst that JSON does to a byte: six of them.
	hostile := strings.Repeat("\x00", 16<<10)
	r := Report{TaskID: hostile, State: hostile, Message: hostile, Image: hostile, Engine: Engine{Host: hostile, Condition: hostile}}
	for range 1000 {
		r.Events = append(r.Events, Event{Kind: hostile, Text: hostile, Severity: Severity(hostile)})
		r.Calls = append(r.Calls, Call{Call: hostile, Outcome: hostile, Error: hostile})
		r.Witnesses = append(r.Witnesses, Witness{Name: hostile, Said: hostile})
		r.Review = append(r.Review, hostile)
		r.Processes = append(r.Processes, hostile)
		r.Output.Stdout.Last = append(r.Output.Stdout.Last, hostile)
		r.Output.Stderr.Last = append(r.Output.Stderr.Last, hostile)
	}
	text, err := Encode(r)
	if err != nil || len(text) > MaxSize {
		t.Fatalf("%d bytes, %v", len(text), err)
	}
	var back Report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if back.Dropped+len(back.Events) != 1000 || back.CallsDropped+len(back.Calls) != 1000 {
		t.Errorf("%d+%d events, %d+%d calls", back.Dropped, len(back.Events), back.CallsDropped, len(back.Calls))
	}
	if r.Events[0].Text != hostile || r.Review[0] != hostile {
		t.Error("the caller's report was changed")
	}
}

// Whatever is added to a report is cut as well.
func TestEveryTextIsCut(t *testing.T) {
	var r Report
	long := strings.Repeat("t", 16<<10)
	eachText(reflect.ValueOf(&r).Elem(), func(name string, text reflect.Value) { text.SetString(long) })
	tightest := tighter()[len(tighter())-1]
	bounded := tightest.apply(r)
	eachText(reflect.ValueOf(&bounded).Elem(), func(name string, text reflect.Value) {
		if most := tightest.text; text.Len() > most && (name != "Message" || text.Len() > 8*most) {
			t.Errorf("%s has %d bytes", name, text.Len())
		}
	})
}

// eachText visits the texts of a value, with the name of their field; a list that is empty gets one element.
func eachText(v reflect.Value, visit func(name string, text reflect.Value)) {
	var walk func(name string, v reflect.Value)
	walk = func(name string, v reflect.Value) {
		switch {
		case v.Type() == reflect.TypeFor[time.Time]():
		case v.Kind() == reflect.String:
			visit(name, v)
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				walk(v.Type().Field(i).Name, v.Field(i))
			}
		case v.Kind() == reflect.Slice:
			if v.Len() == 0 {
				v.Set(reflect.MakeSlice(v.Type(), 1, 1))
			}
			for i := range v.Len() {
				walk(name, v.Index(i))
			}
		}
	}
	walk("", v)
}

func TestUsualReportIsNotCut(t *testing.T) {
	r := Report{Events: make([]Event, keepFirst+keepLast), Message: strings.Repeat("m", 8<<10)}
	for i := range r.Events {
		r.Events[i] = Event{At: time.Unix(int64(i), 123456789), Kind: "agent", Text: strings.Repeat("t", 200)}
	}
	text, err := Encode(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if back.Dropped != 0 || len(back.Events) != len(r.Events) || back.Message != r.Message || back.Version != Version {
		t.Errorf("%d events dropped, version %d", back.Dropped, back.Version)
	}
	if !strings.Contains(string(text), `"at": "1970-01-01T00:00:01.123Z"`) {
		t.Error("times are not UTC to the millisecond")
	}
}

func TestEmptyFieldsAreLeftOut(t *testing.T) {
	text, err := Encode(Report{})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"version":1,"task_id":"","state":"","began":"0001-01-01T00:00:00Z","events":[],"output":{"stdout":{"bytes":0},"stderr":{"bytes":0}}}`
	if got := strings.Join(strings.Fields(string(text)), ""); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestRecorderKeepsTheFirstAndTheLastEvents(t *testing.T) {
	for _, n := range []int{0, 1, keepFirst, keepFirst + 1, keepFirst + keepLast, keepFirst + keepLast + 1, 3000} {
		var r Recorder
		for i := range n {
			r.Add(time.Unix(int64(i), 0), "timer", Info, fmt.Sprint(i))
		}
		events, dropped := r.Events()
		if len(events)+dropped != n || len(events) > keepFirst+keepLast {
			t.Fatalf("%d: %d events, %d dropped", n, len(events), dropped)
		}
		for i, e := range events {
			want := i
			if i >= keepFirst {
				want += dropped
			}
			if e.Text != fmt.Sprint(want) {
				t.Fatalf("%d: event %d is %s, want %d", n, i, e.Text, want)
			}
		}
	}
}

func TestRecorderCutsTexts(t *testing.T) {
	var r Recorder
	r.Add(began, "agent", Warn, strings.Repeat("é", keepText))
	events, _ := r.Events()
	if text := events[0].Text; len(text) > keepText || !strings.HasSuffix(text, "é...") {
		t.Errorf("%d bytes, ends in %q", len(text), text[len(text)-8:])
	}
}

func TestIdleRecorderHoldsNothing(t *testing.T) {
	var r Recorder
	if n := testing.AllocsPerRun(1, func() { r = Recorder{} }); n != 0 || r.first != nil || r.last != nil {
		t.Errorf("%v allocations", n)
	}
	if events, dropped := r.Events(); len(events) != 0 || dropped != 0 {
		t.Errorf("%v, %d", events, dropped)
	}
}

func TestMiddleIsLeftOut(t *testing.T) {
	list := []int{1, 2, 3, 4, 5, 6, 7, 8, 9}
	got, left := middleOut(list, 4)
	if !slices.Equal(got, []int{1, 7, 8, 9}) || left != 5 {
		t.Errorf("%v, %d", got, left)
	}
}

func TestWhatWouldActOnATerminalIsWrittenOut(t *testing.T) {
	for in, want := range map[string]string{
		"plain":            "plain",
		"tab\tbed":         "tab bed",
		"\x1b[2J":          `\x1b[2J`,
		"a\nb\r":           `a\nb\r`,
		"\xff\x00":         `\xff\x00`,
		"\u009b31m":        `\u009b31m`,
		"\u202egnp.exe":    `\u202egnp.exe`,
		"größer 日本 \ufffd": "größer 日本 \ufffd",
	} {
		if got := Printable(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
