package enginefault

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	create  = `POST /v1.41/containers/create {"Image":"x"}`
	start   = "POST /v1.41/containers/abc/start"
	wait    = "POST /v1.41/containers/abc/wait"
	attach  = "POST /v1.41/containers/abc/attach"
	inspect = "GET /v1.41/containers/abc/json"
	ping    = "GET /_ping"
	slow    = "GET /slow" // answered after the container's exit
)

func TestVerbs(t *testing.T) {
	for request, want := range map[string]Verb{
		"HEAD /_ping":      Ping,
		ping:               Ping,
		"GET /version":     Version,
		"GET /v1.41/info":  Info,
		create:             Create,
		start:              Start,
		wait:               Wait,
		attach:             Attach,
		inspect:            Inspect,
		"GET /images/json": other,
		"GET /v1.41/images/localhost:1/a/b:1/json": Image,
		"POST /v1.41/images/create":                Pull,
		"POST /v1.41/images/load":                  other,
		"POST /v1.41/containers/abc/kill":          Kill,
		"POST /v1.41/containers/abc/stop":          other,
		"DELETE /v1.41/containers/abc":             Remove,
		"DELETE /v1.41/images/abc":                 other,
		"GET /v1.41/containers/json":               List,
		"GET /v1.41/containers/abc/logs":           Logs,
		"GET /events":                              other,
	} {
		part := strings.Split(request, " ")
		r, err := http.NewRequest(part[0], "http://docker"+part[1], nil)
		if err != nil {
			t.Fatal(err)
		}
		if got := verbOf(r); got != want {
			t.Errorf("%s is %s, want %s", request, got, want)
		}
	}
}

func TestAnswersAreAsTheRuleSays(t *testing.T) {
	noLeak(t)
	for _, test := range []struct {
		rule, request string
		want          string // status and body, or "cut"
		reaches       int    // how often the engine gets it
	}{
		{"info=500", ping, `200 {"Ok":true}`, 1},
		{"create=500:no space", create, `500 {"message":"no space"}`, 0},
		{"create=500", create, `500 {"message":"the engine was told to fail"}`, 0},
		{"create=502", create, "502 <html><body><h1>502 Bad Gateway</h1></body></html>", 0},
		{"create=truncated", create, `201 {"Id":"abc","`, 1},
		{"any=truncated", start, "204", 1},
		{"create={}", create, "201 {}", 1},
		{"start={}", start, "200 {}", 1},
		{"create=empty", create, "200", 1},
		{"create=204", create, "204", 1},
		{"create=cut", create, "cut", 0},
		{"create=cut-answer", create, "cut", 1},
		{"create=cut-body", create, "cut", 1},
		{"start=cut-body", start, "cut", 1},
		{"create=twice", create, `201 {"Id":"abc","Warnings":[]}`, 2},
		{"create=delay:1ms", create, `201 {"Id":"abc","Warnings":[]}`, 1},
		{"create=delay-answer:1ms", create, `201 {"Id":"abc","Warnings":[]}`, 1},
		{"create=freeze:1ms", create, `201 {"Id":"abc","Warnings":[]}`, 1},
		{"create=half-open:1ms", create, `201 {"Id":"abc","Warnings":[]}`, 1},
		{"create=backlog:1ms", create, `201 {"Id":"abc","Warnings":[]}`, 1},
		{"create=down:1ms", create, "cut", 0},
		{"inspect=status:0", inspect, `200 {"Id":"abc","State":{"ExitCode":0,"FinishedAt":"2026-01-01T12:00:00.5Z","Status":"exited"}}`, 1},
		{"inspect=status:1", "GET /containers/up/json", `200 {"Id":"abc","State":{"Status":"running","ExitCode":0,"FinishedAt":"0001-01-01T00:00:00Z"}}`, 1},
		{"inspect=clock:-1h", inspect, `200 {"Id":"abc","State":{"ExitCode":9,"FinishedAt":"2026-01-01T11:00:00.5Z","Status":"exited"}}`, 1},
		{"inspect=clock:1h", "GET /containers/up/json", `200 {"Id":"abc","State":{"Status":"running","ExitCode":0,"FinishedAt":"0001-01-01T00:00:00Z"}}`, 1},
		{"any=status:0", create, `201 {"Id":"abc","Warnings":[]}`, 1},
	} {
		t.Run(test.rule+" "+test.request, func(t *testing.T) {
			f := startFake(t)
			p := front(t, f, test.rule)
			got, _, err := send(t, p, test.request).answer()
			if cut := err != nil; cut != (test.want == "cut") || !cut && got != test.want {
				t.Errorf("answer %q, %v", got, err)
			}
			if seen := f.seen(); len(seen) != test.reaches {
				t.Errorf("the engine got %q", seen)
			}
		})
	}
}

func TestVersionOfTheAPIIsChangedOrMissing(t *testing.T) {
	for rule, want := range map[string][]string{"ping=api:1.12": {"1.12"}, "ping=api:none": nil, "info=api:none": {"1.41"}} {
		p := front(t, startFake(t), rule)
		text, resp, err := send(t, p, ping).answer()
		if err != nil || text != `200 {"Ok":true}` || !slices.Equal(resp.Header["Api-Version"], want) {
			t.Errorf("%s: %s, %v, %v", rule, text, resp, err)
		}
	}
}

func TestFalseExitStatusInTheAnswerToWait(t *testing.T) {
	f := startFake(t)
	p := front(t, f, "wait=status:0")
	c := send(t, p, wait)
	resp, err := http.ReadResponse(c.in, nil) // the head, while the container runs
	if err != nil {
		t.Fatal(err)
	}
	close(f.exit)
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != `{"StatusCode":0}` {
		t.Errorf("%s, %v", body, err)
	}
}

func TestHungCallReachesTheEngineOnlyWhenReleased(t *testing.T) {
	noLeak(t)
	f := startFake(t)
	p := front(t, f, "create=hang")
	c := send(t, p, create)
	if e := held(t, p); e.Verb != Create || e.N != 1 || e.Rule != "create=hang" || e.Call != "POST /v1.41/containers/create" {
		t.Errorf("held: %+v", e)
	}
	c.Close() // the client gives up
	if seen := f.seen(); len(seen) > 0 {
		t.Errorf("the engine got %q", seen)
	}
	p.Release()
	until(t, "the late effect", func() bool { return len(f.seen()) == 1 })
	if seen := f.seen(); seen[0] != `POST /v1.41/containers/create {"Image":"x"}` {
		t.Errorf("the engine got %q", seen)
	}
}

func TestHungCallNeverReachesTheEngineAfterClose(t *testing.T) {
	f := startFake(t)
	p := front(t, f, "create=hang", "start=freeze")
	c := send(t, p, create)
	held(t, p) // before the freeze, which would keep it from being told of
	d := send(t, p, start)
	held(t, p)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	for _, c := range []*client{c, d} {
		if _, _, err := c.answer(); err == nil {
			t.Error("an answer after Close")
		}
	}
	if seen := f.seen(); len(seen) > 0 {
		t.Errorf("the engine got %q", seen)
	}
}

func TestHeldAnswerComesWhenReleased(t *testing.T) {
	f := startFake(t)
	p := front(t, f, "create=hang-answer")
	c := send(t, p, create)
	held(t, p)
	if len(f.seen()) != 1 || !c.silent() {
		t.Errorf("the engine got %q, the client something: %v", f.seen(), !c.silent())
	}
	p.Release()
	if got, _, err := c.answer(); got != `201 {"Id":"abc","Warnings":[]}` || err != nil {
		t.Errorf("%s, %v", got, err)
	}
}

func TestRulesCountTheCallsOfTheirVerbSinceTheyWereSet(t *testing.T) {
	p := front(t, startFake(t), "start#2=500:second", "start#3+=500:later", "any#1=500:first")
	ask := func() string {
		t.Helper()
		got, _, err := send(t, p, start).answer()
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	for i, want := range []string{"first", "second", "later", "later"} {
		if got := ask(); got != `500 {"message":"`+want+`"}` {
			t.Errorf("call %d: %s", i+1, got)
		}
	}
	if err := p.Set(parsed(t, "start#1=500:anew")...); err != nil {
		t.Fatal(err)
	}
	if got := ask(); got != `500 {"message":"anew"}` {
		t.Errorf("after Set: %s", got)
	}
	p.Clear()
	if got := ask(); got != "204" {
		t.Errorf("after Clear: %s", got)
	}
	if err := p.Set(Rule{Verb: Start, Action: "no"}); err == nil {
		t.Error("a bad rule was set")
	}
	if last := p.Events()[len(p.Events())-1]; last.N != 6 || last.Did != Passed || last.Rule != "" {
		t.Errorf("last event %+v", last)
	}
}

func TestStreamsPassWithHalfClose(t *testing.T) {
	noLeak(t)
	for _, rule := range []string{"ping=hang", "attach=delay:1ms", "attach=delay-answer:1ms", "attach=api:none"} {
		t.Run(rule, func(t *testing.T) {
			p := front(t, startFake(t), rule)
			c := send(t, p, attach)
			sent := strings.Repeat("0123456789abcdef", 1<<14)
			go func() {
				io.WriteString(c, sent) //nolint:errcheck // the test sees it
				c.CloseWrite()          //nolint:errcheck // so too
			}()
			got, err := io.ReadAll(c.in)
			_, body, _ := strings.Cut(string(got), "\r\n\r\n")
			if err != nil || body != sent+"bye" {
				t.Errorf("%d bytes of %d, %v", len(body), len(sent)+3, err)
			}
		})
	}
}

func TestFreezeHoldsOpenStreamsToo(t *testing.T) {
	noLeak(t)
	f := startFake(t)
	p := front(t, f, "start=freeze")
	stream := send(t, p, wait)
	if _, err := http.ReadResponse(stream.in, nil); err != nil {
		t.Fatal(err)
	}
	started := send(t, p, start)
	held(t, p)
	asked := send(t, p, ping) // connecting works
	if e := held(t, p); e.Verb != Ping || e.Rule != "" {
		t.Errorf("held %+v", e)
	}
	close(f.exit)
	if !stream.silent() || !asked.silent() || len(f.seen()) != 1 {
		t.Error("something passed during the freeze")
	}
	p.Thaw()
	if got, _, err := started.answer(); got != "204" || err != nil {
		t.Errorf("start after the thaw: %s, %v", got, err)
	}
	if got, _, err := asked.answer(); got != `200 {"Ok":true}` || err != nil {
		t.Errorf("ping after the thaw: %s, %v", got, err)
	}
	if rest, err := io.ReadAll(stream.in); err != nil || !strings.Contains(string(rest), `{"StatusCode":9}`) {
		t.Errorf("wait after the thaw: %q, %v", rest, err)
	}
}

func TestFrozenCallIsCarriedOutThoughItsClientHasGone(t *testing.T) {
	f := startFake(t)
	p := front(t, f)
	p.Outage(Freeze, 0)
	c := send(t, p, create)
	held(t, p)
	c.Close()
	p.Thaw()
	until(t, "the late effect", func() bool { return len(f.seen()) == 1 })
}

func TestDownCutsEverythingUntilThaw(t *testing.T) {
	noLeak(t)
	p := front(t, startFake(t), "start=down")
	stream := send(t, p, wait)
	if _, err := http.ReadResponse(stream.in, nil); err != nil {
		t.Fatal(err)
	}
	if _, _, err := send(t, p, start).answer(); err == nil {
		t.Error("the call that found the engine down was answered")
	}
	if _, err := io.ReadAll(stream.in); errors.Is(err, net.ErrClosed) {
		t.Error(err)
	}
	if _, err := net.Dial("unix", p.socket); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("connect: %v", err)
	}
	p.Thaw()
	if got, _, err := send(t, p, ping).answer(); err != nil || got != `200 {"Ok":true}` {
		t.Errorf("after Thaw: %s, %v", got, err)
	}
}

func TestFullBacklogRefusesConnectionsWithEAGAIN(t *testing.T) {
	noLeak(t)
	f := startFake(t)
	p := front(t, f, "start=backlog")
	stream := send(t, p, wait)
	if _, err := http.ReadResponse(stream.in, nil); err != nil {
		t.Fatal(err)
	}
	started := send(t, p, start)
	held(t, p)
	if _, err := net.Dial("unix", p.socket); !errors.Is(err, syscall.EAGAIN) {
		t.Errorf("connect: %v", err)
	}
	close(f.exit)
	if rest, err := io.ReadAll(stream.in); err != nil || !strings.Contains(string(rest), `{"StatusCode":9}`) {
		t.Errorf("an open stream: %q, %v", rest, err)
	}
	p.Clear()
	if got, _, err := started.answer(); err != nil || got != "204" {
		t.Errorf("start after it: %s, %v", got, err)
	}
	if got, _, err := send(t, p, ping).answer(); err != nil || got != `200 {"Ok":true}` {
		t.Errorf("after it: %s, %v", got, err)
	}
}

func TestHalfOpenEngineServesNoNewConnection(t *testing.T) {
	f := startFake(t)
	p := front(t, f, "start=half-open")
	send(t, p, start)
	held(t, p)
	c := send(t, p, ping)
	if !c.silent() || len(f.seen()) > 0 {
		t.Error("served")
	}
	p.Thaw()
	if got, _, err := c.answer(); err != nil || got != `200 {"Ok":true}` {
		t.Errorf("after Thaw: %s, %v", got, err)
	}
}

func TestOutageEndsAfterItsTimeAndIsTold(t *testing.T) {
	p := front(t, startFake(t))
	for _, a := range []Action{Freeze, HalfOpen, Backlog, Down} {
		before := len(p.Events())
		p.Outage(a, time.Millisecond)
		events, err := p.Next(t.Context(), before)
		if err != nil || events[0].Did != Thawed {
			t.Errorf("%s: %v, %v", a, events, err)
		}
		if got, _, err := send(t, p, ping).answer(); err != nil || got != `200 {"Ok":true}` {
			t.Errorf("after %s: %s, %v", a, got, err)
		}
	}
}

func TestCloseDuringEveryOutage(t *testing.T) {
	noLeak(t)
	for _, a := range []Action{Freeze, HalfOpen, Backlog, Down} {
		f := startFake(t)
		p := front(t, f)
		stream := send(t, p, wait)
		if _, err := http.ReadResponse(stream.in, nil); err != nil {
			t.Fatal(err)
		}
		p.Outage(a, time.Hour)
		if err := p.Close(); err != nil {
			t.Errorf("%s: %v", a, err)
		}
		if _, err := p.Next(t.Context(), len(p.Events())); !errors.Is(err, ErrClosed) {
			t.Errorf("%s: Next after Close: %v", a, err)
		}
	}
}

func TestMissingEngineEndsConnections(t *testing.T) {
	p := front(t, &fakeEngine{socket: filepath.Join(t.TempDir(), "none")})
	if _, _, err := send(t, p, ping).answer(); err == nil {
		t.Error("answered")
	}
}

func TestClientsThatKeepConnectionsAreSeenInEveryCall(t *testing.T) {
	p := front(t, startFake(t), "ping#2=500")
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return net.Dial("unix", p.socket) }}
	defer transport.CloseIdleConnections()
	for i, want := range []int{200, 500, 200} {
		resp, err := (&http.Client{Transport: transport}).Get("http://docker/_ping")
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body) //nolint:errcheck // only the status counts
		resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("call %d: %d, want %d", i+1, resp.StatusCode, want)
		}
	}
}

func TestSettleDropsWhatIsHeldAndWaitsForWhatTheEngineHas(t *testing.T) {
	noLeak(t)
	f := startFake(t)
	p := front(t, f, "start#1=hang")
	stream := send(t, p, wait) // has its answer: a stream does not count
	if _, err := http.ReadResponse(stream.in, nil); err != nil {
		t.Fatal(err)
	}
	c := send(t, p, start)
	held(t, p)
	slow := send(t, p, slow)
	until(t, "the slow call to arrive", func() bool { return len(f.seen()) == 2 })
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := p.Settle(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("settled although the engine has a call: %v", err)
	}
	close(f.exit)
	if err := p.Settle(t.Context()); err != nil {
		t.Error(err)
	}
	p.Release()
	if _, _, err := c.answer(); err == nil || len(f.seen()) != 2 {
		t.Errorf("a call was passed on after Settle: %v, %q", err, f.seen())
	}
	if got, _, err := slow.answer(); err != nil || got != `200 {"Ok":true}` {
		t.Errorf("%s, %v", got, err)
	}
}

func TestHelpNamesEverythingAndItsExamplesAreRules(t *testing.T) {
	text := Help()
	for _, v := range Verbs() {
		if !strings.Contains(text, string(v)) {
			t.Errorf("%s is missing", v)
		}
	}
	_, examples, _ := strings.Cut(text, "Examples:\n")
	n := 0
	for line := range strings.Lines(examples) {
		rule, _, _ := strings.Cut(strings.TrimSpace(line), "  ")
		if _, err := Parse(rule); err != nil {
			t.Error(err)
		}
		n++
	}
	if n < 3 {
		t.Errorf("%d examples", n)
	}
}
