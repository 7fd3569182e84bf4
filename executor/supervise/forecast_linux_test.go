package supervise

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/storage"
)

// The task has been running for an hour, and nobody has asked the engine since.
func TestRunningTasksHostThatFillsUpIsToldOfInTheLog(t *testing.T) {
	root := t.TempDir()
	if err := unix.Mount("tmpfs", root, "tmpfs", 0, "size=64m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(root, unix.MNT_DETACH); err != nil { // a look that was broken off may still be at it
			t.Error(err)
		}
	})
	r, log := aboutStorage(t, nobody(t), 0)
	r.Storage.Thresholds = storage.Thresholds{MinBytesPercent: 10}
	known := knownAt(time.Now().Add(-time.Hour), "overlay2")
	known.Engine.DockerRootDir = root
	r.known.Store(&known)
	r.Sandbox = root // not on a disk that others fill
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r.ops.Go(func() { r.watchRoom(ctx, 10*time.Millisecond) })
	var filler [32 << 10]byte
	await(t, "the warning", func() bool {
		file, err := os.OpenFile(filepath.Join(root, "log"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err == nil {
			_, _ = file.Write(filler[:]) // until it is full
			file.Close()
		}
		return strings.Contains(log.String(), "no more containers are started")
	})
	cancel()
	r.ops.Wait()
	if got := log.String(); strings.Count(got, "loses") != 1 || !strings.Contains(got, root) || !strings.Contains(got, "remedy=") {
		t.Error(got)
	}
}

// The others look at nothing until it ends.
func TestOneExecutorOfAHostWatchesTheDisks(t *testing.T) {
	r, _ := aboutStorage(t, nobody(t), 0)
	other := r.Gate.Watch()
	ctx, cancel := context.WithCancel(t.Context())
	known := knownAt(time.Now(), "overlay2")
	r.known.Store(&known)
	r.ops.Go(func() { r.watchDisks(ctx) })
	cancel()
	r.ops.Wait()
	other()
	begin := func() (end func()) {
		ctx, cancel := context.WithCancel(t.Context())
		r.ops.Go(func() { r.watchDisks(ctx) })
		return func() { cancel(); r.ops.Wait() }
	}
	end := begin()
	await(t, "the executor to watch", func() bool {
		release := r.Gate.Watch()
		if release == nil {
			return true
		}
		release()
		end() // it may have come just now, and then it tries again only after minutes
		end = begin()
		return false
	})
	end()
	if release := r.Gate.Watch(); release == nil {
		t.Error("it still watches after its end")
	} else {
		release()
	}
}

func TestExecutorWatchesTheDisksWhileItsTaskRuns(t *testing.T) {
	l := begin(t)
	watched := func() bool {
		locks, err := filepath.Glob(filepath.Join(l.runDir, "engine", "*.sock-*.lock"))
		if err != nil || len(locks) != 1 {
			t.Fatalf("%v, %v", locks, err)
		}
		file, err := os.Open(locks[0])
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		asked := unix.Flock_t{Type: unix.F_WRLCK, Start: 1} // behind the byte of those who change something; the engine is well, so nobody has a turn to probe
		if err := unix.FcntlFlock(file.Fd(), unix.F_OFD_GETLK, &asked); err != nil {
			t.Fatal(err)
		}
		return asked.Type != unix.F_UNLCK
	}
	l.launch(busybox("exec sleep 600"))
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	await(t, "the executor to watch", watched)
	kill(l, 0)
	l.await(mesos.TASK_KILLING)
	l.await(mesos.TASK_KILLED)
	l.exits(0)
	if watched() {
		t.Error("it still watches after its end")
	}
}
