package chaos

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/enginefault"
	"mesos-docker-executor/executor/enginetest"
)

// TestLaunchMeetsAFrozenContainerd sends SIGSTOP to containerd before a launch, and before the start of a container that dockerd, which
// answers everything else but info, has created.
func TestLaunchMeetsAFrozenContainerd(t *testing.T) {
	before, daemon := takeBase(t), takeEngineBase(t, docker)
	launches := []*moment{launchUntil(t, enginefault.Start, enginetest.Image)}
	areHeld(t, launches)
	t.Cleanup(func() { _ = docker.ThawContainerd() })
	if err := docker.FreezeContainerd(); err != nil {
		t.Fatal(err)
	}
	launches[0].proxy.Clear()
	refused, waiting := begin(t, docker.Host, impatiently), begin(t, docker.Host, patiently)
	for _, l := range []*life{refused, waiting} {
		l.launch("exit 0")
		l.await(mesos.TASK_STARTING)
	}
	traces := giveUp(t, launches)
	isUnfit(t, refused.fails("containerd (pid ", "is stopped: continue it with"))
	if err := docker.ThawContainerd(); err != nil {
		t.Fatal(err)
	}
	recovered(t, launches, traces)
	waiting.await(mesos.TASK_RUNNING)
	waiting.await(mesos.TASK_FINISHED)
	for _, l := range []*life{refused, waiting} {
		l.exits()
		l.nothingLeft(docker.Host)
	}
	before.returns(t)
	daemon.andAttached(2).returns(t)
}

// TestTasksOutliveContainerd sends SIGKILL to containerd. For some 15 s, until dockerd has noticed and caught up, it takes for running
// what has ended.
func TestTasksOutliveContainerd(t *testing.T) {
	before, daemon := takeBase(t), takeEngineBase(t, docker)
	e, survivor := beginEndings(t), begin(t, docker.Host)
	survivor.running(fmt.Sprintf(exitsWith, 9))
	old, err := docker.ContainerdPID()
	if err != nil {
		t.Fatal(err)
	}
	if err := docker.KillContainerd(); err != nil {
		t.Fatal(err)
	}
	e.end("")
	ctx, cancel := context.WithTimeout(t.Context(), soonEnough)
	defer cancel()
	if _, err := docker.AwaitContainerd(ctx, old); err != nil {
		t.Fatal(err)
	}
	e.clear()
	survivor.quiet()
	if err := survivor.signal(); err != nil {
		t.Fatal(err)
	}
	survivor.fails("Container exited with status 9")
	survivor.exits()
	survivor.nothingLeft(docker.Host)
	before.returns(t)
	daemon.returns(t)
}

// TestFrozenShimHurtsItsTaskOnly sends SIGSTOP to the shims of single containers: dockerd then hangs in what is about these, and nobody
// reaps their dead.
func TestFrozenShimHurtsItsTaskOnly(t *testing.T) {
	const grace = time.Second
	before, daemon := takeBase(t), takeEngineBase(t, docker)
	failing, finishing, killed := begin(t, docker.Host), begin(t, docker.Host), begin(t, docker.Host)
	wedged := []*life{failing, finishing, killed}
	failing.launch(fmt.Sprintf(exitsWith, 9))
	finishing.launch(fmt.Sprintf(exitsWith, 0))
	killed.launch(disobedient)
	for _, l := range wedged {
		l.await(mesos.TASK_STARTING)
		l.await(mesos.TASK_RUNNING)
		l.wrote("ready\n")
		if err := docker.SignalShim(l.dockerID(), unix.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}

	healthy := begin(t, docker.Host)
	healthy.running("echo ready; sleep 0.1; exit 3")
	healthy.fails("Container exited with status 3")
	healthy.exits()

	began := time.Now()
	killed.kill(grace)
	for _, l := range []*life{failing, finishing} {
		if err := l.signal(); err != nil {
			t.Fatal(err)
		}
	}
	failing.fails("Container exited with status 9")
	finishing.finishedOrUnknown()
	killed.await(mesos.TASK_KILLING)
	killed.await(mesos.TASK_KILLED)
	for _, l := range wedged {
		l.endedWithin(2*promptly, began)
		l.noProcess()
		l.exits()
	}
	for _, l := range append(wedged, healthy) {
		l.nothingLeft(docker.Host)
	}
	before.returns(t)
	daemon.returns(t)
}

// finishedOrUnknown waits for the end of a program that exited with 0: without its shim that may be all there is to know.
func (l *life) finishedOrUnknown() {
	l.t.Helper()
	ended := l.ends()
	if ended.GetState() != mesos.TASK_FINISHED && !strings.Contains(ended.GetMessage(), "exit status unknown") {
		l.t.Errorf("%v: %s", ended.GetState(), ended.GetMessage())
	}
	l.t.Logf("%v: %s", ended.GetState(), ended.GetMessage())
}
