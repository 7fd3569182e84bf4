package chaos

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/enginefault"
	"mesos-docker-executor/executor/registrytest"
)

// beats is a program that leaves a trace in the sandbox for as long as it runs.
const beats = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do echo $i >>/mnt/mesos/sandbox/beats; sleep 0.05; done"

// beaten returns what that has left.
func (l *life) beaten() int64 {
	info, err := os.Stat(filepath.Join(l.sandbox, "beats"))
	if err != nil {
		return 0
	}
	return info.Size()
}

// moment is a call during the launches of three tasks, at which the daemon freezes.
type moment struct {
	proxy   *enginefault.Proxy
	killed  *life // meanwhile
	limited *life // gives the engine up soon
	patient *life // waits until the engine thaws
}

// callLimit is long enough for a call that a proxy holds until all others are held.
const callLimit = 4 * time.Second

func impatiently(s *settings) {
	s.wait = time.Second
	s.limits.PullBegin, s.limits.PullTotal = callLimit, callLimit+time.Second
	s.limits.ImageInspect, s.limits.Create, s.limits.Attach, s.limits.Start = callLimit, callLimit, callLimit, callLimit
}

func patiently(s *settings) {
	impatiently(s)
	s.wait = soonEnough
	s.limits.PullBegin, s.limits.PullTotal = soonEnough, soonEnough
	s.limits.Inspect = soonEnough // it waits for the end of a late start
}

func withDefaults(s *settings) { s.limits = engine.DefaultLimits() }

// launchUntil launches three tasks as far as a call.
func launchUntil(t *testing.T, call enginefault.Verb, image string) *moment {
	t.Helper()
	p := struck(t, string(call)+"=hang")
	m := &moment{p, begin(t, p.Host, withDefaults), begin(t, p.Host, impatiently), begin(t, p.Host, patiently)}
	for _, l := range m.all() {
		l.launchImage(image, beats)
	}
	return m
}

// areHeld waits until all calls are.
func areHeld(t *testing.T, moments []*moment) {
	t.Helper()
	for _, m := range moments {
		for _, l := range m.all() {
			l.await(mesos.TASK_STARTING)
		}
		awaitHeld(t, m.proxy, 3)
	}
}

func (m *moment) all() []*life { return []*life{m.killed, m.limited, m.patient} }

// giveUp kills one task of each moment during the freeze and lets another one's time run out. It returns what the programs of both
// have left.
func giveUp(t *testing.T, moments []*moment) (traces []int64) {
	t.Helper()
	const grace = time.Second
	began := time.Now()
	for _, m := range moments {
		m.killed.kill(grace)
	}
	for _, m := range moments {
		if killed := m.killed.ends(); killed.GetState() != mesos.TASK_KILLED {
			t.Errorf("killed: %v (%s)", killed.GetState(), killed.GetMessage())
		}
		m.killed.endedWithin(grace+promptly, began)
		m.killed.noProcess()
	}
	for _, m := range moments {
		switch ended := m.limited.ends(); ended.GetState() {
		case mesos.TASK_FINISHED: // it was started just before the freeze
			if m.limited.beaten() == 0 {
				t.Errorf("finished: %s", ended.GetMessage())
			}
		default:
			isUnfit(t, ended)
		}
		m.limited.noProcess()
	}
	return allBeaten(moments)
}

func allBeaten(moments []*moment) (traces []int64) {
	for _, m := range moments {
		traces = append(traces, m.killed.beaten(), m.limited.beaten())
	}
	return traces
}

// isUnfit checks that a failure tells of the engine's state first.
func isUnfit(t *testing.T, s mesos.TaskStatus) {
	t.Helper()
	if s.GetReason() != mesos.REASON_CONTAINER_LAUNCH_FAILED || !strings.HasPrefix(s.GetMessage(), "engine unfit: ") {
		t.Errorf("%v, %v: %q", s.GetState(), s.GetReason(), s.GetMessage())
	}
}

// recovered sees the patient tasks run and end on the engine that is well again, and nothing of the others.
func recovered(t *testing.T, moments []*moment, traces []int64) {
	t.Helper()
	for _, m := range moments {
		m.patient.await(mesos.TASK_RUNNING)
		m.patient.await(mesos.TASK_FINISHED)
	}
	for _, m := range moments {
		for _, l := range m.all() {
			l.exits()
		}
		settled(t, m.proxy)
	}
	noneRuns(t)
	for _, m := range moments {
		for _, l := range m.all() {
			l.nothingLeft(docker.Host)
		}
		if err := m.proxy.Close(); err != nil {
			t.Error(err)
		}
	}
	if after := allBeaten(moments); !slices.Equal(after, traces) {
		t.Errorf("the programs of tasks that were given up went on: they left %v, then %v", traces, after)
	}
}

// registryWithShell starts a registry with an image that the engine does not have and that has a shell.
func registryWithShell(t *testing.T) (r *registrytest.Registry, ref string) {
	t.Helper()
	listener, err := docker.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	path, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	shell, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	r = registrytest.Start(t, listener)
	layer := registrytest.Layer(t, map[string][]byte{"bin/sh": shell, "bin/sleep": shell})
	return r, r.Push(t, "shell", "v1", ocispec.ImageConfig{}, layer).Ref
}
