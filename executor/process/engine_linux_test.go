package process

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cerrdefs "github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/client"
	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/enginetest"
)

func dockerClient(t *testing.T) *client.Client {
	t.Helper()
	c, err := client.NewClientWithOpts(client.WithHost(dockerEngine.Host), client.WithAPIVersionNegotiation())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// create makes a container below the leaf, which is removed before the leaf is.
func (f *fixture) create(c *client.Client, host container.HostConfig, command ...string) string {
	f.t.Helper()
	host.CgroupParent = f.placement.Parent
	made, err := c.ContainerCreate(f.t.Context(), &container.Config{Image: enginetest.Image, Cmd: command}, &host, nil, nil, "")
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() {
		if err := c.ContainerRemove(context.Background(), made.ID, container.RemoveOptions{Force: true}); err != nil {
			f.t.Error(err)
		}
	})
	return made.ID
}

// startWatched starts the container the way the executor does: watching beside the call.
func (f *fixture) startWatched(c *client.Client, id string) (init *Init, started error) {
	f.t.Helper()
	ctx, cancel := context.WithTimeout(f.t.Context(), 30*time.Second)
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- c.ContainerStart(ctx, id, container.StartOptions{}) }()
	init, err := f.WatchInit(ctx, id)
	if err != nil {
		f.t.Fatalf("%v (start: %v)", err, <-answer)
	}
	f.t.Cleanup(func() { init.Close() })
	return init, <-answer
}

func TestInitOfAShortContainerIsNeverMissed(t *testing.T) {
	c := dockerClient(t)
	const containers = 20
	var slowest time.Duration
	for range containers {
		f := newLeaf(t)
		id := f.create(c, container.HostConfig{}, "true")
		began := time.Now()
		answer := make(chan error, 1)
		go func() { answer <- c.ContainerStart(t.Context(), id, container.StartOptions{}) }()
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		init, err := f.WatchInit(ctx, id)
		cancel()
		if err != nil {
			t.Fatalf("%v (start: %v)", err, <-answer)
		}
		seen := time.Since(began)
		if err := init.Dead(t.Context()); err != nil {
			t.Error(err)
		}
		died := time.Now()
		exit, err := init.Wait(t.Context())
		if err != nil || !exit.Known || exit.Status != 0 || exit.Source != SourcePidfd {
			t.Errorf("got %+v, %v", exit, err)
		}
		told := time.Since(died)
		slowest = max(slowest, told)
		t.Logf("init seen %v after the start call, dead after %v, status told %v later", seen, died.Sub(began), told)
		init.Close()
		if err := <-answer; err != nil {
			t.Errorf("start: %v", err)
		}
	}
	t.Logf("slowest status: %v after the death", slowest)
}

func TestInitIsSeenBeforeItsProgramRuns(t *testing.T) {
	c := dockerClient(t)
	f := newLeaf(t)
	id := f.create(c, container.HostConfig{}, "sleep", "1000")
	answer := make(chan error, 1)
	go func() { answer <- c.ContainerStart(t.Context(), id, container.StartOptions{}) }()
	init, err := f.WatchInit(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	defer init.Close()
	seen := time.Now()
	st, err := readStat(init.PID)
	if err != nil || !strings.HasPrefix(st.comm, "runc") {
		t.Errorf("first seen as %+v, %v", st, err)
	}
	if init.Executed() {
		t.Error("runc init is taken for the container's program")
	}
	waitFor(t, "the program to run", func() bool { st, err := readStat(init.PID); return err == nil && st.comm == "sleep" })
	if !init.Executed() {
		t.Error("the container's program is taken for runc init")
	}
	t.Logf("seen %v before the program ran", time.Since(seen))
	if err := <-answer; err != nil {
		t.Fatal(err)
	}
	i, err := c.ContainerInspect(t.Context(), id)
	if err != nil || i.State.Pid != init.PID {
		t.Errorf("docker says pid %d, we %d (%v)", i.State.Pid, init.PID, err)
	}
}

func TestInitOfAContainerWithDockerInit(t *testing.T) {
	c := dockerClient(t)
	f := newLeaf(t)
	with := true
	id := f.create(c, container.HostConfig{Init: &with}, "sh", "-c", "exit 9")
	init, err := f.startWatched(c, id)
	if err != nil {
		t.Fatal(err)
	}
	if exit, err := init.Wait(t.Context()); err != nil || !exit.Known || exit.Status.ExitStatus() != 9 {
		t.Errorf("got %+v, %v", exit, err)
	}
}

func TestFailedStartEndsTheInitToo(t *testing.T) {
	c := dockerClient(t)
	f := newLeaf(t)
	id := f.create(c, container.HostConfig{}, "/no/such/program")
	init, err := f.startWatched(c, id)
	if err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Fatalf("start: %v", err)
	}
	exit, err := init.Wait(t.Context())
	if err != nil || exit.Known && exit.Status == 0 {
		t.Errorf("got %+v, %v", exit, err)
	}
	t.Logf("runc init ended with %+v", exit)
}

func TestKillEndsAPausedContainerAndDockerNoticesIt(t *testing.T) {
	c := dockerClient(t)
	f := newLeaf(t)
	id := f.create(c, container.HostConfig{}, "sleep", "1000")
	init, err := f.startWatched(c, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.ContainerPause(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := f.Kill(); err != nil {
		t.Fatal(err)
	}
	t.Logf("killed in %v", time.Since(began))
	exit, err := init.Wait(t.Context())
	if err != nil || !exit.Known || exit.Status.Signal() != 9 {
		t.Errorf("got %+v, %v", exit, err)
	}
	waitFor(t, "docker to notice", func() bool {
		i, err := c.ContainerInspect(t.Context(), id)
		return err == nil && i.State.Status == container.StateExited && i.State.ExitCode == 137
	})
}

func TestKillWorksWhileTheDaemonIsFrozen(t *testing.T) {
	c := dockerClient(t)
	f := newLeaf(t)
	id := f.create(c, container.HostConfig{}, "sh", "-c", "trap '' TERM; sleep 1000 & wait; wait")
	init, err := f.startWatched(c, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := dockerEngine.Freeze(); err != nil {
		t.Fatal(err)
	}
	err = f.Kill()
	exit, waitErr := init.Wait(t.Context())
	if thawed := dockerEngine.Thaw(); thawed != nil {
		t.Fatal(thawed)
	}
	if err != nil || waitErr != nil || !exit.Known || exit.Status.Signal() != 9 {
		t.Errorf("kill %v, wait %+v, %v", err, exit, waitErr)
	}
}

func TestMemoryTellsOfTheOOMKiller(t *testing.T) {
	c := dockerClient(t)
	f := newLeaf(t)
	const limit = 24 << 20
	id := f.create(c, container.HostConfig{Resources: container.Resources{Memory: limit}},
		"sh", "-c", "trap go=1 USR1; while [ -z $go ]; do sleep 0.01; done; x=0123456789abcdef; while :; do x=$x$x; done")
	init, err := f.startWatched(c, id)
	if err != nil {
		t.Fatal(err)
	}
	memory, err := f.OpenMemory(id)
	if err != nil {
		t.Fatal(err)
	}
	defer memory.Close()
	if r, err := memory.Read(); err != nil || r.OOMKills != 0 || r.Limit != limit || r.Peak == 0 {
		t.Errorf("while it runs: %+v, %v", r, err)
	}

	// The cgroup stays until the daemon sees the exit, so freeze it.
	if err := dockerEngine.Freeze(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the container to be killed", func() bool { // number 1 ignores the signal until it has the trap
		return init.Signal(unix.SIGUSR1) != nil
	})
	exit, err := init.Wait(t.Context())
	report, memErr := memory.Read()
	if err := dockerEngine.Thaw(); err != nil {
		t.Fatal(err)
	}
	if err != nil || exit.Status.Signal() != unix.SIGKILL {
		t.Errorf("got %+v, %v", exit, err)
	}
	if memErr != nil || report.OOMKills == 0 || report.Limit != limit || report.Peak < limit/2 {
		t.Errorf("memory %+v, %v", report, memErr)
	}
	waitFor(t, "runc to remove the memory cgroup", func() bool { _, err := memory.read(); return gone(err) })
	if later, err := memory.Read(); err != nil || later != report {
		t.Errorf("after the cgroup is gone: %+v, %v; before: %+v", later, err, report)
	}
}

// leased returns a lease and the mount that uses it.
func leased(t *testing.T) (*Lease, container.HostConfig) {
	t.Helper()
	sandbox := t.TempDir()
	if err := os.WriteFile(filepath.Join(sandbox, "proof"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := NewLease(filepath.Join(t.TempDir(), "leases"), "c1", 1, sandbox)
	if err != nil {
		t.Fatal(err)
	}
	return l, container.HostConfig{Mounts: []mount.Mount{{Type: mount.TypeBind, Source: l.Path, Target: "/mnt/mesos/sandbox"}}}
}

func TestContainerSeesTheSandboxThroughTheLease(t *testing.T) {
	c := dockerClient(t)
	f := newLeaf(t)
	lease, host := leased(t)
	id := f.create(c, host, "sh", "-c", "test -f /mnt/mesos/sandbox/proof && touch /mnt/mesos/sandbox/written && sleep 1000")
	init, err := f.startWatched(c, id)
	if err != nil {
		t.Fatal(err)
	}
	sandbox, err := os.Readlink(lease.Path)
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the container to write", func() bool { _, err := os.Stat(filepath.Join(sandbox, "written")); return err == nil })
	// A container that runs does not need it any more.
	if err := lease.Revoke(); err != nil {
		t.Fatal(err)
	}
	if exited, err := readStat(init.PID); err != nil || exited.state == "Z" {
		t.Errorf("the container ended with its lease: %+v %v", exited, err)
	}
}

func TestLateCreateIsRefusedWithoutTheLease(t *testing.T) {
	c := dockerClient(t)
	lease, host := leased(t)
	if err := lease.Revoke(); err != nil {
		t.Fatal(err)
	}
	name := "late-" + rand.Text()
	_, err := c.ContainerCreate(t.Context(), &container.Config{Image: enginetest.Image}, &host, nil, nil, name)
	if err == nil || !strings.Contains(err.Error(), "bind source path does not exist") {
		t.Errorf("create: %v", err)
	}
	if _, err := c.ContainerInspect(t.Context(), name); !cerrdefs.IsNotFound(err) {
		t.Errorf("inspect: %v", err)
	}
}

func TestStartThatTheDaemonCarriesOutLateFailsWithoutTheLease(t *testing.T) {
	c := dockerClient(t)
	fenced, free := newLeaf(t), newLeaf(t)
	lease, host := leased(t)
	fencedID := fenced.create(c, host, "sleep", "1000")
	_, host = leased(t)
	freeID := free.create(c, host, "sleep", "1000")

	if err := dockerEngine.Freeze(); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{fencedID, freeID} {
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		if err := c.ContainerStart(ctx, id, container.StartOptions{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("start in a frozen daemon: %v", err)
		}
		cancel()
	}
	revoked := lease.Revoke()
	if err := dockerEngine.Thaw(); err != nil {
		t.Fatal(err)
	}
	if revoked != nil {
		t.Fatal(revoked)
	}

	// Both clients are gone. The daemon carries out both starts all the same.
	state := func(id string) string {
		i, err := c.ContainerInspect(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return i.State.Status
	}
	waitFor(t, "the late start with a lease to go through", func() bool { return state(freeID) == container.StateRunning })
	if got := state(fencedID); got != container.StateCreated {
		t.Errorf("the container without its lease is %s", got)
	}
	if ps, err := fenced.Processes(); err != nil || len(ps) != 0 {
		t.Errorf("processes %v, %v", ps, err)
	}
	err := c.ContainerStart(t.Context(), fencedID, container.StartOptions{})
	if err == nil || !strings.Contains(err.Error(), "bind source path does not exist") {
		t.Errorf("one more start: %v", err)
	}
}
