package classproof

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

// watcher puts counters into the network namespace of each container that the engine starts, while the gate holds it.
type watcher struct {
	folder  string
	events  *os.File // inotify(7)
	working sync.WaitGroup

	mu     sync.Mutex
	meters []*meter // guarded by mu
	errs   []error  // guarded by mu
}

// watchNamespaces watches until [watcher.end], or until the test ends.
func watchNamespaces(t *testing.T) *watcher {
	t.Helper()
	w := &watcher{folder: gate.asks()}
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	w.events = os.NewFile(uintptr(fd), "inotify")
	if err := os.Mkdir(w.folder, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, m := range w.end(t) {
			m.namespace.Close()
		}
	})
	if _, err := unix.InotifyAddWatch(fd, w.folder, unix.IN_MOVED_TO); err != nil {
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
	if err := os.RemoveAll(w.folder); err != nil {
		t.Error(err)
	}
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

// take counts in the namespace of a container that is held, and lets it go on.
func (w *watcher) take(name string) (*meter, error) {
	ask := filepath.Join(w.folder, name)
	m, err := meterOfHeld(name, ask)
	return m, errors.Join(err, os.Remove(ask))
}

func meterOfHeld(name, ask string) (*meter, error) {
	pid, err := os.ReadFile(ask)
	if err != nil {
		return nil, err
	}
	namespace, err := os.Open(fmt.Sprintf("/proc/%s/ns/net", strings.TrimSpace(string(pid))))
	if err != nil {
		return nil, err
	}
	return newMeter(name, namespace, false)
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
