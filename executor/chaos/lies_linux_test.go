package chaos

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/enginefault"
	"mesos-docker-executor/executor/registrytest"
)

// parallelLives is how many lives of the matrix go on at a time. Most of them wait for a limit.
const parallelLives = 6

// strikes returns a rule for every call of a launch and everything that may happen to a call. In turn, it strikes the first call of its kind
// only, or all of them.
func strikes() []string {
	verbs := []enginefault.Verb{
		enginefault.Ping, enginefault.Info, enginefault.Image, enginefault.Create, enginefault.Attach,
		enginefault.Wait, enginefault.Start, enginefault.Inspect, enginefault.Remove,
	}
	actions := []string{
		"delay:1s", "hang", "cut", "cut-answer", "cut-body", "500", "502", "truncated", "{}", "empty", "204", "twice", "half-open",
	}
	rules := []string{"ping#1=api:none", "ping=api:none", "ping#1=api:1.12", "ping=api:1.12"} // it is asked for there only
	for v, verb := range verbs {
		for a, action := range actions {
			call := string(verb)
			if (v+a)%2 == 0 {
				call += "#1"
			}
			if _, err := enginefault.Parse(call + "=" + action); err == nil { // some are not possible
				rules = append(rules, call+"="+action)
			}
		}
	}
	return rules
}

// Whatever becomes of whichever call: a task has one end, which is no success if its program had none.
func TestNoBrokenAnswerIsTakenForASuccess(t *testing.T) {
	before, engineBefore := takeBase(t), takeEngineBase(t, docker)
	rules := strikes()
	if len(rules) < 110 {
		t.Fatalf("only %d rules", len(rules))
	}
	var kept atomic.Int64 // attaches to containers that were never started
	inParallel(t, rules, func(t *testing.T, rule string) {
		end, p := lifeUnder(t, rule, "exit 3")
		message, launch := end.GetMessage(), end.GetReason() == mesos.REASON_CONTAINER_LAUNCH_FAILED
		if launch {
			kept.Add(int64(calls(p, enginefault.Attach)))
		}
		if end.GetState() != mesos.TASK_FAILED || !launch && !strings.HasPrefix(message, "Container exited with status 3;") {
			t.Errorf("%v, %v: %q", end.GetState(), end.GetReason(), message)
		}
	})
	before.returns(t)
	// Docker (seen with 20.10) keeps 5 goroutines for such an attach, also when the client and the container have gone.
	engineBefore.goroutines += 5 * int(kept.Load())
	engineBefore.files += int(kept.Load())
	engineBefore.returns(t)
}

// What happens to calls that the task's life does not depend on does not fail it either.
func TestSuccessStaysOneWhateverBecomesOfLesserCalls(t *testing.T) {
	before, engineBefore := takeBase(t), takeEngineBase(t, docker)
	var rules []string
	for _, verb := range []enginefault.Verb{enginefault.Inspect, enginefault.Remove} {
		for _, action := range []string{"hang", "cut", "cut-body", "500", "{}", "204", "half-open"} {
			rules = append(rules, string(verb)+"="+action)
		}
	}
	rules = append(rules, "wait=cut-body", "wait={}", "wait=truncated", "wait=twice", "start=twice", "create=cut-answer", "start=cut-answer")
	inParallel(t, rules, func(t *testing.T, rule string) {
		if end, _ := lifeUnder(t, rule, "true", unhurried); end.GetState() != mesos.TASK_FINISHED {
			t.Errorf("%v, %v: %q", end.GetState(), end.GetReason(), end.GetMessage())
		}
	})
	before.returns(t)
	engineBefore.returns(t)
}

// A daemon that tells another status than the true one, or of an end at another time, since the clock was set, is not believed.
func TestKernelIsBelievedAndNotALyingDaemon(t *testing.T) {
	before := takeBase(t)
	inParallel(t, []string{
		"wait=status:0,inspect=status:0", "wait=status:7,inspect=status:7", "inspect=clock:1h", "inspect=clock:-1h", "wait={},inspect=status:0",
	}, func(t *testing.T, rules string) {
		if end, _ := lifeUnder(t, rules, "exit 9", unhurried); !strings.HasPrefix(end.GetMessage(), "Container exited with status 9;") {
			t.Errorf("%v: %q", end.GetState(), end.GetMessage())
		}
		if end, _ := lifeUnder(t, rules, "true", unhurried); end.GetState() != mesos.TASK_FINISHED {
			t.Errorf("%v: %q", end.GetState(), end.GetMessage())
		}
	})
	before.returns(t)
}

// inParallel runs a subtest for each name, a few at a time.
func inParallel(t *testing.T, names []string, test func(*testing.T, string)) {
	t.Helper()
	todo := make(chan string)
	var workers sync.WaitGroup
	for range parallelLives {
		workers.Go(func() {
			for name := range todo {
				t.Run(name, func(t *testing.T) { test(t, name) })
			}
		})
	}
	for _, name := range names {
		todo <- name
	}
	close(todo)
	workers.Wait()
}

// unhurried is for lives whose create and start are to succeed, and would be unknown to a busy machine's executor after two seconds:
// where inspect lies, nothing could then be found out.
func unhurried(s *settings) { s.limits.Create, s.limits.Start = soonEnough, soonEnough }

// lifeUnder is a whole life with the engine behind a proxy, up to the sweep by a later executor, when all is well again.
func lifeUnder(t *testing.T, rules, command string, changes ...func(*settings)) (mesos.TaskStatus, *enginefault.Proxy) {
	t.Helper()
	p := struck(t, strings.Split(rules, ",")...)
	l := begin(t, p.Host, changes...)
	l.launch(command)
	end := l.ends()
	l.exits()
	l.noProcess()
	p.Clear()
	ctx, cancel := context.WithTimeout(t.Context(), soonEnough)
	defer cancel()
	must(t, p.Settle(ctx)) // what was late has happened
	l.nothingLeft(docker.Host)
	return end, p
}

func TestStalledPullFailsWithinItsLimits(t *testing.T) {
	before := takeBase(t)
	listener, err := docker.Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	r := registrytest.Start(t, listener)
	for kind, says := range map[registrytest.Kind]string{registrytest.Manifest: "pull_begin", registrytest.Blob: "pull_idle"} {
		// Each has an image of its own: dockerd may still fetch the last one when that goes on.
		layer := registrytest.Layer(t, map[string][]byte{"bin/sh": []byte(says + fmt.Sprint(time.Now()))})
		pushed := r.Push(t, "stuck", strings.ReplaceAll(says, "_", "-"), ocispec.ImageConfig{}, layer)
		r.Break(kind, -1, registrytest.Stall(100))
		l := begin(t, docker.Host, func(s *settings) {
			s.limits.PullBegin, s.limits.PullIdle, s.limits.PullTotal = time.Second, time.Second, 3*time.Second
		})
		l.launchImage(pushed.Ref, "exit 3")
		l.await(mesos.TASK_STARTING)
		l.failsToLaunch("image "+pushed.Ref+": docker pull: ", says)
		l.exits()
		l.nothingLeft(docker.Host)
		r.Break(kind, 0, nil)
	}
	r.Close()
	before.returns(t)
}
