package process

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/enginetest"
)

// stageFor stages the folder "data", once more as long as the task disturbs it, and returns the mount that uses it.
func stageFor(t *testing.T, dir, sandbox string) (*Stage, container.HostConfig) {
	t.Helper()
	var s *Stage
	waitFor(t, "the folder to be staged", func() (ok bool) {
		var err error
		s, err = NewStage(StageOptions{Dir: dir, ContainerID: "c1", Attempt: 1, Sandbox: sandbox, SandboxDirs: []string{"data"}})
		return err == nil
	})
	t.Cleanup(func() { release(t, s) })
	return s, container.HostConfig{Mounts: []mount.Mount{{
		Type: mount.TypeBind, Source: s.Source("data"), Target: "/data",
		BindOptions: &mount.BindOptions{Propagation: mount.PropagationRPrivate},
	}}}
}

// From the staging to the end of the container the task swaps its folder and a symlink to a folder of root's.
func TestContainerGetsTheStagedFolderWhileTheTaskSwapsIt(t *testing.T) {
	c := dockerClient(t)
	sandbox, rootsOwn := newSandbox(t)
	write(t, rootsOwn, "secret")
	swapping(t, filepath.Join(sandbox, "data"), rootsOwn)
	dir := stageDir(t)
	for range 5 {
		f := newLeaf(t)
		s, host := stageFor(t, dir, sandbox)
		id := f.create(c, host, "sh", "-c", "test -f /data/proof && ! test -e /data/secret && touch /data/written")
		init, err := f.startWatched(c, id)
		release(t, s) // at once
		if err != nil {
			t.Fatal(err)
		}
		if exit, err := init.Wait(t.Context()); err != nil || !exit.Known || exit.Status != 0 {
			t.Errorf("got %+v, %v", exit, err)
		}
		if exists(rootsOwn, "written") {
			t.Fatal("the container wrote to root's folder")
		}
	}
}

func TestContainerKeepsTheStagedFolderAfterTheRelease(t *testing.T) {
	c := dockerClient(t)
	f := newLeaf(t)
	sandbox, _ := newSandbox(t)
	dir := stageDir(t)
	s, host := stageFor(t, dir, sandbox)
	id := f.create(c, host, "sh", "-c", "until test -f /data/go; do sleep 0.01; done; touch /data/written; sleep 1000")
	init, err := f.startWatched(c, id)
	if err != nil {
		t.Fatal(err)
	}
	release(t, s)
	checkNothingStaged(t, dir)
	write(t, sandbox, "data", "go")
	waitFor(t, "the container to write", func() bool { return exists(sandbox, "data", "written") })
	if err := init.Signal(9); err != nil {
		t.Error(err)
	}
}

func TestStagedFolderIsReadOnlyWhenTheMountIs(t *testing.T) {
	c := dockerClient(t)
	f := newLeaf(t)
	sandbox, _ := newSandbox(t)
	s, host := stageFor(t, stageDir(t), sandbox)
	host.Mounts[0].ReadOnly = true
	write(t, sandbox, "data", "proof")
	id := f.create(c, host, "sh", "-c", "test -f /data/proof && ! touch /data/written")
	init, err := f.startWatched(c, id)
	release(t, s)
	if err != nil {
		t.Fatal(err)
	}
	if exit, err := init.Wait(t.Context()); err != nil || !exit.Known || exit.Status != 0 {
		t.Errorf("got %+v, %v", exit, err)
	}
	if exists(sandbox, "data", "written") {
		t.Error("written through the read-only mount")
	}
}

func TestLateCreateAndStartFailAfterTheRelease(t *testing.T) {
	c := dockerClient(t)
	f := newLeaf(t)
	sandbox, _ := newSandbox(t)
	s, host := stageFor(t, stageDir(t), sandbox)
	id := f.create(c, host, "touch", "/data/written")
	release(t, s)
	if err := c.ContainerStart(t.Context(), id, container.StartOptions{}); err == nil || !strings.Contains(err.Error(), "bind source path does not exist") {
		t.Errorf("start: %v", err)
	}
	_, err := c.ContainerCreate(t.Context(), &container.Config{Image: enginetest.Image}, &host, nil, nil, "late-"+rand.Text())
	if err == nil || !strings.Contains(err.Error(), "bind source path does not exist") {
		t.Errorf("create: %v", err)
	}
	if _, err := os.Stat(s.Source("data")); !os.IsNotExist(err) {
		t.Errorf("the daemon made the source: %v", err)
	}
}

// Docker demands of the source of such a mount that it gets the host's mounts, so the staged one has to get them.
func TestContainerGetsLaterMountsOfTheHostWhereThatIsAskedFor(t *testing.T) {
	c := dockerClient(t)
	f := newLeaf(t)
	base := hostFolders(t)
	mounted(t, "test", base+"/srv", "tmpfs", 0)
	if err := unix.Mount("", base+"/srv", "", unix.MS_SHARED, ""); err != nil {
		t.Fatal(err)
	}
	later := mkdir(t, base, "srv/later")
	o := StageOptions{Dir: stageDir(t), ContainerID: "c1", Attempt: 1}
	kinds := []mount.Propagation{mount.PropagationRSlave, mount.PropagationRShared, mount.PropagationRPrivate}
	for _, kind := range kinds {
		o.HostPaths = append(o.HostPaths, HostPath{Path: base + "/srv", Inside: base + "/srv", Recursive: true, Propagation: string(kind)})
	}
	s, err := NewStage(o)
	if err != nil {
		t.Fatal(err)
	}
	defer release(t, s)
	var host container.HostConfig
	for i, kind := range kinds {
		host.Mounts = append(host.Mounts, mount.Mount{
			Type: mount.TypeBind, Source: s.HostSource(i), Target: "/" + string(kind), BindOptions: &mount.BindOptions{Propagation: kind},
		})
	}
	id := f.create(c, host, "sh", "-c", "until test -f /rslave/later/proof && test -f /rshared/later/proof; do sleep 0.01; done; ! test -e /rprivate/later/proof")
	init, err := f.startWatched(c, id)
	if err != nil {
		t.Fatal(err)
	}
	release(t, s)
	mounted(t, "test", later, "tmpfs", 0)
	write(t, later, "proof")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if exit, err := init.Wait(ctx); err != nil || !exit.Known || exit.Status != 0 {
		t.Errorf("got %+v, %v", exit, err)
	}
}
