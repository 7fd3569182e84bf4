package chaos

import (
	"path/filepath"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/enginefault"
	"mesos-docker-executor/executor/enginetest"
)

// crowd are tasks of one host whose launches have come to the same call.
type crowd struct {
	call  enginefault.Verb
	proxy *enginefault.Proxy
	lives []*life
}

// gather launches tasks until the proxy holds the call of each. They share a run directory.
func gather(t *testing.T, call enginefault.Verb, size int) *crowd {
	t.Helper()
	c := &crowd{call: call, proxy: struck(t, string(call)+"=hang")}
	runDir := filepath.Join(t.TempDir(), "run")
	for range size {
		l := begin(t, c.proxy.Host, func(s *settings) {
			s.runDir = runDir
			s.limits.Create, s.limits.Start = soonEnough, soonEnough // all are held before the first one gives up
		})
		l.launchImage(enginetest.Image, beats)
		c.lives = append(c.lives, l)
	}
	awaitHeld(t, c.proxy, size)
	return c
}

// cameLate checks that the daemon got every call in the end.
func (c *crowd) cameLate(t *testing.T) {
	t.Helper()
	got := 0
	for _, e := range c.proxy.Events() {
		if e.Verb == c.call && e.Did == enginefault.Resume {
			got++
		}
	}
	if got != len(c.lives) {
		t.Errorf("the daemon got %v %d times, want %d", c.call, got, len(c.lives))
	}
}

// TestWhatWasGivenUpNeverRuns kills 50 tasks while dockerd is frozen in, or before, the create or start of their containers. It then
// thaws and carries out all of them.
func TestWhatWasGivenUpNeverRuns(t *testing.T) {
	const each, inTheMiddle = 12, 60 * time.Millisecond
	before, daemon := takeBase(t), takeEngineBase(t, docker)
	struckCreates, struckStarts := gather(t, enginefault.Create, each), gather(t, enginefault.Start, each)
	creates, starts := gather(t, enginefault.Create, each+1), gather(t, enginefault.Start, each+1)
	crowds := []*crowd{struckCreates, struckStarts, creates, starts}

	struckCreates.proxy.Clear()
	struckStarts.proxy.Clear()
	<-time.After(inTheMiddle)
	thaw := freeze(t)
	creates.proxy.Clear()
	starts.proxy.Clear()
	began := time.Now()
	for _, c := range crowds {
		for _, l := range c.lives {
			l.kill(0)
		}
	}
	var traces []int64
	for _, c := range crowds {
		for _, l := range c.lives {
			if killed := l.ends(); killed.GetState() != mesos.TASK_KILLED {
				t.Errorf("%v (%s)", killed.GetState(), killed.GetMessage())
			}
			l.endedWithin(2*promptly, began)
			l.noProcess()
			traces = append(traces, l.beaten())
		}
	}
	thaw()
	for _, c := range crowds {
		for _, l := range c.lives {
			l.exits()
		}
		settled(t, c.proxy)
	}
	noneRuns(t)
	total := 0
	for _, c := range crowds {
		for _, l := range c.lives {
			l.nothingLeft(docker.Host)
			if l.beaten() != traces[total] {
				t.Errorf("%v: the program went on after it was given up", c.call)
			}
			total++
		}
		c.cameLate(t)
		if err := c.proxy.Close(); err != nil {
			t.Error(err)
		}
	}
	before.returns(t)
	daemon.andAttached(total).returns(t)
}
