package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// calls are the calls on an existing container or image, and the status that means success.
var calls = []struct {
	name    string
	success int
	body    bool // success has a body, which can be broken
	mutates bool
	run     func(context.Context, *Engine) error
}{
	{"info", 200, true, false, func(ctx context.Context, e *Engine) error {
		p, err := e.docker()
		if err == nil {
			_, err = e.info(ctx, p)
		}
		return err
	}},
	{"image", 200, true, false, func(ctx context.Context, e *Engine) error {
		_, err := e.Image(ctx, "busybox:local")
		return err
	}},
	{"create", 201, true, true, func(ctx context.Context, e *Engine) error {
		c, h := minimal()
		id, _, err := e.Create(ctx, "name", c, h, nil)
		if err != nil && id != "" {
			return fmt.Errorf("%w, yet an ID: %s", err, id)
		}
		return err
	}},
	{"start", 204, false, true, func(ctx context.Context, e *Engine) error { return e.Start(ctx, someID) }},
	{"inspect", 200, true, false, func(ctx context.Context, e *Engine) error {
		_, err := e.Inspect(ctx, someID)
		return err
	}},
	{"inspect again", 200, true, false, func(ctx context.Context, e *Engine) error {
		_, err := e.InspectAgain(ctx, someID)
		return err
	}},
	{"list", 200, true, false, func(ctx context.Context, e *Engine) error {
		all, err := e.List(ctx, "team")
		if err == nil && len(all) == 0 {
			return errors.New("an empty list")
		}
		return err
	}},
	{"signal", 204, false, true, func(ctx context.Context, e *Engine) error { return e.Signal(ctx, someID, "TERM") }},
	{"remove", 204, false, true, func(ctx context.Context, e *Engine) error { return e.Remove(ctx, someID) }},
	{"pull", 200, true, false, func(ctx context.Context, e *Engine) error { return e.Pull(ctx, "busybox:local", PullOptions{}) }},
	{"attach", 101, false, false, func(ctx context.Context, e *Engine) error {
		o, err := e.Attach(ctx, someID, false)
		if err == nil {
			err = errors.Join(o.Copy(io.Discard, io.Discard), o.Close())
		}
		return err
	}},
	{"next exit", 200, true, false, func(ctx context.Context, e *Engine) error {
		x, err := e.NextExit(ctx, someID)
		if err != nil {
			return err
		}
		defer x.Close()
		ctx, cancel := context.WithTimeout(ctx, e.limits.Attach)
		defer cancel()
		_, err = x.Wait(ctx)
		return err
	}},
}

// faults are the ways in which a daemon, or what stands in its place, can fail to carry a call out.
var faults = []struct {
	name     string
	behave   func(success int) behaviour
	outcome  Outcome
	wants    error
	bodyOnly bool // concerns only calls whose success has a body
}{
	{"hangs", always(hang), Unknown, context.DeadlineExceeded, false},
	{"cuts before reading", always(cutBeforeReading), Unknown, nil, false},
	{"cuts after reading", always(cutAfterReading), Unknown, nil, false},
	{"400 from the daemon", always(say(jsonAnswer(400, `{"message":"no such option"}`))), Refused, nil, false},
	{"404 from the daemon", always(say(jsonAnswer(404, `{"message":"No such container: x"}`))), Refused, ErrNotFound, false},
	{"409 from the daemon", always(say(jsonAnswer(409, `{"message":"name in use"}`))), Refused, ErrConflict, false},
	{"500 from the daemon", always(say(jsonAnswer(500, `{"message":"no space left on device"}`))), Refused, nil, false},
	{"500 without a message", always(say(jsonAnswer(500, `{}`))), Unknown, nil, false},
	{"500 broken off", always(say("HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{\"mess")), Unknown, io.ErrUnexpectedEOF, false},
	{"500 silent after its headers", always(sayAndHang("HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n")), Unknown, context.DeadlineExceeded, false},
	{"502 of a proxy", always(say(answer(502, "text/html", "<html>Bad Gateway</html>"))), Unknown, nil, false},
	{"redirect", always(say("HTTP/1.1 301 Moved\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n")), Unknown, nil, false},
	{"no HTTP", always(say("SSH-2.0-OpenSSH_9.2\r\n")), Unknown, nil, false},
	{"202, which no daemon says", always(say(jsonAnswer(202, `{}`))), Unknown, nil, false},
	{"{}", body("{}"), Unknown, nil, true},
	{"null", body("null"), Unknown, nil, true},
	{"[]", body("[]"), Unknown, nil, true},
	{"empty body", body(""), Unknown, nil, true},
	{"truncated JSON", body(`{"Id":"` + someID), Unknown, nil, true},
	{"truncated body", func(success int) behaviour {
		return say(strings.Replace(jsonAnswer(success, `{"Id":"`+someID+`"}`), "Content-Length: ", "Content-Length: 1", 1))
	}, Unknown, nil, true},
	{"silent after its headers", func(success int) behaviour {
		return sayAndHang(strings.TrimSuffix(jsonAnswer(success, "1234567890"), "1234567890"))
	}, Unknown, context.DeadlineExceeded, true},
}

func always(b behaviour) func(int) behaviour { return func(int) behaviour { return b } }

func body(text string) func(int) behaviour {
	return func(success int) behaviour { return say(jsonAnswer(success, text)) }
}

func TestFaultsEndWithinTheLimitAndWithTheRightOutcome(t *testing.T) {
	const limit = 500 * time.Millisecond // enough for an answer on a loaded machine
	checkGoroutines(t)
	for _, c := range calls {
		for _, fault := range faults {
			if fault.bodyOnly && !c.body {
				continue
			}
			t.Run(c.name+"/"+fault.name, func(t *testing.T) {
				t.Parallel()
				f := startFake(t, fault.behave(c.success))
				e := openFake(t, f, fakeLimits(limit))
				began := time.Now()
				err := c.run(t.Context(), e)
				took := time.Since(began)

				if c.name == "remove" && fault.wants == ErrNotFound {
					if err != nil {
						t.Fatalf("removal of what is not there: %v", err)
					}
					return
				}
				if err == nil {
					t.Fatal("no error")
				}
				if got := OutcomeOf(err); got != fault.outcome {
					t.Errorf("outcome %v, want %v: %v", got, fault.outcome, err)
				}
				if fault.wants != nil && !errors.Is(err, fault.wants) {
					t.Errorf("error is not %q: %v", fault.wants, err)
				}
				if took > limit+5*time.Second { // a loaded machine's share
					t.Errorf("took %s", took)
				}
				if c.mutates != strings.Contains(err.Error(), "may still take effect") && fault.outcome == Unknown {
					t.Errorf("the message does not fit a call that changes something = %v: %v", c.mutates, err)
				}
				most := 3
				if c.name == "pull" {
					most++ // a ping, to find out whether the daemon lives
				}
				if n := len(f.requests()); n > most {
					t.Errorf("%d requests, want a ping, an info and at most %d more: %q", n, most-2, f.requests())
				}
			})
		}
	}
}

func TestSuccessfulAnswersOfCallsWithoutBody(t *testing.T) {
	for _, c := range calls {
		if c.body || c.success != 204 {
			continue
		}
		f := startFake(t, say("HTTP/1.1 204 No Content\r\n\r\n"))
		if err := c.run(t.Context(), openFake(t, f, fakeLimits(10*time.Second))); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestStartOfARunningContainerIsDone(t *testing.T) {
	f := startFake(t, say("HTTP/1.1 304 Not Modified\r\n\r\n"))
	if err := openFake(t, f, fakeLimits(10*time.Second)).Start(t.Context(), someID); err != nil {
		t.Error(err)
	}
}

func TestNothingReachesAnAbsentDaemon(t *testing.T) {
	for _, tc := range []struct {
		name  string
		spoil func(t *testing.T, f *fakeDaemon)
		hint  string
	}{
		{"no socket", func(t *testing.T, f *fakeDaemon) { f.listener.Close() }, "is the Docker daemon running"},
		{"nobody listens", func(t *testing.T, f *fakeDaemon) {
			path := strings.TrimPrefix(f.host, "unix://")
			if err := os.Rename(path, path+"2"); err != nil {
				t.Fatal(err)
			}
			f.listener.Close()
			if err := os.Rename(path+"2", path); err != nil {
				t.Fatal(err)
			}
		}, "is the Docker daemon running"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f := startFake(t, healthy)
			e := openFake(t, f, fakeLimits(10*time.Second))
			tc.spoil(t, f)
			for _, c := range calls {
				err := c.run(t.Context(), e)
				if err == nil || OutcomeOf(err) != Refused || !strings.Contains(err.Error(), tc.hint) {
					t.Errorf("%s: outcome %v, %v", c.name, OutcomeOf(err), err)
				}
			}
		})
	}
}

func TestCallerGivesUp(t *testing.T) {
	checkGoroutines(t)
	for _, c := range calls {
		t.Run(c.name, func(t *testing.T) {
			f := startFake(t, hang)
			e := openFake(t, f, fakeLimits(time.Minute))
			asked := len(f.requests())
			ctx, cancel := context.WithCancelCause(t.Context())
			reason := errors.New("the task was killed")
			go func() {
				eventually(func() bool { return len(f.requests()) > asked })
				cancel(reason)
			}()
			err := c.run(ctx, e)
			if !errors.Is(err, context.Canceled) || !errors.Is(err, reason) || OutcomeOf(err) != Unknown {
				t.Errorf("outcome %v, %v", OutcomeOf(err), err)
			}
		})
	}
}

func TestCallerThatHasGivenUpBeforeTheCallReachesNobody(t *testing.T) {
	f := startFake(t, healthy)
	e := openFake(t, f, fakeLimits(time.Minute))
	asked := len(f.requests())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range calls {
		if err := c.run(ctx, e); !errors.Is(err, context.Canceled) || OutcomeOf(err) != Refused {
			t.Errorf("%s: outcome %v, %v", c.name, OutcomeOf(err), err)
		}
	}
	if n := len(f.requests()); n != asked {
		t.Errorf("the daemon got %q", f.requests()[asked:])
	}
}

func TestHungCallsDoNotBlockOthers(t *testing.T) {
	checkGoroutines(t)
	f := startFake(t, hang)
	e := openFake(t, f, fakeLimits(time.Minute))
	ctx, cancel := context.WithCancel(t.Context())
	const hung = 50
	ended := make(chan error, hung)
	asked := len(f.requests())
	for range hung {
		go func() { ended <- e.Start(ctx, someID) }()
	}
	if !eventually(func() bool { return len(f.requests()) == asked+hung }) {
		t.Fatalf("%d calls are under way, want %d", len(f.requests())-asked, hung)
	}
	f.become(say("HTTP/1.1 204 No Content\r\n\r\n"))
	if err := e.Signal(t.Context(), someID, "TERM"); err != nil {
		t.Error(err)
	}
	cancel()
	for range hung {
		<-ended
	}
}

func TestStartThatLostItsRuntimeIsUnknown(t *testing.T) {
	for message, want := range map[string]Outcome{
		"connection error: desc = \"transport: Error while dialing dial unix containerd.sock: connect: connection refused\": unavailable": Unknown,
		"transport is closing: unavailable":                                    Unknown,
		"ttrpc: closed: unknown":                                               Unknown,
		"context deadline exceeded: unknown":                                   Unknown,
		"fork/exec containerd-shim: resource temporarily unavailable: unknown": Refused,
		"OCI runtime create failed: exec: \"nope\": not found: unknown":        Refused,
	} {
		text := fmt.Sprintf(`{"message":%q}`, message)
		f := startFake(t, say(jsonAnswer(500, text)))
		err := openFake(t, f, fakeLimits(10*time.Second)).Start(t.Context(), someID)
		if got := OutcomeOf(err); got != want {
			t.Errorf("%s: outcome %v, want %v", message, got, want)
		}
	}
}

func TestRequestsOutsideOfTheGuardAreImpossible(t *testing.T) {
	f := startFake(t, healthy)
	e := openFake(t, f, fakeLimits(10*time.Second))
	p, err := e.docker()
	if err != nil {
		t.Fatal(err)
	}
	asked := len(f.requests())
	if _, err := p.docker.Info(t.Context()); err == nil || len(f.requests()) != asked {
		t.Errorf("an unlimited call went through: %v", err)
	}
}

func TestBadArgumentsReachNobody(t *testing.T) {
	f := startFake(t, healthy)
	e := openFake(t, f, fakeLimits(10*time.Second))
	asked := len(f.requests())
	for _, id := range []string{"", "..", "a/b", "../images/x", "a?force=1", "a b"} {
		for name, err := range map[string]error{
			"start":  e.Start(t.Context(), id),
			"signal": e.Signal(t.Context(), id, "TERM"),
			"remove": e.Remove(t.Context(), id),
		} {
			if OutcomeOf(err) != Refused {
				t.Errorf("%s of %q: %v", name, id, err)
			}
		}
		if _, err := e.Inspect(t.Context(), id); err == nil {
			t.Errorf("inspect of %q", id)
		}
		if _, err := e.NextExit(t.Context(), id); err == nil {
			t.Errorf("next exit of %q", id)
		}
	}
	if err := e.Signal(t.Context(), someID, ""); OutcomeOf(err) != Refused {
		t.Errorf("the empty signal, which would be SIGKILL: %v", err)
	}
	if _, err := e.Image(t.Context(), "../containers/x"); err == nil {
		t.Error("an image outside of the images")
	}
	if n := len(f.requests()); n != asked {
		t.Errorf("the daemon got %q", f.requests()[asked:])
	}
}
