package gcproof

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mesos-docker-executor/executor/enginefault"
	"mesos-docker-executor/storage/imageuse"
)

// proxy stands in front of the engine and strikes by these rules.
func (h *host) proxy(rules ...enginefault.Rule) *enginefault.Proxy {
	h.t.Helper()
	proxy, err := enginefault.Open(filepath.Join(h.t.TempDir(), "p.sock"), private.Socket, rules...)
	must(h.t, err)
	h.t.Cleanup(func() { must(h.t, proxy.Close()) })
	return proxy
}

// held waits until the proxy holds a call.
func (h *host) held(ctx context.Context, proxy *enginefault.Proxy) (enginefault.Event, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return proxy.AwaitHeld(ctx)
}

// The moments are those before and after each call to the engine, and some in between.
func TestKilledAtAnyMoment(t *testing.T) {
	h := newHost(t)
	ids := h.images("b.example", 36, 40, "2")
	h.want(1400)
	h.change(func(k *keys) { k.cycle = 2 })
	recent := ids[:3]
	for _, id := range recent {
		h.used(id, time.Minute)
	}
	check := func(moment string) {
		t.Helper()
		for _, id := range recent {
			if _, err := h.engine.Image(t.Context(), id); err != nil {
				t.Fatalf("killed %s: %v", moment, err)
			}
		}
		if _, _, err := imageuse.Read(h.record); err != nil {
			t.Fatalf("killed %s: %v", moment, err)
		}
	}
	// A run in which two images lose two names each makes 15 calls, of which four are removals.
	removals := 0
	for call := range 15 {
		for _, how := range []enginefault.Action{enginefault.Hang, enginefault.HangAnswer} {
			at := h.killedAt(call+1, how)
			check("at " + at + ", " + string(how))
			if strings.HasPrefix(at, "DELETE ") {
				removals++
			}
		}
	}
	if removals < 4 {
		t.Errorf("only %d times gc was killed with a removal", removals)
	}
	began := time.Now()
	h.gcOnce()
	took := time.Since(began)
	for range 6 {
		moment := rand.N(took)
		ctx, cancel := context.WithTimeout(t.Context(), moment)
		_ = h.gcWith(ctx, h.config).Run()
		cancel()
		check("after " + moment.String())
	}
	if h.free() >= h.until {
		t.Error("the images were too few for so many runs")
	}
	h.gcToItsEnd() // nobody holds a lock any more
	h.reached(40 + overhead)
	there := h.there()
	for n := 4; n < len(ids); n++ {
		if there[ids[n-1]] && !there[ids[n]] {
			t.Errorf("image %d went before image %d", n, n-1)
		}
	}
	h.checkRecord()
}

// killedAt kills gc when a call to the engine, counted from 1, is under way, and returns which one that is, "" if there are not so many.
func (h *host) killedAt(call int, how enginefault.Action) string {
	h.t.Helper()
	proxy := h.proxy(enginefault.Rule{Verb: enginefault.Any, N: call, Action: how})
	config := h.configThrough(proxy)
	ctx, kill := context.WithCancel(h.t.Context())
	defer kill()
	ended := make(chan error, 1)
	go func() {
		defer kill()
		ended <- h.gcWith(ctx, config).Run()
	}()
	event, err := h.held(ctx, proxy)
	if err != nil { // gc has come to its end
		must(h.t, <-ended)
		return ""
	}
	kill()
	<-ended
	must(h.t, proxy.Close()) // a call that is held never reaches the engine
	return event.Call
}

func TestSeveralAtOnceAreOne(t *testing.T) {
	h := newHost(t)
	ids := h.images("c.example", 12, 100)
	h.want(800)
	gone := 0
	for h.free() < h.until {
		proxy := h.proxy(enginefault.Rule{Verb: enginefault.List, N: 1, Action: enginefault.Hang})
		config := h.configThrough(proxy)
		outs := make(chan string, 4)
		for range cap(outs) {
			go func() {
				out, err := h.gcWith(t.Context(), config).CombinedOutput()
				if err != nil {
					t.Errorf("%v: %s", err, out)
				}
				outs <- string(out)
			}()
		}
		// One has planned and holds its breath; the others don't wait for it.
		_, err := h.held(t.Context(), proxy)
		must(t, err)
		for range cap(outs) - 1 {
			if out := <-outs; out != "put off: another gc of this host is at work\n" {
				t.Error(out)
			}
		}
		proxy.Clear()
		out := <-outs
		removed := strings.Count(out, "images: removed ")
		if strings.Contains(out, "LEFT") || removed == 0 {
			t.Fatal(out)
		}
		gone += removed
	}
	there := h.there()
	for n, id := range ids {
		if there[id] != (n >= gone) {
			t.Errorf("%d images were removed, and image %d is there: %t", gone, n, there[id])
		}
	}
	h.reached(100 + overhead)
	h.checkRecord()
}
