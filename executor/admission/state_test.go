package admission

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// at is a time so many seconds after noon.
func at(seconds float64) time.Time {
	return noon.Add(time.Duration(seconds * float64(time.Second)))
}

// opened is a breaker that opened at noon and has failed so often, the last time at noon too.
func opened(failures int, next float64) State {
	return State{Phase: Open, Changed: at(0), Cause: "frozen", Failures: failures, Next: at(next), Asked: at(0), Turn: 7}
}

func probing(since float64) State {
	s := opened(2, 2)
	s.Phase, s.Probing = HalfOpen, at(since)
	return s
}

func TestDecisionsOfTheBreaker(t *testing.T) {
	closed := State{Changed: at(0), Turn: 7}
	for _, c := range []struct {
		name   string
		before State
		event  event
		now    float64
		random float64
		want   State
	}{
		{"a failure opens", State{}, event{kind: callFailed, began: at(0), cause: "x"}, 1, 0,
			State{Phase: Open, Changed: at(1), Cause: "x", Failures: 1, Next: at(2), Asked: at(1)}},
		{"a failure after a recovery opens and keeps the turn", closed, event{kind: callFailed, began: at(0), cause: "x"}, 1, 0.5,
			State{Phase: Open, Changed: at(1), Cause: "x", Failures: 1, Next: at(1.875), Asked: at(1), Turn: 7}},
		{"a failure from before the recovery", closed, event{kind: callFailed, began: at(-1)}, 1, 0, closed},
		{"a failure after the clock was set back", closed, event{kind: callFailed, began: at(-3600), cause: "x"}, -3599, 0,
			State{Phase: Open, Changed: at(-3599), Cause: "x", Failures: 1, Next: at(-3598), Asked: at(-3599), Turn: 7}},
		{"a failure while it is open changes no pause", opened(3, 4), event{kind: callFailed, began: at(1), cause: "y"}, 2, 0, opened(3, 4)},
		{"a failure while somebody probes", probing(2), event{kind: callFailed, began: at(1)}, 3, 0, probing(2)},

		{"an answer while it is closed", closed, event{kind: callDone}, 1, 0, closed},
		{"an answer brings the next probe nearer", opened(6, 32), event{kind: callDone}, 1, 0, opened(6, 2)},
		{"an answer does not put off a near probe", opened(6, 2), event{kind: callDone}, 1.5, 0, opened(6, 2)},
		{"an answer while somebody probes", probing(2), event{kind: callDone}, 3, 0, probing(2)},

		{"a probe that is due begins", opened(2, 2), event{kind: probeBegun, turn: 7}, 2, 0, probing(2)},
		{"a probe that is not due", opened(2, 2), event{kind: probeBegun, turn: 7}, 1.9, 0, opened(2, 2)},
		{"a probe of a turn that was passed on", opened(2, 2), event{kind: probeBegun, turn: 6}, 3, 0, opened(2, 2)},
		{"a probe after the recovery", closed, event{kind: probeBegun, turn: 7}, 3, 0, closed},
		{"a probe in place of a dead prober's", probing(2), event{kind: probeBegun, turn: 7}, 3, 0, probing(3)},
		{"a last call since which nobody asked", opened(2, 50), event{kind: probeBegun, turn: 7, last: at(1)}, 3, 0,
			func() State { s := probing(3); s.Next = at(50); return s }()},
		{"a last call since which somebody asked", opened(2, 50), event{kind: probeBegun, turn: 7, last: at(-1)}, 3, 0, opened(2, 50)},
		{"a last call just after a probe", opened(2, 50), event{kind: probeBegun, turn: 7, last: at(0.5)}, 0.9, 0, opened(2, 50)},
		{"the clock was set back", opened(2, 2), event{kind: probeBegun, turn: 7}, -3600, 0, probing(-3600)},

		{"a failed probe doubles the pause", probing(2), event{kind: probeFailed, turn: 7, cause: "y"}, 5, 0,
			State{Phase: Open, Changed: at(0), Cause: "y", Failures: 3, Next: at(9), Asked: at(5), Turn: 7}},
		{"a failed probe whose turn was passed on", probing(2), event{kind: probeFailed, turn: 6, cause: "y"}, 5, 0, probing(2)},
		{"a failed probe after a recovery", closed, event{kind: probeFailed, turn: 7, cause: "y"}, 5, 0, closed},

		{"a good probe closes", probing(2), event{kind: probeDone, turn: 7, began: at(2)}, 5, 0, State{Changed: at(5), Turn: 7}},
		{"a good probe closes though its turn was passed on", probing(30), event{kind: probeDone, turn: 6, began: at(2)}, 31, 0, State{Changed: at(31), Turn: 7}},
		{"a good probe from before the trouble", opened(1, 1), event{kind: probeDone, turn: 7, began: at(-1)}, 1, 0, opened(1, 1)},
		{"a good probe after the clock was set back", probing(-3600), event{kind: probeDone, turn: 7, began: at(-3600)}, -3599, 0, State{Changed: at(-3599), Turn: 7}},
		{"a good probe after a recovery", closed, event{kind: probeDone, turn: 7, began: at(2)}, 5, 0, closed},

		{"a probe given up is due at once", probing(2), event{kind: probeLeft, turn: 7}, 5, 0, opened(2, 2)},
		{"a probe given up after its turn was passed on", probing(2), event{kind: probeLeft, turn: 6}, 5, 0, probing(2)},

		{"a prober that is stuck", probing(2), event{kind: turnOverdue, turn: 7}, 22.1, 0, func() State { s := opened(2, 22.1); s.Turn = 8; return s }()},
		{"a prober that has time left", probing(2), event{kind: turnOverdue, turn: 7}, 21.9, 0, probing(2)},
		{"a turn that was passed on already", probing(2), event{kind: turnOverdue, turn: 6}, 22.1, 0, probing(2)},
		{"a prober that got stuck before it began", opened(2, 2), event{kind: turnOverdue, turn: 7}, 22.1, 0,
			func() State { s := opened(2, 22.1); s.Turn = 8; return s }()},
		{"a stuck prober after a recovery", closed, event{kind: turnOverdue, turn: 7}, 60, 0, closed},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := apply(c.before, c.event, at(c.now), c.random)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			if err := got.check(); err != nil {
				t.Errorf("the result is refused: %v", err)
			}
		})
	}
}

func TestTurnsStartAgain(t *testing.T) {
	s := probing(0)
	s.Turn = turns - 1
	if s = apply(s, event{kind: turnOverdue, turn: turns - 1}, at(60), 0); s.Turn != 0 {
		t.Errorf("turn %d follows the last one", s.Turn)
	}
}

func TestPausesDoubleToAMinute(t *testing.T) {
	for failures, want := range map[int]time.Duration{
		1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 6: 32 * time.Second, 7: time.Minute, 8: time.Minute, 1 << 40: time.Minute,
	} {
		if got := pause(failures, 0); got != want {
			t.Errorf("after %d failures: %s", failures, got)
		}
		if got := pause(failures, 1); got != want*3/4 {
			t.Errorf("after %d failures, with the largest jitter: %s", failures, got)
		}
	}
}

func TestStatesSurviveTheirFile(t *testing.T) {
	long := opened(3, 4)
	long.Cause = oneLine(strings.Repeat("<", 1000))
	for _, s := range []State{{}, {Changed: at(1), Turn: 9}, opened(1, 1), probing(2), long} {
		data, err := formatState(s)
		if err != nil {
			t.Fatal(err)
		}
		if len(data) > maxState-512 {
			t.Errorf("%d bytes", len(data))
		}
		got, err := parseState(data)
		if diff := cmp.Diff(s, got); err != nil || diff != "" {
			t.Errorf("%v\n%s", err, diff)
		}
	}
}

// refused are states that nobody of this version has written.
var refused = []string{
	"", "\x00\x00", "null", "[]", "{}", `{"version":1}`, `{"version":2,"phase":"closed"}`, `{"version":"1","phase":"closed"}`,
	`{"version":1,"phase":"ajar"}`, `{"version":1,"phase":"closed"}x`, `{"version":1,"phase":"closed","more":1}`,
	`{"version":1,"phase":"closed","turn":1048576}`, `{"version":1,"phase":"closed","turn":-1}`,
	`{"version":1,"phase":"open"}`, `{"version":1,"phase":"closed","cause":"a\nb"}`,
	`{"version":1,"phase":"open","changed":"2026-11-27T12:00:00Z","next":"2026-11-27T12:00:00Z","asked":"2026-11-27T12:00:00Z"}`,
	`{"version":1,"phase":"half-open","failures":1,"changed":"2026-11-27T12:00:00Z","next":"2026-11-27T12:00:00Z","asked":"2026-11-27T12:00:00Z"}`,
	`{"version":1,"phase":"closed","probing":"2026-11-27T12:00:00Z"}`,
	`{"version":1,"phase":"closed","changed":"yesterday"}`,
}

func TestGarbageIsNoState(t *testing.T) {
	for _, data := range refused {
		if s, err := parseState([]byte(data)); err == nil {
			t.Errorf("%q is taken for %+v", data, s)
		}
	}
}

func FuzzParseState(f *testing.F) {
	for _, data := range refused {
		f.Add([]byte(data))
	}
	for _, s := range []State{{}, opened(3, 4), probing(2)} {
		data, _ := formatState(s)
		f.Add(data)
		f.Add(data[:len(data)/2])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := parseState(data)
		if err != nil {
			return
		}
		again, err := formatState(s)
		if err != nil {
			t.Fatal(err)
		}
		if same, err := parseState(again); err != nil || !cmp.Equal(s, same) {
			t.Errorf("%+v became %+v, %v", s, same, err)
		}
	})
}

func TestEnginesHaveFilesOfTheirOwn(t *testing.T) {
	seen := map[string]bool{}
	for engine, readable := range map[string]string{
		"unix:///var/run/docker.sock":  "docker.sock-",
		"unix:///var/run2/docker.sock": "docker.sock-",
		"tcp://10.0.0.1:2375":          "10.0.0.1-2375-",
		"":                             "engine-",
		"/../..":                       "engine-",
		strings.Repeat("a", 300):       strings.Repeat("a", 32) + "-",
		"unix:///é\x00\n":              "----",
	} {
		name := fileName(engine)
		if seen[name] || !strings.HasPrefix(name, strings.TrimLeft(readable, "-")) || strings.ContainsAny(name, "/\x00\n") || len(name) > 64 {
			t.Errorf("%q: %q", engine, name)
		}
		seen[name] = true
	}
}

func TestCausesBecomeOneShortLine(t *testing.T) {
	for message, want := range map[string]string{
		"":                            "",
		"create:\n\tno answer":        "create:  no answer",
		"\x1b[2J\xff":                 "?[2J?",
		strings.Repeat("é", maxCause): strings.Repeat("é", 254) + "...",
	} {
		got := oneLine(message)
		if got != want || oneLine(got) != got {
			t.Errorf("%q became %q", message, got)
		}
	}
}
