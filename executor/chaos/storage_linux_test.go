package chaos

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/registrytest"
)

// onASmallDisk asks for the default percentages, and for no figure that only large disks have.
func onASmallDisk(wait time.Duration) func(*settings) {
	return func(s *settings) {
		s.wait = wait
		s.fit.Thresholds.MinBytesPercent, s.fit.Thresholds.MinInodesPercent = 10, 5
	}
}

// TestDiskWithoutRoom takes away bytes and inodes, each while there is plenty of the other, beside a container that runs on.
func TestDiskWithoutRoom(t *testing.T) {
	e, err := enginetest.StartWith(t.Context(), nil, enginetest.Options{DataSize: 64 << 20, Inodes: 6000})
	must(t, err)
	t.Cleanup(func() { must(t, e.Stop()) })
	before := takeBase(t)
	neighbour := begin(t, e.Host, onASmallDisk(2*time.Second))
	neighbour.running(untilSignal(9))

	t.Run("inodes", func(t *testing.T) {
		restore := takeInodes(t, e)
		l := begin(t, e.Host, onASmallDisk(500*time.Millisecond))
		l.launch("exit 3")
		l.await(mesos.TASK_STARTING)
		l.failsToLaunch("storage unfit: "+e.DataRoot()+" (data root, layers, downloads, containers) has ", " of 6000 inodes free (", "and 300 have to be (5 %)", "this launch waited 500ms")
		restore()
		l.exits()
		l.neverAsked("create")
		l.nothingLeft(e.Host)
	})
	t.Run("bytes, for an image that is not there", func(t *testing.T) {
		must(t, e.FillDisk())
		l := begin(t, e.Host, onASmallDisk(500*time.Millisecond))
		l.launchImage("127.0.0.1:1/team/app:v1", "exit 3")
		l.await(mesos.TASK_STARTING)
		l.failsToLaunch("storage unfit: "+e.DataRoot(), "0B of 64MiB free (0 %), and 6.4MiB have to be (10 %)", "this launch waited 500ms")
		must(t, e.EmptyDisk())
		l.exits()
		l.neverAsked("pull", "create")
		l.nothingLeft(e.Host)
	})
	t.Run("bytes, until it is killed", func(t *testing.T) {
		must(t, e.FillDisk())
		l := begin(t, e.Host, onASmallDisk(time.Hour))
		l.launch("exit 3")
		l.await(mesos.TASK_STARTING)
		until(t, "the launch to wait", func() bool { return strings.Contains(l.log.String(), "waiting up to 1h0m0s for fit storage: ") })
		l.kill(time.Hour)
		if killed := l.ends(); killed.GetState() != mesos.TASK_KILLED {
			t.Errorf("%v: %s", killed.GetState(), killed.GetMessage())
		}
		must(t, e.EmptyDisk())
		l.exits()
		l.neverAsked("create")
		l.nothingLeft(e.Host)
	})
	t.Run("bytes, until there is room again", func(t *testing.T) {
		must(t, e.FillDisk())
		l := begin(t, e.Host, onASmallDisk(soonEnough))
		l.launch("exit 3")
		l.await(mesos.TASK_STARTING)
		until(t, "the launch to wait", func() bool {
			return strings.Contains(l.log.String(), "waiting up to 1m0s for fit storage: ") && strings.Contains(l.log.String(), "0B of 64MiB free (0 %), and 6.4MiB have to be (10 %)")
		})
		must(t, e.EmptyDisk())
		l.await(mesos.TASK_RUNNING)
		l.fails("Container exited with status 3;")
		l.exits()
		l.nothingLeft(e.Host)
	})
	t.Run("a pull of too much", func(t *testing.T) { pullOfTooMuch(t, e) })

	neighbour.quiet()
	must(t, neighbour.signal())
	neighbour.fails("Container exited with status 9;")
	neighbour.exits()
	neighbour.noProcess()
	neighbour.nothingLeft(e.Host)
	before.returns(t)
}

// neverAsked checks, after the executor's end, that the engine had no such call.
func (l *life) neverAsked(names ...string) {
	l.t.Helper()
	for _, call := range l.engine.Summary() {
		if slices.Contains(names, call.Call) {
			l.t.Errorf("the engine was asked for it: %+v", call)
		}
	}
}

// pullOfTooMuch is of a layer that would fit in only as it is downloaded. Its download stands still, so that there is nothing but the
// cancellation to end it.
func pullOfTooMuch(t *testing.T, e *enginetest.Engine) {
	listener, err := e.Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	registry := registrytest.Start(t, listener)
	image := registry.Push(t, "large", "v1", ocispec.ImageConfig{}, registrytest.RandomLayer(t, 20<<20))
	stall := registrytest.Stall(2 << 20)
	registry.Break(registrytest.Blob, 100, func(w http.ResponseWriter, r *http.Request, healthy http.Handler, closing <-chan struct{}) {
		if strings.HasSuffix(r.URL.Path, image.Layers[0]) {
			stall(w, r, healthy, closing)
			return
		}
		healthy.ServeHTTP(w, r)
	})
	l := begin(t, e.Host, onASmallDisk(500*time.Millisecond))
	l.launchImage(image.Ref, "exit 3")
	l.await(mesos.TASK_STARTING)
	l.failsToLaunch("storage unfit: the image needs ", "MiB more while it is pulled and extracted: "+e.DataRoot(), "of which 6.4MiB have to stay free (10 %)", "this launch waited 500ms")
	if !strings.Contains(l.log.String(), "; the pull was cancelled") {
		t.Error("the pull was not cancelled before")
	}
	l.exits()
	l.nothingLeft(e.Host)
	registry.Close()
}

// takeInodes makes files until less than 5 % of the inodes are free, and returns what removes them.
func takeInodes(t *testing.T, e *enginetest.Engine) (restore func()) {
	t.Helper()
	folder := filepath.Join(e.DataRoot(), "fillers")
	must(t, os.Mkdir(folder, 0o700))
	var on unix.Statfs_t
	must(t, unix.Statfs(folder, &on))
	for i := range on.Ffree - on.Files/50 {
		must(t, os.WriteFile(filepath.Join(folder, fmt.Sprint(i)), nil, 0o600))
	}
	must(t, unix.Statfs(folder, &on))
	if free := 100 * on.Bavail / on.Blocks; free < 15 {
		t.Fatalf("this test is about inodes, and only %d %% of the bytes are free", free)
	}
	return func() { must(t, os.RemoveAll(folder)) }
}
