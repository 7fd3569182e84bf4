package supervise

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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
