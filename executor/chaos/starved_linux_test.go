package chaos

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/enginefault"
	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/session"
)

func TestOnAStarvedEngine(t *testing.T) {
	e, err := enginetest.StartWith(t.Context(), nil, enginetest.Options{DataSize: 64 << 20, Pids: true})
	must(t, err)
	t.Cleanup(func() { must(t, e.Stop()) })
	t.Run("no thread fails the launch without a storm of starts", func(t *testing.T) { noThread(t, e) })
	t.Run("status survives a crash with a full disk", func(t *testing.T) { fullDiskCrash(t, e) })
}

// The daemon cannot write down that the container has ended, and dies: after its return it takes 0 for the status.
func fullDiskCrash(t *testing.T, e *enginetest.Engine) {
	before := takeBase(t)
	p := inFrontOf(t, e, "remove#1=hang") // so that there is something to lie about
	l := begin(t, p.Host)
	l.running(untilSignal(9))
	id := l.dockerID()
	must(t, e.FillDisk())
	must(t, l.signal())
	l.fails("Container exited with status 9;")
	awaitHeld(t, p, 1)
	until(t, "the daemon to fail to write", func() bool {
		log, err := os.ReadFile(filepath.Join(e.Dir, "dockerd.log"))
		return err == nil && bytes.Contains(log, []byte("no space left on device"))
	})
	must(t, e.Kill())
	must(t, e.EmptyDisk())
	restart(t, e)
	c := dockerClient(t, e)
	lie, err := c.ContainerInspect(t.Context(), id)
	must(t, err)
	if lie.State.Status != "exited" || lie.State.ExitCode != 0 {
		t.Errorf("this test is about a false success, and Docker's account is: %s, status %d", lie.State.Status, lie.State.ExitCode)
	}
	p.Clear()
	l.exits()
	l.noProcess()
	l.nothingLeft(e.Host)
	must(t, p.Close())
	must(t, c.Close())
	before.returns(t)
}

// dockerd and containerd have all the threads that they may have.
func noThread(t *testing.T, e *enginetest.Engine) {
	warm := begin(t, e.Host) // so that the daemons have the threads that they need to say no
	warm.launch("exit 3")
	warm.ends()
	warm.exits()
	before, engineBefore := takeBase(t), takeEngineBase(t, e)
	p := inFrontOf(t, e, "start#1=hang")
	l := begin(t, p.Host)
	l.launch("exit 3")
	l.await(mesos.TASK_STARTING)
	awaitHeld(t, p, 1)
	n, err := e.Pids()
	must(t, err)
	must(t, e.LimitPids(n))
	p.Release()
	failed := l.await(mesos.TASK_FAILED)
	died, err := e.Recover(t.Context())
	must(t, err)
	said := enginetest.SaysNoThread(failed.GetMessage()) // a daemon that died of it says nothing
	if failed.GetReason() != mesos.REASON_CONTAINER_LAUNCH_FAILED || !said && !died {
		t.Errorf("%v, a daemon died: %v: %s", failed.GetReason(), died, failed.GetMessage())
	}
	if n := calls(p, enginefault.Start); n > 2 {
		t.Errorf("%d starts", n)
	}
	l.exits()
	l.noProcess()
	l.nothingLeft(e.Host)
	must(t, p.Close())
	before.returns(t)
	if !died {
		engineBefore.returns(t)
	}
}

func TestContainerThatCannotForkEndsByItsOwnStatus(t *testing.T) {
	before := takeBase(t)
	l := begin(t, docker.Host)
	l.launch("sh -c 'i=0; while [ $i -lt 40 ]; do i=$((i+1)); sleep 2 & done' || exit 21", `"parameters": [{"key": "pids-limit", "value": "16"}]`)
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	if failed := l.fails("Container exited with status 21;"); failed.Reason != nil {
		t.Errorf("reason %v", failed.GetReason())
	}
	l.exits()
	l.noProcess()
	l.nothingLeft(docker.Host)
	before.returns(t)
}

func TestOutOfMemoryUnderAFrozenEngineIsNamed(t *testing.T) {
	before := takeBase(t)
	l := begin(t, docker.Host)
	l.running("trap 'exec tail /dev/zero' USR1; echo ready; while :; do sleep 0.05; done")
	thaw := freeze(t)
	must(t, l.signal())
	failed := l.fails("Out of memory: Container exited with status 137 (", "limit 64 MiB")
	if failed.GetReason() != mesos.REASON_CONTAINER_LIMITATION_MEMORY || failed.Limitation == nil {
		t.Errorf("%v, limitation %v", failed.GetReason(), failed.Limitation)
	}
	thaw()
	l.exits()
	l.noProcess()
	l.nothingLeft(docker.Host)
	before.returns(t)
}

// freezer returns the state file of a cgroup in the hierarchy of the v1 freezer.
func freezer(t *testing.T, path string) string {
	t.Helper()
	groups, err := cgroupnet.Hierarchies()
	must(t, err)
	for _, h := range groups {
		if !h.Unified && h.Has("freezer") {
			return filepath.Join(h.Folder(path), "freezer.state")
		}
	}
	t.Fatal("no v1 freezer")
	panic("unreachable")
}

// freezeGroup freezes a cgroup until the test's end, or until thaw is called.
func freezeGroup(t *testing.T, path string) (thaw func()) {
	t.Helper()
	state := freezer(t, path)
	must(t, os.WriteFile(state, []byte("FROZEN"), 0o644))
	thaw = func() { _ = os.WriteFile(state, []byte("THAWED"), 0o644) } // it may be gone
	t.Cleanup(thaw)
	until(t, "the cgroup to be frozen", func() bool {
		text, err := os.ReadFile(state)
		return err == nil && bytes.HasPrefix(text, []byte("FROZEN"))
	})
	return thaw
}

// docker pause freezes the container's own cgroup: a SIGKILL would wait for ever.
func TestPausedContainerIsSimplyKilled(t *testing.T) {
	before := takeBase(t)
	l := begin(t, docker.Host)
	l.running("echo ready; while :; do sleep 0.05; done")
	freezeGroup(t, cgroupRoot+"/00000000/"+l.containerID+"/"+l.dockerID())
	l.kill(0)
	l.await(mesos.TASK_KILLING)
	l.await(mesos.TASK_KILLED)
	l.exits()
	l.noProcess()
	l.nothingLeft(docker.Host)
	before.returns(t)
}

// A process in an uninterruptible sleep, which a frozen cgroup above the task's own stands for: nothing that the executor may thaw.
func TestUnkillableContainerIsNamedInTimeAndSweptLater(t *testing.T) {
	before := takeBase(t)
	l := begin(t, docker.Host)
	l.running("echo ready; while :; do sleep 0.05; done")
	init := l.init()
	thaw := freezeGroup(t, cgroupRoot+"/00000000")
	began := time.Now()
	l.say(session.Shutdown{})
	l.await(mesos.TASK_KILLING)
	failed := l.fails("the container cannot be killed, processes remain: ", " (sh) state D in ")
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("it took %s, longer than the agent waits", took)
	}
	if !strings.Contains(failed.GetMessage(), strconv.Itoa(init)+" (sh)") {
		t.Errorf("%q lacks process %d", failed.GetMessage(), init)
	}
	l.cancel() // as when the agent ends the executor
	l.exits()
	claims, err := filepath.Glob(filepath.Join(l.runDir, "tasks", l.containerID+"*"))
	if err != nil || len(claims) == 0 {
		t.Errorf("the claim, by which others find the container, is gone: %v", err)
	}
	thaw()
	l.nothingLeft(docker.Host)
	l.noProcess()
	before.returns(t)
}

// Connecting fails as with a daemon that is gone, but it is there.
func TestFullQueueOfConnectionsIsAHangingDaemon(t *testing.T) {
	before := takeBase(t)
	p := struck(t)
	running := begin(t, p.Host)
	running.running(untilSignal(7))
	p.Outage(enginefault.Backlog, 0)
	must(t, running.signal())
	running.fails("Container exited with status 7;", "the Docker daemon was hanging")
	late := begin(t, p.Host)
	late.launch("exit 3")
	late.await(mesos.TASK_STARTING)
	late.failsToLaunch("engine unfit: ", "the Docker daemon hangs")
	p.Clear()
	for _, l := range []*life{running, late} {
		l.exits()
		l.noProcess()
		l.nothingLeft(docker.Host)
	}
	must(t, p.Close())
	before.returns(t)
}

// The name is taken by a container that is not ours.
func TestContainerOfTheSameNameIsNotTouched(t *testing.T) {
	before := takeBase(t)
	c := dockerClient(t, docker)
	l := begin(t, docker.Host)
	foreign, err := c.ContainerCreate(t.Context(), &container.Config{Image: enginetest.Image, Cmd: []string{"sleep", "600"}}, nil, nil, nil, l.inputs.ContainerName)
	must(t, err)
	must(t, c.ContainerStart(t.Context(), foreign.ID, container.StartOptions{}))
	l.launch("exit 3")
	l.await(mesos.TASK_STARTING)
	l.failsToLaunch(foreign.ID)
	l.exits()
	l.nothingLeft(docker.Host)
	if found, err := c.ContainerInspect(t.Context(), foreign.ID); err != nil || !found.State.Running {
		t.Errorf("the other container: %+v, %v", found.State, err)
	}
	must(t, c.ContainerRemove(t.Context(), foreign.ID, container.RemoveOptions{Force: true}))
	must(t, c.Close())
	before.returns(t)
}
