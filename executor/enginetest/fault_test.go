//go:build linux

package enginetest

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sys/unix"
)

// TestFaults strikes at one engine in every way, and lets it recover after each.
func TestFaults(t *testing.T) {
	e, err := StartWith(t.Context(), t.Output(), Options{
		Args: []string{"--live-restore"}, DataSize: 64 << 20, Inodes: 20000, Pids: true,
	})
	must(t, err)
	t.Cleanup(func() {
		must(t, e.Stop())
		if left := traces(t, e.Dir); len(left) > 0 {
			t.Errorf("left behind:\n%s", strings.Join(left, "\n"))
		}
	})
	for name, f := range map[string]func(*testing.T, *Engine){
		"a frozen containerd hangs info, not ping": frozenContainerd,
		"a killed containerd is replaced":          killedContainerd,
		"an upgrade spares containers":             terminated,
		"a wedged shim hangs its container only":   wedgedShim,
		"a full disk fails create":                 fullDisk,
		"no more threads fail start":               noThreads,
		"a daemon that died is brought back":       died,
		"goroutines and files are counted":         counted,
	} {
		t.Run(name, func(t *testing.T) { f(t, e) })
	}
}

// hangs reports whether a call has not been answered after a short while. Too short a while makes it true, never false.
func hangs(t *testing.T, call func(context.Context) error) bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	err := call(ctx)
	return ctx.Err() != nil && err != nil
}

func remove(t *testing.T, e *Engine, id string) {
	t.Helper()
	must(t, dockerClient(t, e).ContainerRemove(t.Context(), id, container.RemoveOptions{Force: true}))
}

func frozenContainerd(t *testing.T, e *Engine) {
	c := dockerClient(t, e)
	must(t, e.FreezeContainerd())
	_, err := c.Ping(t.Context())
	must(t, err)
	if !hangs(t, func(ctx context.Context) error { _, err := c.Info(ctx); return err }) {
		t.Error("info is answered")
	}
	must(t, e.ThawContainerd())
	_, err = c.Info(t.Context())
	must(t, err)
}

func killedContainerd(t *testing.T, e *Engine) {
	id := startSleeper(t, e, "", "")
	shim, err := e.Shim(id)
	must(t, err)
	old, err := e.ContainerdPID()
	must(t, err)
	must(t, e.KillContainerd())
	ctx, cancel := context.WithTimeout(t.Context(), readyLimit)
	defer cancel()
	fresh, err := e.AwaitContainerd(ctx, old)
	must(t, err)
	if again, err := e.Shim(id); fresh == old || again != shim || err != nil {
		t.Errorf("containerd %d after %d; shim %d after %d, %v", fresh, old, again, shim, err)
	}
	if !poll(readyLimit, func() bool { _, err := dockerClient(t, e).Info(t.Context()); return err == nil }) {
		t.Error("dockerd does not find the new containerd")
	}
	remove(t, e, id)
}

func terminated(t *testing.T, e *Engine) {
	id := startSleeper(t, e, "", "")
	old := e.PID
	must(t, e.Terminate())
	if _, err := os.Stat(e.Socket); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket of a daemon that ended in peace: %v", err)
	}
	must(t, e.Restart(t.Context()))
	c, err := dockerClient(t, e).ContainerInspect(t.Context(), id)
	if err != nil || !c.State.Running || e.PID == old {
		t.Errorf("%+v, %v, dockerd %d after %d", c.State, err, e.PID, old)
	}
	remove(t, e, id)
}

func wedgedShim(t *testing.T, e *Engine) {
	id, other := startSleeper(t, e, "", ""), startSleeper(t, e, "", "")
	must(t, e.SignalShim(id, unix.SIGSTOP))
	c := dockerClient(t, e)
	if !hangs(t, func(ctx context.Context) error { return c.ContainerKill(ctx, id, "KILL") }) {
		t.Error("kill is answered")
	}
	must(t, c.ContainerKill(t.Context(), other, "KILL"))
	must(t, e.SignalShim(id, unix.SIGCONT))
	remove(t, e, id)
	remove(t, e, other)
	if err := e.SignalShim(id, unix.SIGCONT); err == nil || !strings.Contains(err.Error(), "has no shim") {
		t.Errorf("the shim of a removed container: %v", err)
	}
}

func fullDisk(t *testing.T, e *Engine) {
	c := dockerClient(t, e)
	create := func() (string, error) {
		made, err := c.ContainerCreate(t.Context(), &container.Config{Image: Image}, nil, nil, nil, "")
		return made.ID, err
	}
	must(t, e.FillDisk())
	if _, err := create(); err == nil || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("create: %v", err)
	}
	must(t, e.EmptyDisk())
	id, err := create()
	must(t, err)
	remove(t, e, id)
}

// The daemon needs a thread itself now and then, and then dies as any Go program does.
func noThreads(t *testing.T, e *Engine) {
	c := dockerClient(t, e)
	made, err := c.ContainerCreate(t.Context(), &container.Config{Image: Image}, nil, nil, nil, "")
	must(t, err)
	n, err := e.Pids()
	must(t, err)
	must(t, e.LimitPids(n))
	err = c.ContainerStart(t.Context(), made.ID, container.StartOptions{})
	died, recovery := e.Recover(t.Context())
	must(t, recovery)
	switch {
	case err == nil, !died && !SaysNoThread(err.Error()):
		t.Errorf("start with %d processes and threads (a daemon died: %v): %v", n, died, err)
	case died:
		t.Logf("a daemon died with %d processes and threads: %v", n, err)
	}
	// A new containerd answers a moment after it is there.
	if !poll(sweepLimit, func() bool { err = c.ContainerStart(t.Context(), made.ID, container.StartOptions{}); return err == nil }) {
		t.Error(err)
	}
	remove(t, e, made.ID)
}

func died(t *testing.T, e *Engine) {
	must(t, e.signal(unix.SIGABRT))
	if !poll(sweepLimit, e.Died) {
		t.Fatal("dockerd lives on")
	}
	must(t, e.Restart(t.Context()))
	_, err := dockerClient(t, e).Ping(t.Context())
	must(t, err)
}

func counted(t *testing.T, e *Engine) {
	goroutines, err := e.Goroutines(t.Context())
	must(t, err)
	files, err := e.Files()
	must(t, err)
	if goroutines < 10 || files < 10 {
		t.Errorf("%d goroutines, %d files", goroutines, files)
	}
	var disk unix.Statfs_t
	must(t, unix.Statfs(e.DataRoot(), &disk))
	if int64(disk.Blocks)*disk.Bsize != 64<<20 || disk.Files != 20000 {
		t.Errorf("data root of %d bytes and %d inodes", int64(disk.Blocks)*disk.Bsize, disk.Files)
	}
}

func TestNoThreadIsSaidInTwoSpellings(t *testing.T) {
	for message, want := range map[string]bool{
		"fork/exec /usr/bin/containerd-shim-runc-v2: resource temporarily unavailable":               true,
		"failed to start shim: runtime/cgo: pthread_create failed: Resource temporarily unavailable": true,
		"no such container": false,
	} {
		if got := SaysNoThread(message); got != want {
			t.Errorf("%s: %v", message, got)
		}
	}
}
