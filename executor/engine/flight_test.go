package engine

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// inspections counts the inspects that a fake daemon got.
func (f *fakeDaemon) inspections() (n int) {
	for _, path := range f.requests() {
		if path == "GET /v1.41/containers/"+someID+"/json" {
			n++
		}
	}
	return n
}

// waitFor waits until a number of callers share the one request for someID.
func (s *flights) waitFor(t *testing.T, callers int) {
	t.Helper()
	if !eventually(func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		f := s.open[someID]
		return f == nil && callers == 0 || f != nil && f.waiting == callers
	}) {
		t.Fatalf("%d callers don't come together", callers)
	}
}

// answerWhen answers an inspect once release is closed, and tells ended when the client goes away before.
func answerWhen(release <-chan struct{}, ended chan<- struct{}) behaviour {
	return func(f *fakeDaemon, conn net.Conn) {
		if f.readRequest(conn) == nil {
			return
		}
		gone := make(chan struct{})
		go func() {
			defer close(gone)
			io.Copy(io.Discard, conn) //nolint:errcheck // any end will do
		}()
		select {
		case <-release:
			io.WriteString(conn, jsonAnswer(200, inspected)) //nolint:errcheck // the client may be gone
		case <-gone:
			ended <- struct{}{}
		}
		conn.Close()
		<-gone
	}
}

func TestConcurrentInspectsAreOneRequest(t *testing.T) {
	checkGoroutines(t)
	release := make(chan struct{})
	f := startFake(t, answerWhen(release, nil))
	e := openFake(t, f, fakeLimits(time.Minute))
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			ask := e.Inspect
			if i%2 == 0 {
				ask = e.InspectAgain
			}
			if c, err := ask(t.Context(), someID); err != nil || c.ExitCode != 137 {
				t.Errorf("%+v, %v", c, err)
			}
		})
	}
	e.inspects.waitFor(t, 20)
	close(release)
	all.Wait()
	if n := f.inspections(); n != 1 {
		t.Errorf("%d requests", n)
	}
	f.become(say(jsonAnswer(404, `{"message":"No such container: x"}`)))
	if _, err := e.Inspect(t.Context(), someID); !errors.Is(err, ErrNotFound) {
		t.Errorf("an answer of the past: %v", err)
	}
}

func TestSharedInspectOutlivesTheCallersWhoGaveUp(t *testing.T) {
	checkGoroutines(t)
	release := make(chan struct{})
	f := startFake(t, answerWhen(release, nil))
	e := openFake(t, f, fakeLimits(time.Minute))
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error, 1), make(chan error, 1)
	go func() { _, err := e.Inspect(ctx, someID); first <- err }()
	e.inspects.waitFor(t, 1)
	go func() { _, err := e.Inspect(t.Context(), someID); second <- err }()
	e.inspects.waitFor(t, 2)
	cancel() // the one whose call began the request
	if err := <-first; !errors.Is(err, context.Canceled) || OutcomeOf(err) != Unknown {
		t.Errorf("who gave up: outcome %v, %v", OutcomeOf(err), err)
	}
	close(release)
	if err := <-second; err != nil {
		t.Errorf("who stayed: %v", err)
	}
	if n := f.inspections(); n != 1 {
		t.Errorf("%d requests", n)
	}
}

func TestSharedInspectEndsWithTheLastCaller(t *testing.T) {
	checkGoroutines(t)
	ended := make(chan struct{}, 1)
	f := startFake(t, answerWhen(nil, ended))
	e := openFake(t, f, fakeLimits(time.Minute))
	ctx, cancel := context.WithCancel(t.Context())
	errs := make(chan error, 3)
	for range 3 {
		go func() { _, err := e.InspectAgain(ctx, someID); errs <- err }()
	}
	e.inspects.waitFor(t, 3)
	cancel()
	for range 3 {
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	}
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the request goes on though nobody waits for it")
	}
	e.inspects.waitFor(t, 0)
}

func TestEachInspectEndsWithItsOwnLimit(t *testing.T) {
	checkGoroutines(t)
	release := make(chan struct{})
	f := startFake(t, answerWhen(release, nil))
	limits := fakeLimits(time.Minute)
	limits.InspectPoll = 100 * time.Millisecond
	e := openFake(t, f, limits)
	poll, decide := make(chan error, 1), make(chan error, 1)
	go func() { _, err := e.InspectAgain(t.Context(), someID); poll <- err }()
	go func() { _, err := e.Inspect(t.Context(), someID); decide <- err }()
	err := <-poll
	var failed *CallError
	if !errors.As(err, &failed) || !errors.Is(err, context.DeadlineExceeded) || failed.Limit != limits.InspectPoll || failed.Outcome != Unknown {
		t.Errorf("the short limit: %v", err)
	}
	e.inspects.waitFor(t, 1)
	close(release)
	if err := <-decide; err != nil {
		t.Errorf("the long limit: %v", err)
	}
}

func TestHistoryOfAnInspectThatNobodyWaitedForToTheEnd(t *testing.T) {
	f := startFake(t, hang)
	limits := fakeLimits(time.Minute)
	limits.InspectPoll = 50 * time.Millisecond
	e := openFake(t, f, limits)
	_, err := e.InspectAgain(t.Context(), someID)
	all := e.History()
	last := all[len(all)-1]
	if last.Call != "inspect" || last.Running || last.Outcome != Unknown || last.Error == "" {
		t.Errorf("%+v", last)
	}
	for _, text := range []string{last.Error, err.Error()} {
		if len(text) < 30 || text[:30] != "docker inspect: not finished w" {
			t.Errorf("%q", text)
		}
	}
}
