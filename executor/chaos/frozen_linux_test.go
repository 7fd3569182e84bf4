package chaos

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/enginefault"
	"mesos-docker-executor/executor/enginetest"
)

// freeze stops dockerd until the test's end, or until thaw is called.
func freeze(t *testing.T) (thaw func()) {
	t.Helper()
	if err := docker.Freeze(); err != nil {
		t.Fatal(err)
	}
	thaw = func() { docker.Thaw() }
	t.Cleanup(thaw)
	return thaw
}

// The programs of tasks that end during a fault: at SIGUSR1 with a status, and after SIGTERM in three ways.
const (
	exitsWith   = "trap 'exit %d' USR1; echo ready; while :; do sleep 0.05; done"
	obedient    = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done"
	disobedient = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
)

// TestTasksEndAsEverWhileDaemonsAreFrozen stops dockerd, containerd or both with SIGSTOP.
func TestTasksEndAsEverWhileDaemonsAreFrozen(t *testing.T) {
	for _, test := range []struct {
		name         string
		freeze, thaw func() error
		told         string // to whoever reads of a failure
	}{
		{"dockerd", docker.Freeze, docker.Thaw, "; the Docker daemon was stopped"},
		{"containerd", docker.FreezeContainerd, docker.ThawContainerd, "; the Docker daemon was without its containerd"},
		{
			"both",
			func() error { return errors.Join(docker.FreezeContainerd(), docker.Freeze()) },
			func() error { return errors.Join(docker.Thaw(), docker.ThawContainerd()) },
			"; the Docker daemon was stopped",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			before, daemon := takeBase(t), takeEngineBase(t, docker)
			e := beginEndings(t)
			t.Cleanup(func() { _ = test.thaw() })
			if err := test.freeze(); err != nil {
				t.Fatal(err)
			}
			e.end(test.told)
			if err := test.thaw(); err != nil {
				t.Fatal(err)
			}
			e.clear()
			daemon.returns(t)
			before.returns(t)
		})
	}
}

// endings are running tasks, each about to end in a way of its own.
type endings struct {
	t                            *testing.T
	failing, finishing           *life
	dying, obedient, disobedient *life // dying has got its KILL already
}

// dyingGrace is long enough for the fault to come before its end.
const dyingGrace = 2 * time.Second

func beginEndings(t *testing.T) *endings {
	t.Helper()
	e := &endings{t: t}
	for _, one := range []struct {
		life    **life
		program string
	}{
		{&e.failing, fmt.Sprintf(exitsWith, 7)}, {&e.finishing, fmt.Sprintf(exitsWith, 0)},
		{&e.dying, disobedient}, {&e.obedient, obedient}, {&e.disobedient, disobedient},
	} {
		*one.life = begin(t, docker.Host)
		(*one.life).launch(one.program)
	}
	for _, l := range e.all() {
		l.await(mesos.TASK_STARTING)
		l.await(mesos.TASK_RUNNING)
		l.wrote("ready\n")
	}
	e.dying.kill(dyingGrace)
	e.dying.await(mesos.TASK_KILLING)
	return e
}

func (e *endings) all() []*life {
	return []*life{e.failing, e.finishing, e.dying, e.obedient, e.disobedient}
}

// end ends all tasks and checks what is told of it. A failure's message goes on with told.
func (e *endings) end(told string) {
	e.t.Helper()
	const grace = time.Second
	began := time.Now()
	e.obedient.kill(grace)
	e.disobedient.kill(grace)
	for _, l := range []*life{e.failing, e.finishing} {
		if err := l.signal(); err != nil {
			e.t.Fatal(err)
		}
	}
	e.failing.fails("Container exited with status 7" + told)
	e.finishing.await(mesos.TASK_FINISHED)
	for _, l := range []*life{e.obedient, e.disobedient} {
		l.await(mesos.TASK_KILLING)
		l.await(mesos.TASK_KILLED)
	}
	e.dying.await(mesos.TASK_KILLED)
	for _, l := range e.all() {
		l.noProcess()
		l.endedWithin(promptly+grace, began)
	}
}

// clear waits for the executors' ends, on an engine that is well again.
func (e *endings) clear() {
	e.t.Helper()
	for _, l := range e.all() {
		if status := l.exits(); status != 0 {
			e.t.Errorf("exit status %d of an executor whose container ran", status)
		}
	}
	for _, l := range e.all() {
		l.nothingLeft(docker.Host)
	}
}

// TestLaunchMeetsAFrozenEngine sends SIGSTOP to dockerd just before each call of a launch.
func TestLaunchMeetsAFrozenEngine(t *testing.T) {
	registry, missing := registryWithShell(t)
	before, daemon := takeBase(t), takeEngineBase(t, docker)
	var moments []*moment
	for _, call := range []enginefault.Verb{
		enginefault.Ping, enginefault.Info, enginefault.Image, enginefault.Pull,
		enginefault.Create, enginefault.Attach, enginefault.Wait, enginefault.Start,
	} {
		image := enginetest.Image
		if call == enginefault.Pull {
			image = missing
		}
		moments = append(moments, launchUntil(t, call, image))
	}
	areHeld(t, moments)
	thaw := freeze(t)
	for _, m := range moments {
		m.proxy.Clear()
	}
	traces := giveUp(t, moments)
	if slices.Max(traces) > 0 {
		t.Errorf("programs ran although the engine was frozen: they left %v", traces)
	}
	thaw()
	recovered(t, moments, traces)
	registry.Close()
	before.returns(t)
	daemon.andAttached(6).returns(t) // those given up at attach, wait and start
}

// TestFreezeInTheMiddleOfCalls sends SIGSTOP to dockerd 250, 120, 60 and 20 ms after it got a create and a start.
func TestFreezeInTheMiddleOfCalls(t *testing.T) {
	before, daemon := takeBase(t), takeEngineBase(t, docker)
	steps := []time.Duration{130 * time.Millisecond, 60 * time.Millisecond, 40 * time.Millisecond, 20 * time.Millisecond}
	var moments []*moment
	for range steps {
		moments = append(moments, launchUntil(t, enginefault.Create, enginetest.Image), launchUntil(t, enginefault.Start, enginetest.Image))
	}
	areHeld(t, moments)
	for i, step := range steps {
		moments[2*i].proxy.Clear()
		moments[2*i+1].proxy.Clear()
		<-time.After(step)
	}
	thaw := freeze(t)
	traces := giveUp(t, moments)
	thaw()
	recovered(t, moments, traces)
	before.returns(t)
	daemon.andAttached(len(traces)).returns(t)
}

// TestRemovalMeetsAFrozenEngine sends SIGSTOP to dockerd before it removes the container of a task that has ended. A KILL is too late.
func TestRemovalMeetsAFrozenEngine(t *testing.T) {
	before, daemon := takeBase(t), takeEngineBase(t, docker)
	p := struck(t, "remove=hang")
	l := begin(t, p.Host, withDefaults)
	l.running("echo ready")
	l.await(mesos.TASK_FINISHED)
	awaitHeld(t, p, 1)
	thaw := freeze(t)
	p.Clear()
	l.kill(0)
	l.quiet()
	thaw()
	if status := l.exits(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	l.nothingLeft(docker.Host)
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	before.returns(t)
	daemon.returns(t)
}
