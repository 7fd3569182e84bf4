package engine

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

const pulling = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n" // body to the end of the connection

func TestPullReportsEachStepOnce(t *testing.T) {
	f := startFake(t, say(chunked(strings.Join([]string{
		`{"status":"Pulling from library/busybox","id":"latest"}`,
		`{"status":"Downloading","progressDetail":{"current":10,"total":100},"progress":"[=>","id":"aa"}`,
		`{"status":"Downloading","progressDetail":{"current":10,"total":100},"progress":"[=>","id":"aa"}`,
		`{"status":"Downloading","progressDetail":{"current":20,"total":100},"id":"aa"}`,
		`{"aux":{"x":1}}`,
		`{"status":"Status: Downloaded newer image for busybox:latest"}`,
	}, "\r\n"), true)))
	var got []Progress
	err := openFake(t, f, fakeLimits(10*time.Second)).Pull(t.Context(), "busybox", PullOptions{Progress: func(p Progress) { got = append(got, p) }})
	want := []Progress{
		{"latest", "Pulling from library/busybox", 0, 0},
		{"aa", "Downloading", 10, 100},
		{"aa", "Downloading", 20, 100},
		{"", "Status: Downloaded newer image for busybox:latest", 0, 0},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestPullFailuresInsideTheStream(t *testing.T) {
	for _, tc := range []struct {
		name, stream string
		outcome      Outcome
		class        error
		says         string
	}{
		{"registry error", chunked(`{"status":"x"}{"errorDetail":{"message":"toomanyrequests: slow down"},"error":"toomanyrequests: slow down"}`, true), Refused, ErrNetwork, "slow down"},
		{"only the old field", chunked(`{"status":"x"}{"error":"out of luck"}`, true), Refused, nil, "out of luck"},
		{"no such tag", chunked(`{"errorDetail":{"message":"manifest for busybox:nope not found: manifest unknown"}}`, true), Refused, ErrNotFound, "busybox:nope"},
		{"hidden", chunked(`{"errorDetail":{"message":"pull access denied for x, repository does not exist or may require 'docker login'"}}`, true), Refused, ErrAuth, "docker login"},
		{"cut", chunked(`{"status":"x"}`, false), Unknown, nil, "broke off"},
		{"cut in a line", chunked(`{"status":"x"}{"sta`, true), Unknown, nil, "broke off"},
		{"empty", chunked(` `, true), Unknown, nil, "no progress"},
		{"endless line", chunked(`{"status":"`+strings.Repeat("x", maxPullLine+1)+`"}`, true), Unknown, nil, "more than 1048576 bytes"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := startFake(t, say(tc.stream))
			err := openFake(t, f, fakeLimits(10*time.Second)).Pull(t.Context(), "busybox:nope", PullOptions{})
			var failed *PullError
			if !errors.As(err, &failed) || OutcomeOf(err) != tc.outcome || failed.Class != tc.class || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("outcome %v, %v", OutcomeOf(err), err)
			}
			for _, class := range []error{ErrNotFound, ErrAuth, ErrNetwork, ErrDisk} {
				if errors.Is(err, class) != (class == tc.class) {
					t.Errorf("is %v: %v", class, err)
				}
			}
		})
	}
}

func TestPullLimits(t *testing.T) {
	const short, long = 200 * time.Millisecond, time.Minute
	base := fakeLimits(long)
	for _, tc := range []struct {
		name  string
		set   func(*Limits)
		serve behaviour
		says  string
	}{
		{"no answer", func(l *Limits) { l.PullBegin = short }, hang, "no first step of the pull within 200ms (engine.limits.pull_begin): "},
		{"no first line", func(l *Limits) { l.PullBegin = short }, sayAndHang(pulling), "no first step of the pull within 200ms (engine.limits.pull_begin): "},
		{"stuck", func(l *Limits) { l.PullIdle = short }, sayAndHang(pulling + `{"status":"x"}`), "no progress of the pull within 200ms (engine.limits.pull_idle): "},
		{"stuck in a layer beside one that is extracted", func(l *Limits) { l.PullIdle = short },
			sayAndHang(pulling + `{"id":"a","status":"Extracting"}{"id":"b","status":"Downloading"}`), "no progress of the pull within 200ms (engine.limits.pull_idle): "},
		{"says the same again and again", func(l *Limits) { l.PullIdle = short }, sayForEver(`{"status":"waiting"}`), "no progress of the pull within 200ms (engine.limits.pull_idle): "},
		{"stuck in the last extraction", func(l *Limits) { l.PullExtract = short },
			sayAndHang(pulling + `{"id":"a","status":"Pull complete"}{"id":"b","status":"Download complete"}`), "no progress of the extraction of the image's layers within 200ms (engine.limits.pull_extract): "},
		{"stuck after the last extraction", func(l *Limits) { l.PullIdle = short },
			sayAndHang(pulling + `{"id":"a","status":"Extracting"}{"id":"a","status":"Pull complete"}`), "no progress of the pull within 200ms (engine.limits.pull_idle): "},
		{"too long", func(l *Limits) { l.PullTotal = short }, sayForEver(`{"status":"a"}{"status":"b"}`), "the pull is not finished within 200ms (engine.limits.pull_total): "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			checkGoroutines(t)
			f := startFake(t, tc.serve)
			l := base
			tc.set(&l)
			err := openFake(t, f, l).Pull(t.Context(), "busybox:local", PullOptions{})
			if !errors.Is(err, context.DeadlineExceeded) || OutcomeOf(err) != Unknown || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("outcome %v, %v", OutcomeOf(err), err)
			}
			var call *CallError
			if errors.As(err, &call) && call.Limit != short {
				t.Errorf("limit %s is not the one that was over", call.Limit)
			}
		})
	}
}

// sayForEver repeats a line until the client goes away.
func sayForEver(line string) behaviour {
	return func(f *fakeDaemon, conn net.Conn) {
		if f.readRequest(conn) == nil {
			return
		}
		_, err := io.WriteString(conn, pulling)
		for err == nil {
			time.Sleep(time.Millisecond) // a daemon's pace, not a wait
			_, err = io.WriteString(conn, line)
		}
	}
}
