package classproof

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// watcher puts counters into each network namespace that the engine makes, while it makes the container.
type watcher struct {
	folder  string
	events  *os.File    // inotify(7)
	engine  unix.Stat_t // the engine's own namespace, which libnetwork mounts there for containers on the host's network
	working sync.WaitGroup

	mu     sync.Mutex
	meters []*meter // guarded by mu
	errs   []error  // guarded by mu
}

// mountPoll is the pause between two looks for the namespace that is to be mounted on a file. From then on to the program's first packet
// it takes a hundred times as long.
const mountPoll = time.Millisecond

// watchNamespaces watches until [watcher.end], or until the test ends.
func watchNamespaces(t *testing.T) *watcher {
	t.Helper()
	w := &watcher{folder: filepath.Join(docker.Dir, "exec", "netns")}
	if err := unix.Stat(fmt.Sprintf("/proc/%d/ns/net", docker.PID), &w.engine); err != nil {
		t.Fatal(err)
	}
	// libnetwork makes it for the first container.
	if err := os.MkdirAll(w.folder, 0o755); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	w.events = os.NewFile(uintptr(fd), "inotify")
	t.Cleanup(func() {
		for _, m := range w.end(t) {
			m.namespace.Close()
		}
	})
	if _, err := unix.InotifyAddWatch(fd, w.folder, unix.IN_CREATE); err != nil {
		t.Fatal(err)
	}
	w.working.Go(w.watch)
	return w
}

// end ends the watch and returns the meters of all namespaces that were made during it. They are closed when the test ends.
func (w *watcher) end(t *testing.T) []*meter {
	t.Helper()
	w.events.Close()
	w.working.Wait()
	for _, err := range w.errs {
		t.Error(err)
	}
	w.errs = nil
	return w.meters
}

func (w *watcher) watch() {
	buffer := make([]byte, 64<<10)
	for {
		n, err := w.events.Read(buffer)
		if err != nil {
			if !errors.Is(err, os.ErrClosed) {
				w.add(nil, err)
			}
			return
		}
		for events := buffer[:n]; len(events) >= unix.SizeofInotifyEvent; {
			length := unix.SizeofInotifyEvent + int(binary.NativeEndian.Uint32(events[12:]))
			name := string(bytes.TrimRight(events[unix.SizeofInotifyEvent:length], "\x00"))
			w.working.Go(func() { w.add(w.take(name)) })
			events = events[length:]
		}
	}
}

// take waits for the namespace that is mounted on a new file, and counts in it. For the engine's own namespace it returns nil.
func (w *watcher) take(name string) (*meter, error) {
	var namespace *os.File
	err := pollEvery(mountPoll, func() (err error) {
		namespace, err = openNamespace(filepath.Join(w.folder, name))
		return err
	})
	if err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(namespace.Fd()), &st); err != nil || st.Ino == w.engine.Ino {
		namespace.Close()
		return nil, err
	}
	return newMeter(name, namespace, false)
}

// openNamespace opens a namespace that is mounted on a file.
func openNamespace(path string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	var fs unix.Statfs_t
	if err = unix.Fstatfs(int(f.Fd()), &fs); err == nil && fs.Type != unix.NSFS_MAGIC {
		err = fmt.Errorf("no network namespace is mounted on %s", path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func (w *watcher) add(m *meter, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.errs = append(w.errs, err)
	}
	if m != nil {
		w.meters = append(w.meters, m)
	}
}
