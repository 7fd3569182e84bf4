package gcproof

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"mesos-docker-executor/executor/enginefault"
	"mesos-docker-executor/executor/localagent"
	"mesos-docker-executor/storage/imageuse"
)

var modes = []localagent.Mode{localagent.DropIn, localagent.Custom}

// wantsTheImageOfATask is a host on which gc has removed an image and wants that of a team next.
func wantsTheImageOfATask(t *testing.T) (*host, *team) {
	h := newHost(t)
	h.images("first.example", 1, 200)
	h.want(200)
	h.gcOnce()
	h.images("g.example", 3, 100)
	all := h.pulled(1)
	h.want(250)
	return h, all
}

// gc comes between the launch and its container: it plans when the launch has found its image, or has planned before.
func TestImageThatALaunchHasFoundStays(t *testing.T) {
	t.Run("plans after", func(t *testing.T) {
		h, all := wantsTheImageOfATask(t)
		l, create := h.launchAsFarAsItsContainer(all)
		h.gcOnce()
		l.runsFromWhatItFound(all, create)
	})
	t.Run("plans before", func(t *testing.T) {
		h, all := wantsTheImageOfATask(t)
		remove := h.gcAsFarAs(enginefault.Rule{Verb: enginefault.List, N: 1, Action: enginefault.HangAnswer}) // the plan's look at the containers
		l, create := h.launchAsFarAsItsContainer(all)
		r := remove()
		if len(r.Images.Images) == 0 || !strings.Contains(r.Images.Images[0].Why, "it came into use meanwhile") {
			t.Errorf("%+v", r)
		}
		l.runsFromWhatItFound(all, create)
	})
}

// launchAsFarAsItsContainer is a launch that has found its image, and goes on with create.
func (h *host) launchAsFarAsItsContainer(all *team) (l *life, create func()) {
	h.t.Helper()
	proxy := h.proxy(enginefault.Rule{Verb: enginefault.Create, Action: enginefault.Hang})
	l = h.launch(h.t, localagent.Custom, all.pushed[0].Ref, proxy)
	_, err := h.held(l.ctx, proxy)
	must(h.t, err)
	return l, proxy.Clear
}

// gcAsFarAs is a gc that waits at a call to the engine, and goes on to its end with the returned function.
func (h *host) gcAsFarAs(rule enginefault.Rule) (goOn func() result) {
	h.t.Helper()
	proxy := h.proxy(rule)
	out := make(chan []byte, 1)
	go func() {
		said, _ := h.gcWith(h.t.Context(), h.configThrough(proxy), "--json").Output() // a failure is in it
		out <- said
	}()
	_, err := h.held(h.t.Context(), proxy)
	must(h.t, err)
	return func() (r result) {
		h.t.Helper()
		proxy.Clear()
		must(h.t, json.Unmarshal(<-out, &r))
		return r
	}
}

// gc removes the image as the launch looks at it: the removal ends before the launch knows what it has seen, or after.
func TestImageThatALaunchHasSeenAndLostIsPulledAgain(t *testing.T) {
	t.Run("before", func(t *testing.T) {
		h, all := wantsTheImageOfATask(t)
		proxy := h.proxy(enginefault.Rule{Verb: enginefault.Image, N: 1, Action: enginefault.HangAnswer})
		l := h.launch(t, localagent.DropIn, all.pushed[0].Ref, proxy)
		_, err := h.held(l.ctx, proxy)
		must(t, err)
		h.gcOnce()
		h.lost(all, 0)
		proxy.Clear()
		l.ends(all, 2)
	})
	t.Run("after", func(t *testing.T) {
		h, all := wantsTheImageOfATask(t)
		remove := h.gcAsFarAs(enginefault.Rule{Verb: enginefault.List, N: 2, Action: enginefault.HangAnswer}) // the last look at the containers
		l := h.launch(t, localagent.DropIn, all.pushed[0].Ref, nil)
		await(t, "the launch to have found its image", func() bool {
			uses, _, err := imageuse.Read(h.record)
			must(t, err)
			return time.Since(uses[all.ids[0]]) < time.Hour
		})
		remove()
		l.ends(all, 2)
	})
}

// lost checks that an image of a team is gone.
func (h *host) lost(all *team, n int) {
	h.t.Helper()
	if h.there()[all.ids[n]] {
		h.t.Fatal("gc has not removed the image")
	}
}

// runsFromWhatItFound is the rest of a life from the image that was there at its begin.
func (l *life) runsFromWhatItFound(all *team, create func()) {
	l.t.Helper()
	if !l.host.there()[all.ids[0]] {
		l.t.Error("gc has removed the image")
	}
	create()
	l.ends(all, 1)
}

// ends is the rest of a life whose image was pulled so often.
func (l *life) ends(all *team, pulls int) {
	l.t.Helper()
	l.runs()
	l.finishes()
	if got := all.pulls(0); got != pulls {
		l.t.Errorf("the image was pulled %d times, not %d", got, pulls)
	}
	l.host.nothingLeft()
}
