package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/registry"
	"github.com/google/go-cmp/cmp"
)

func TestHistoryTellsWhatEndedAndWhatIsUnderWay(t *testing.T) {
	f := startFake(t, say("HTTP/1.1 204 No Content\r\n\r\n"))
	e := openFake(t, f, fakeLimits(time.Minute))
	if err := e.Start(t.Context(), someID); err != nil {
		t.Fatal(err)
	}
	f.become(say(jsonAnswer(409, `{"message":"is not\nrunning"}`)))
	if err := e.Signal(t.Context(), someID, "TERM"); err == nil {
		t.Fatal("no error")
	}
	f.become(hang)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error)
	asked := len(f.requests())
	go func() { gone <- e.Remove(ctx, someID) }()
	if !eventually(func() bool { return len(f.requests()) > asked }) {
		t.Fatal("the remove is not under way")
	}
	got := e.History()
	for i, r := range got {
		if r.Took < 0 || r.Took > time.Minute || r.Began.IsZero() || i > 0 && r.Began.Before(got[i-1].Began) {
			t.Errorf("times of %+v", r)
		}
		got[i].Began, got[i].Took = time.Time{}, 0
	}
	want := []CallRecord{
		{Call: "ping"}, {Call: "info"}, {Call: "start"},
		{Call: "signal", Outcome: Refused, Error: "docker signal: the daemon refused (409): is not running"},
		{Call: "remove", Running: true, Outcome: Unknown},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	cancel()
	<-gone
	if last := e.History()[4]; last.Running || last.Outcome != Unknown || !strings.Contains(last.Error, "given up") {
		t.Errorf("the remove that was given up: %+v", last)
	}
	figures := e.Summary()
	for i := range figures {
		figures[i].Longest = 0
	}
	wantFigures := []CallSummary{
		{Call: "info", Count: 1}, {Call: "ping", Count: 1}, {Call: "remove", Count: 1, Failures: 1},
		{Call: "signal", Count: 1, Failures: 1}, {Call: "start", Count: 1},
	}
	if diff := cmp.Diff(wantFigures, figures); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHistoryKeepsTheLastCallsAndTheFiguresOfAll(t *testing.T) {
	var h history
	base := time.Now()
	at := func(seconds int) time.Time { return base.Add(time.Duration(seconds) * time.Second) }
	hung := h.begin("start", at(0))
	for i := range 3 * keptCalls / 2 {
		h.end(h.begin("inspect", at(i)), at(2*i), nil)
	}
	got := h.records(at(1000))
	if len(got) != keptCalls+1 {
		t.Fatalf("%d records", len(got))
	}
	for i, r := range got[:keptCalls] {
		if want := at(i + keptCalls/2); !r.Began.Equal(want) || r.Running {
			t.Errorf("record %d began at %v, want %v", i, r.Began, want)
		}
	}
	if last := got[keptCalls]; last.Call != "start" || !last.Running || last.Took != 1000*time.Second {
		t.Errorf("the hung call: %+v", last)
	}
	h.end(hung, at(1001), errors.New(strings.Repeat("Ü", maxCallError)))
	want := []CallSummary{
		{Call: "inspect", Count: 3 * keptCalls / 2, Longest: time.Duration(3*keptCalls/2-1) * time.Second},
		{Call: "start", Count: 1, Failures: 1, Longest: 1001 * time.Second},
	}
	if diff := cmp.Diff(want, h.summary()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if text := h.records(at(2000))[keptCalls-1].Error; len(text) > maxCallError+3 || !strings.HasPrefix(text, "ÜÜ") {
		t.Errorf("%d bytes of an error: %q", len(text), text)
	}
}

func TestHistoryHoldsNoSecrets(t *testing.T) {
	const secret = "s3cret-password"
	text, err := json.Marshal(map[string]string{"message": "invalid environment variable: TOKEN=" + secret})
	if err != nil {
		t.Fatal(err)
	}
	f := startFake(t, say(jsonAnswer(400, string(text))))
	e := openFake(t, f, fakeLimits(10*time.Second))
	c, h := minimal()
	c.Env = []string{"TOKEN=" + secret}
	if _, _, err := e.Create(t.Context(), "name", c, h, nil); err == nil {
		t.Fatal("no error")
	}
	auth, err := registry.EncodeAuthConfig(registry.AuthConfig{Username: "web", Password: secret})
	if err != nil {
		t.Fatal(err)
	}
	f.become(say(jsonAnswer(500, fmt.Sprintf(`{"message":"login web:%s failed, header %s"}`, secret, auth))))
	if err := e.Pull(t.Context(), "busybox:local", PullOptions{Auth: auth}); err == nil {
		t.Fatal("no error")
	}
	failures := 0
	for _, r := range e.History() {
		if r.Outcome != Done {
			failures++
		}
		if strings.Contains(r.Error, secret) || strings.Contains(r.Error, auth) {
			t.Errorf("%+v", r)
		}
	}
	if failures < 2 {
		t.Errorf("the history has only %d failures: the check is blind", failures)
	}
}

// The account grows neither with the number of calls nor with the size of what daemons say.
func TestHistoryIsBounded(t *testing.T) {
	var h history
	long := errors.New(strings.Repeat("x", 1<<16))
	for i := range 1000 {
		h.end(h.begin("inspect", time.Now()), time.Now(), long)
		if i%100 == 0 && (len(h.ended) > keptCalls || len(h.running) > 0 || cap(h.running) > 4) {
			t.Fatalf("%d ended, %d running of %d", len(h.ended), len(h.running), cap(h.running))
		}
	}
	total := 0
	for _, r := range h.records(time.Now()) {
		total += len(r.Error)
	}
	if total > keptCalls*(maxCallError+3) {
		t.Errorf("%d bytes of errors", total)
	}
}
