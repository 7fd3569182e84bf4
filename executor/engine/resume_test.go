package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// logAnswer is a log of those frames, as the daemon sends it.
func logAnswer(frames ...string) reaction {
	return reaction{text: chunked(strings.Join(frames, ""), true)}
}

// resuming lets a client deliver text and resume by a daemon that reacts as told.
func resuming(t *testing.T, text string, limits Limits, to func(name string, follow bool) reaction) (*Engine, *fakeDaemon, *Output) {
	t.Helper()
	f := startFake(t, say(upgraded+text))
	e := openFake(t, f, limits)
	o, err := e.Attach(t.Context(), someID, false)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Copy(io.Discard, io.Discard); err != nil {
		t.Fatal(err)
	}
	f.become(func(f *fakeDaemon, conn net.Conn) {
		r := f.readRequest(conn)
		if r == nil {
			return
		}
		how := to(filepath.Base(r.URL.Path), r.URL.Query().Has("follow"))
		io.WriteString(conn, how.text) //nolint:errcheck // the client may be gone
		if how.hangs {
			f.hang(conn)
		}
	})
	return e, f, o
}

func TestResumeDeliversWhatIsNew(t *testing.T) {
	checkGoroutines(t)
	e, _, o := resuming(t, frame(1, "a\n")+frame(2, "e\n")+frame(1, "b\n"), fakeLimits(10*time.Second), func(string, bool) reaction {
		return logAnswer(frame(1, "a\n"), frame(1, "b\n"), frame(2, "e\n"), frame(1, "c\n"), frame(2, "f\n"))
	})
	for range 2 { // the place is the old output's: a second one gets the same
		resumed, gap, err := e.Resume(t.Context(), someID, o)
		if err != nil || !gap.IsZero() || gap.String() != "no output is missing" {
			t.Fatalf("%v, %v", gap, err)
		}
		var out, errs bytes.Buffer
		if err := resumed.Copy(&out, &errs); err != nil || out.String() != "c\n" || errs.String() != "f\n" {
			t.Errorf("%q and %q, %v", out.String(), errs.String(), err)
		}
	}
}

func TestResumeOfALogThatMovesMeanwhile(t *testing.T) {
	e, _, o := resuming(t, frame(1, strings.Join(lines(1, 100), "")), fakeLimits(10*time.Second), func(_ string, follow bool) reaction {
		first := 1
		if follow {
			first = 50
		}
		var frames []string
		for _, line := range lines(first, 300) {
			frames = append(frames, frame(1, line))
		}
		return logAnswer(frames...)
	})
	resumed, gap, err := e.Resume(t.Context(), someID, o)
	if err != nil || !gap.IsZero() {
		t.Fatalf("%v, %v", gap, err)
	}
	var out bytes.Buffer
	if err := resumed.Copy(&out, io.Discard); !errors.Is(err, ErrLogMoved) || out.Len() > 0 {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestResumeWithoutALogGoesOnLive(t *testing.T) {
	const unreadable = `{"message":"configured logging driver does not support reading"}`
	running := strings.Replace(inspected, `"Running": false`, `"Running": true`, 1)
	for _, tc := range []struct {
		name, inspected string
		log             reaction
		want            string
	}{
		{"running", running, reaction{text: jsonAnswer(501, unreadable)}, "live\n"},
		{"with an older daemon", running, reaction{text: jsonAnswer(500, unreadable)}, "live\n"},
		{"ended", inspected, reaction{text: jsonAnswer(501, unreadable)}, ""},
		{"log takes too long", running, reaction{text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", hangs: true}, "live\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			checkGoroutines(t)
			limits := fakeLimits(10 * time.Second)
			if tc.log.hangs {
				limits.List = 200 * time.Millisecond
			}
			e, _, o := resuming(t, frame(1, "a\n"), limits, func(name string, _ bool) reaction {
				switch name {
				case "logs":
					return tc.log
				case "attach":
					return reaction{text: upgraded + frame(1, "live\n")}
				}
				return reaction{text: jsonAnswer(200, tc.inspected)}
			})
			resumed, gap, err := e.Resume(t.Context(), someID, o)
			if err != nil || gap.IsZero() || gap.From.After(gap.To) || !strings.Contains(gap.String(), "may be missing") {
				t.Fatalf("%v, %v", gap, err)
			}
			var out bytes.Buffer
			if err := resumed.Copy(&out, io.Discard); err != nil || out.String() != tc.want {
				t.Errorf("%q, %v", out.String(), err)
			}
			if err := resumed.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestResumeThatFails(t *testing.T) {
	for _, tc := range []struct {
		name    string
		how     reaction
		wants   error
		outcome Outcome
	}{
		{"no such container", reaction{text: jsonAnswer(404, `{"message":"No such container: x"}`)}, ErrNotFound, Refused},
		{"log broken off", reaction{text: chunked(frame(1, "a\n"), false)}, io.ErrUnexpectedEOF, Unknown},
		{"log of another kind", reaction{text: chunked("hello, world", true)}, nil, Unknown},
		{"proxy", reaction{text: answer(502, "text/html", "<html>")}, nil, Unknown},
	} {
		t.Run(tc.name, func(t *testing.T) {
			checkGoroutines(t)
			e, f, o := resuming(t, frame(1, "a\n"), fakeLimits(10*time.Second), func(string, bool) reaction { return tc.how })
			asked := len(f.requests())
			_, _, err := e.Resume(t.Context(), someID, o)
			if err == nil || OutcomeOf(err) != tc.outcome || tc.wants != nil && !errors.Is(err, tc.wants) {
				t.Errorf("outcome %v, %v", OutcomeOf(err), err)
			}
			if n := len(f.requests()) - asked; n != 1 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestResumeThatWasGivenUp(t *testing.T) {
	checkGoroutines(t)
	e, f, o := resuming(t, frame(1, "a\n"), fakeLimits(time.Minute), func(string, bool) reaction {
		return reaction{text: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", hangs: true}
	})
	ctx, cancel := context.WithCancel(t.Context())
	asked := len(f.requests())
	go func() {
		eventually(func() bool { return len(f.requests()) > asked })
		cancel()
	}()
	if _, _, err := e.Resume(ctx, someID, o); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestGapIsToldWithItsTimes(t *testing.T) {
	from := time.Date(2026, 11, 22, 2, 20, 56, 0, time.UTC)
	g := Gap{From: from, To: from.Add(time.Minute), Reason: "no log"}
	if got, want := fmt.Sprint(g), "output between 2026-11-22T02:20:56Z and 2026-11-22T02:21:56Z may be missing or doubled: no log"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
