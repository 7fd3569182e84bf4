//go:build acceptance

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
)

// fakeMachine is a host without anything real on it.
type fakeMachine struct {
	said string // by --version
	err  error

	mu      sync.Mutex
	left    []found // containers that never go by themselves
	removed []string
}

func (f *fakeMachine) version(context.Context, string) (string, error) { return f.said, f.err }

func (f *fakeMachine) containers(context.Context) ([]found, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.left, nil
}

func (f *fakeMachine) remove(_ context.Context, id string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.removed = append(f.removed, id)
	return nil
}

func ours() *fakeMachine { return &fakeMachine{said: "mesos-docker-executor version 0.1.0"} }

func testOptions(c *fakeCluster) options {
	return options{
		master: c.host(), role: "*", user: "root", image: "busybox:local", binary: "/opt/bin/mesos-docker-executor",
		modes: []mode{dropIn, custom}, limit: time.Minute, offerTimeout: 5 * time.Second,
	}
}

// accepted runs all checks against the fake cluster and returns the report's lines.
func accepted(t *testing.T, ctx context.Context, c *fakeCluster, o options, m machine) (*report, []jsonResult) {
	t.Helper()
	var out bytes.Buffer
	r := newReport(&out, true)
	a, err := findAgent(ctx, o.master, o.agentID)
	if err != nil {
		t.Fatal(err)
	}
	if err := checkCluster(ctx, o, a, m, r, t.Logf); err != nil {
		t.Fatal(err)
	}
	var lines []jsonResult
	for line := range bytes.Lines(out.Bytes()) {
		var res jsonResult
		if err := json.Unmarshal(line, &res); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		lines = append(lines, res)
	}
	return r, lines
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("not in 10s: %s", what)
		}
		runtime.Gosched()
		<-time.After(5 * time.Millisecond)
	}
}

func TestHonestExecutorPassesEveryCheckInBothModes(t *testing.T) {
	c := newFakeCluster(t, honest)
	before := runtime.NumGoroutine()
	r, lines := accepted(t, t.Context(), c, testOptions(c), ours())
	if !r.passed() {
		t.Errorf("not passed: %+v", lines)
	}
	if want := 2*(len(checks(""))+1) + 1; len(lines) != want {
		t.Errorf("%d results, want %d", len(lines), want)
	}
	if got := len(c.called(scheduler.Call_TEARDOWN)); got != 1 {
		t.Errorf("%d TEARDOWN calls, want 1", got)
	}
	if len(c.unacked) != 0 {
		t.Errorf("%d updates were never acknowledged", len(c.unacked))
	}
	eventually(t, "the goroutines of the run end", func() bool {
		c.server.CloseClientConnections()
		return runtime.NumGoroutine() <= before
	})
}

func TestRepeatedUpdatesCountOnce(t *testing.T) {
	c := newFakeCluster(t, honest)
	c.resend = true
	if r, lines := accepted(t, t.Context(), c, testOptions(c), ours()); !r.passed() {
		t.Errorf("not passed: %+v", lines)
	}
}

func TestSubscriptionThatBreaksIsFoundAgain(t *testing.T) {
	c := newFakeCluster(t, honest)
	c.cutOnce = true
	r, lines := accepted(t, t.Context(), c, testOptions(c), ours())
	if !r.passed() {
		t.Errorf("not passed: %+v", lines)
	}
	if c.subscribed != 2 {
		t.Errorf("subscribed %d times, want 2", c.subscribed)
	}
}

func TestBrokenPromisesAreNamed(t *testing.T) {
	tests := map[string]struct {
		change func(s *mesos.TaskStatus)
		check  string
		says   string
	}{
		"finished instead of killed": {
			func(s *mesos.TaskStatus) {
				if s.GetState() == mesos.TASK_KILLED {
					*s.State = mesos.TASK_FINISHED
				}
			}, "kill, exits 0 on SIGTERM", "want the states TASK_STARTING TASK_RUNNING TASK_KILLING TASK_KILLED",
		},
		"refusal by the agent": {
			func(s *mesos.TaskStatus) {
				if s.GetState() == mesos.TASK_ERROR {
					s.Source = mesos.SOURCE_AGENT.Enum()
				}
			}, "refusal: privileged", "not from the executor",
		},
		"refusal for the wrong reason": {
			func(s *mesos.TaskStatus) {
				if s.GetState() == mesos.TASK_ERROR {
					s.Reason = mesos.REASON_CONTAINER_LAUNCH_FAILED.Enum()
				}
			}, "malformed: port without resource", "want REASON_TASK_INVALID, got REASON_CONTAINER_LAUNCH_FAILED",
		},
		"environment in the data": {
			func(s *mesos.TaskStatus) {
				s.Data = bytes.Replace(s.Data, []byte(`"Labels"`), []byte(`"Env":["A=b"],"Labels"`), 1)
			}, "life cycle", "holds the container's environment",
		},
		"the agent's address": {
			func(s *mesos.TaskStatus) {
				if s.ContainerStatus != nil {
					*s.ContainerStatus.NetworkInfos[0].IPAddresses[0].IPAddress = "192.0.2.1"
				}
			}, "life cycle", "TASK_RUNNING reports the addresses [192.0.2.1], the container has [172.17.0.5]",
		},
		"silent trim": {
			func(s *mesos.TaskStatus) {
				if s.GetState() == mesos.TASK_STARTING {
					s.Message = nil
				}
			}, "trim: cap-add NET_ADMIN", `does not say "NET_ADMIN"`,
		},
		"unpublished port": {
			func(s *mesos.TaskStatus) { s.Data = bytes.Replace(s.Data, []byte("31000"), []byte("1"), 1) },
			"port mapping", "host port 31000 is not published for 8080/tcp",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newFakeCluster(t, dishonest(test.change))
			o := testOptions(c)
			o.modes = []mode{custom}
			r, lines := accepted(t, t.Context(), c, o, ours())
			if r.passed() {
				t.Error("passed")
			}
			for _, l := range lines {
				if l.Check == test.check {
					if said := strings.Join(l.Wrong, "\n"); l.Passed || !strings.Contains(said, test.says) {
						t.Errorf("check %q passed=%v says %q, want %q", l.Check, l.Passed, said, test.says)
					}
					return
				}
			}
			t.Errorf("no check %q", test.check)
		})
	}
}

func TestForeignBinaryInLauncherDirFailsOnlyDropIn(t *testing.T) {
	c := newFakeCluster(t, honest)
	o := testOptions(c)
	o.modes = []mode{dropIn}
	r, lines := accepted(t, t.Context(), c, o, &fakeMachine{err: errors.New("exit status 1")})
	if r.passed() || len(lines) != 2 {
		t.Fatalf("passed=%v, %d lines", r.passed(), len(lines))
	}
	if d := lines[0].Detail; !strings.Contains(d, "/usr/libexec/mesos/mesos-docker-executor is not our executor") || !strings.Contains(d, "--launcher_dir=") {
		t.Errorf("detail %q names neither binary nor remedy", d)
	}
}

func TestNoOffersSaysWhatIsMissing(t *testing.T) {
	c := newFakeCluster(t, honest)
	c.noOffers = true
	o := testOptions(c)
	o.modes, o.offerTimeout = []mode{custom}, 50*time.Millisecond
	_, lines := accepted(t, t.Context(), c, o, ours())
	if d := lines[1].Detail; !strings.Contains(d, "no usable offer in 50ms") || !strings.Contains(d, "--role") {
		t.Errorf("detail %q", d)
	}
}

func TestOfferTooSmallSaysWhatIsMissing(t *testing.T) {
	c := newFakeCluster(t, honest)
	c.resources[0].Scalar.Value = 0.05
	o := testOptions(c)
	o.modes, o.offerTimeout = []mode{custom}, 200*time.Millisecond
	_, lines := accepted(t, t.Context(), c, o, ours())
	if d := lines[1].Detail; !strings.Contains(d, "of cpus, but only 0.05 is offered") {
		t.Errorf("detail %q", d)
	}
}

func TestRefusedFrameworkStopsAtOnce(t *testing.T) {
	c := newFakeCluster(t, honest)
	c.refuse = "Not authorized to use role 'web'"
	o := testOptions(c)
	o.modes = []mode{custom}
	_, lines := accepted(t, t.Context(), c, o, ours())
	if d := lines[1].Detail; !strings.Contains(d, "Not authorized to use role 'web'") {
		t.Errorf("detail %q", d)
	}
}

func TestInterruptKillsWhatRunsAndTearsDown(t *testing.T) {
	ctx, interrupt := context.WithCancelCause(t.Context())
	c := newFakeCluster(t, func(task mesos.TaskInfo, kill <-chan *mesos.KillPolicy, send func(mesos.TaskStatus)) {
		send(runningStatus(task))
		interrupt(errors.New("interrupt signal received"))
		<-kill
		send(status(mesos.TASK_KILLED, "Container exited with status 137 (SIGKILL)"))
	})
	r, lines := accepted(t, ctx, c, testOptions(c), ours())
	if r.passed() {
		t.Error("passed")
	}
	if len(c.running) != 0 || len(c.called(scheduler.Call_KILL)) == 0 || !c.torndown {
		t.Errorf("running %d, KILLs %d, torn down %v", len(c.running), len(c.called(scheduler.Call_KILL)), c.torndown)
	}
	var rest bool
	for _, l := range lines {
		rest = rest || l.Check == "the rest" && strings.Contains(l.Detail, "interrupt signal received")
	}
	if !rest {
		t.Errorf("no line says what was not run: %+v", lines)
	}
}

func TestNonLeadingMasterRedirects(t *testing.T) {
	c := newFakeCluster(t, honest)
	standby := redirecting(t, c.host())
	o := testOptions(c)
	o.master, o.modes = standby, []mode{custom}
	if r, lines := accepted(t, t.Context(), c, o, ours()); !r.passed() {
		t.Errorf("not passed: %+v", lines)
	}
}

func TestSilentMasterIsLeft(t *testing.T) {
	c := newFakeCluster(t, honest)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	f := newFramework(frameworkOptions{Master: c.host(), Name: "t", User: "root", Role: "*", Patience: time.Minute, Notes: t.Logf})
	go f.run(ctx)
	eventually(t, "first subscription", func() bool { return f.id() != "" })
	c.silent.Store(true)
	eventually(t, "second subscription", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.subscribed >= 2
	})
	cancel()
	for range f.events {
	}
}

func TestContainersLeftBehindAreReportedAndRemoved(t *testing.T) {
	tasks := map[string]*transcript{"acceptance-1.custom.kill": {taskID: "acceptance-1.custom.kill"}}
	m := &fakeMachine{left: []found{{id: "abc", name: "mesosx-1", state: "running", task: "acceptance-1.custom.kill"}, {id: "def", name: "other"}}}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	res := leftovers(ctx, m, tasks)
	if res.Passed || len(res.Wrong) != 1 || len(m.removed) != 1 || m.removed[0] != "abc" {
		t.Errorf("result %+v, removed %v", res, m.removed)
	}
}
