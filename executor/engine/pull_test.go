package engine

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"slices"
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
		{"registry error", chunked(`{"status":"x"}{"errorDetail":{"message":"toomanyrequests: slow down"},"error":"toomanyrequests: slow down"}`, true), Refused, errLimited, "slow down"},
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
				if errors.Is(err, class) != errors.Is(tc.class, class) {
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
		class error
	}{
		{"no answer", func(l *Limits) { l.PullBegin = short }, hang,
			"no answer to the pull within 200ms (engine.limits.pull_begin): the engine is alive, check that it reaches the registry (network, 3 tries)", ErrNetwork},
		{"no first line", func(l *Limits) { l.PullBegin = short }, sayAndHang(pulling),
			"no first step of the pull within 200ms (engine.limits.pull_begin): the engine is alive, check that it reaches the registry (network, 3 tries)", ErrNetwork},
		{"stuck", func(l *Limits) { l.PullIdle = short }, sayAndHang(pulling + `{"status":"x"}`), "no progress of the pull within 200ms (engine.limits.pull_idle): ", ErrNetwork},
		{"stuck in a layer beside one that is extracted", func(l *Limits) { l.PullIdle = short },
			sayAndHang(pulling + `{"id":"a","status":"Extracting"}{"id":"b","status":"Downloading"}`), "no progress of the pull within 200ms (engine.limits.pull_idle): ", ErrNetwork},
		{"says the same again and again", func(l *Limits) { l.PullIdle = short }, sayForEver(`{"status":"waiting"}`), "no progress of the pull within 200ms (engine.limits.pull_idle): ", ErrNetwork},
		{"stuck in the last extraction", func(l *Limits) { l.PullExtract = short },
			sayAndHang(pulling + `{"id":"a","status":"Pull complete"}{"id":"b","status":"Download complete"}`), "no progress of the extraction of the image's layers within 200ms (engine.limits.pull_extract): ", nil},
		{"stuck after the last extraction", func(l *Limits) { l.PullIdle = short },
			sayAndHang(pulling + `{"id":"a","status":"Extracting"}{"id":"a","status":"Pull complete"}`), "no progress of the pull within 200ms (engine.limits.pull_idle): ", ErrNetwork},
		{"too long", func(l *Limits) { l.PullTotal = short }, sayForEver(`{"status":"a"}{"status":"b"}`), "the pull is not finished within 200ms (engine.limits.pull_total): ", nil},
		{"queued behind other pulls", func(l *Limits) { l.PullIdle, l.PullExtract, l.PullTotal = short/4, short/4, short },
			sayAndHang(pulling + `{"id":"a","status":"Pulling fs layer"}{"id":"b","status":"Pulling fs layer"}{"id":"a","status":"Waiting"}{"id":"b","status":"Waiting"}`),
			"the image's layers wait in the engine's queue behind other pulls and are not fetched within 200ms (engine.limits.pull_total): check the other pulls", nil},
		{"queued in part, the rest is there", func(l *Limits) { l.PullIdle, l.PullExtract, l.PullTotal = short/4, short/4, short },
			sayAndHang(pulling + `{"id":"a","status":"Waiting"}{"id":"b","status":"Download complete"}{"id":"c","status":"Already exists"}`), "queue", nil},
		{"has its turn and gets nothing", func(l *Limits) { l.PullIdle = short },
			sayAndHang(pulling + `{"id":"a","status":"Waiting"}{"id":"b","status":"Pulling fs layer"}`), "no progress of the pull within 200ms (engine.limits.pull_idle): ", ErrNetwork},
	} {
		t.Run(tc.name, func(t *testing.T) {
			checkGoroutines(t)
			f := startFake(t, besidesPings(tc.serve))
			l := base
			tc.set(&l)
			err := openFake(t, f, l).Pull(t.Context(), "busybox:local", PullOptions{})
			if !errors.Is(err, context.DeadlineExceeded) || OutcomeOf(err) != Unknown || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("outcome %v, %v", OutcomeOf(err), err)
			}
			if failed := (*PullError)(nil); !errors.As(err, &failed) || failed.Class != tc.class {
				t.Errorf("class of %v", err)
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

// besidesPings answers pings and leaves the rest to serve.
func besidesPings(serve behaviour) behaviour {
	return func(f *fakeDaemon, conn net.Conn) {
		peeked := peekedConn{conn, bufio.NewReader(conn)}
		const ping = "GET /_ping"
		if begin, _ := peeked.ahead.Peek(len(ping)); string(begin) == ping {
			healthy(f, peeked)
			return
		}
		serve(f, peeked)
	}
}

type peekedConn struct {
	net.Conn
	ahead *bufio.Reader
}

func (c peekedConn) Read(p []byte) (int, error) { return c.ahead.Read(p) }

func TestHungEngineIsToldFromAHungRegistry(t *testing.T) {
	for name, serve := range map[string]behaviour{"no answer": hang, "no first line": sayAndHang(pulling), "no progress": sayAndHang(pulling + `{"status":"x"}`)} {
		t.Run(name, func(t *testing.T) {
			f := startFake(t, serve)
			l := fakeLimits(time.Minute)
			l.PullBegin, l.PullIdle, l.Ping = 200*time.Millisecond, 200*time.Millisecond, 200*time.Millisecond
			err := openFake(t, f, l).Pull(t.Context(), "busybox:local", PullOptions{})
			if !errors.Is(err, ErrEngine) || errors.Is(err, ErrNetwork) || !strings.Contains(err.Error(), "the engine hangs, check the Docker daemon (docker ping: ") ||
				!strings.HasSuffix(err.Error(), "(engine)") {
				t.Error(err)
			}
			pulls := slices.DeleteFunc(f.requests(), func(r string) bool { return !strings.HasPrefix(r, "POST ") })
			if len(pulls) != 1 {
				t.Errorf("asked %d times", len(pulls))
			}
		})
	}
}

func TestEngineThatRefusesConnectionsIsNotTheNetwork(t *testing.T) {
	f := startFake(t, hang)
	e := openFake(t, f, fakeLimits(time.Minute))
	f.listener.Close()
	var waits []time.Duration
	e.wait = func(_ context.Context, d time.Duration) error {
		waits = append(waits, d)
		return nil
	}
	err := e.Pull(t.Context(), "busybox:local", PullOptions{})
	if !errors.Is(err, ErrEngine) || errors.Is(err, ErrNetwork) || OutcomeOf(err) != Refused || !strings.Contains(err.Error(), "(engine, 2 tries): check that the Docker daemon runs") {
		t.Errorf("outcome %v, %v", OutcomeOf(err), err)
	}
	if len(waits) != 1 || waits[0] > 3*shortestPause {
		t.Errorf("waits %v", waits)
	}
}

func TestTotalLimitKeepsWhyTheTryBeforeFailed(t *testing.T) {
	serves := []behaviour{say(chunked(`{"status":"x"}{"error":"received unexpected HTTP status: 503 Service Unavailable"}`, true)), sayAndHang(pulling + `{"status":"y"}`)}
	asked := 0
	f := startFake(t, func(f *fakeDaemon, conn net.Conn) {
		f.mu.Lock()
		serve := serves[min(asked, len(serves)-1)]
		asked++
		f.mu.Unlock()
		serve(f, conn)
	})
	l := fakeLimits(time.Minute)
	l.PullBegin, l.PullTotal = 100*time.Millisecond, 16*time.Second
	e := openFake(t, f, l)
	// The wait uses up most of the total.
	e.wait = func(ctx context.Context, _ time.Duration) error { return pause(ctx, 15*time.Second) }
	err := e.Pull(t.Context(), "busybox:local", PullOptions{})
	if !errors.Is(err, ErrNetwork) || !errors.Is(err, context.DeadlineExceeded) ||
		!strings.Contains(err.Error(), "the pull is not finished within 16s") || !strings.Contains(err.Error(), "; the try before failed: docker pull: the daemon failed: received unexpected HTTP status: 503") {
		t.Error(err)
	}
}

// A registry's words must not move the operator's terminal.
func TestDaemonsWordsArePrintable(t *testing.T) {
	f := startFake(t, say(chunked(`{"status":"x"}{"error":"denied: \u001b[2Jgo\r\naway\u0007 \u202eevil \u00fcber"}`, true)))
	err := openFake(t, f, fakeLimits(time.Minute)).Pull(t.Context(), "busybox:local", PullOptions{})
	if err == nil || !strings.Contains(err.Error(), "denied: ?[2Jgo  away? ?evil über (auth)") {
		t.Errorf("%q", err)
	}
}
