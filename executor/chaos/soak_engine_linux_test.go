package chaos

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/moby/sys/mountinfo"

	"mesos-docker-executor/executor/enginetest"
)

// soakEngine is an engine of the soak test with what it had when it was idle.
type soakEngine struct {
	*enginetest.Engine
	goroutines, files int
	mounts, processes []string
}

func startSoakEngine(t *testing.T, args ...string) *soakEngine {
	t.Helper()
	e, err := enginetest.Start(context.Background(), nil, args...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Stop(); err != nil {
			t.Error(err)
		}
	})
	h := &soakEngine{Engine: e}
	if h.goroutines, err = e.Goroutines(context.Background()); err != nil {
		t.Fatal(err)
	}
	if h.files, err = e.Files(); err != nil {
		t.Fatal(err)
	}
	h.mounts, h.processes = h.listMounts(t), h.listProcesses(t)
	return h
}

// spare is how many goroutines and files a dockerd may have more than when it was new: connections to its containerd, and what
// interrupted calls have left. One that leaked something for each life would have more of them soon.
const spare = 24

// left waits until the engine has no more than when it was idle.
func (h *soakEngine) left(t *testing.T) []string {
	what := ""
	if soon(func() bool {
		goroutines, err := h.Goroutines(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		files, err := h.Files()
		if err != nil {
			t.Fatal(err)
		}
		mounts, processes := h.listMounts(t), h.listProcesses(t)
		what = fmt.Sprintf("the engine has %d goroutines, %d files, the mounts %q and the processes %q, and had %d, %d, %q and %q",
			goroutines, files, mounts, processes, h.goroutines, h.files, h.mounts, h.processes)
		known := engineBase{goroutines: h.goroutines, files: h.files}.andAttached(max(files-h.files, 0)) // each file may be one
		return goroutines <= known.goroutines+spare && files <= h.files+spare && len(mounts) <= len(h.mounts) && len(processes) <= len(h.processes)
	}) {
		return nil
	}
	return []string{what}
}

// listMounts lists those of the engine, such as those of containers. Not network namespaces: dockerd forgets some of its own when its
// containerd dies over a start.
func (h *soakEngine) listMounts(t *testing.T) (points []string) {
	t.Helper()
	mounts, err := mountinfo.GetMounts(mountinfo.PrefixFilter(h.Dir))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mounts {
		if !strings.Contains(m.Mountpoint, "/netns/") {
			points = append(points, m.Mountpoint)
		}
	}
	return points
}

// listProcesses lists those of the engine, such as shims.
func (h *soakEngine) listProcesses(t *testing.T) (names []string) {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range lines {
		if line, err := os.ReadFile(path); err == nil && bytes.Contains(line, []byte(h.Dir+"/")) {
			names = append(names, path+" "+string(bytes.ReplaceAll(line, []byte{0}, []byte(" "))))
		}
	}
	return names
}
