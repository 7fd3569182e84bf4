package process

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

func TestMemoryOfTheTestsOwnCgroup(t *testing.T) {
	f := newLeaf(t)
	const limit = 16 << 20
	dir := f.folder("memory", testID)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(filepath.Join(dir, "memory.limit_in_bytes"), "16M"); err != nil {
		t.Fatal(err)
	}
	c := f.start(testID, nil, shell(`x=0123456789abcdef; while :; do x=$x$x; done`, false))
	m, err := f.OpenMemory(testID)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	_ = c.reap()
	report, err := m.Read()
	if err != nil || report.OOMKills != 1 || report.Limit != limit || report.Peak < limit/2 {
		t.Errorf("got %+v, %v", report, err)
	}
	waitFor(t, "the memory cgroup to be removable", func() bool { return os.Remove(dir) == nil })
	if later, err := m.Read(); err != nil || later != report {
		t.Errorf("after its removal: %+v, %v", later, err)
	}
}

func TestMemoryCgroupThatIsGoneWithoutAKillTellsNothing(t *testing.T) {
	f := newLeaf(t)
	dir := f.folder("memory", testID)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	goroutines, fds := runtime.NumGoroutine(), openFiles(t)
	m, err := f.OpenMemory(testID)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := m.Read(); err != nil || r.OOMKills != 0 {
		t.Errorf("got %+v, %v", r, err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	if r, err := m.Read(); !errors.Is(err, ErrCgroupGone) {
		t.Errorf("got %+v, %v", r, err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	if now := openFiles(t); now > fds {
		t.Errorf("%d open files, %d before", now, fds)
	}
}

func TestMemoryReadsByItselfWhenAProcessIsKilled(t *testing.T) {
	f := newLeaf(t)
	dir := f.folder("memory", testID)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(filepath.Join(dir, "memory.limit_in_bytes"), "16M"); err != nil {
		t.Fatal(err)
	}
	goroutines, fds := runtime.NumGoroutine(), openFiles(t)
	m, err := f.OpenMemory(testID)
	if err != nil {
		t.Fatal(err)
	}
	if now := openFiles(t); now > fds+4 {
		t.Errorf("%d descriptors, want 3 files and an eventfd", now-fds)
	}
	for kills := range uint64(3) {
		c := f.start(testID, nil, shell(`x=0123456789abcdef; while :; do x=$x$x; done`, false))
		_ = c.reap()
		waitFor(t, "the kill to be counted", func() bool { return m.best().OOMKills == kills+1 })
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	waitFor(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= goroutines })
	waitFor(t, "the descriptors of the reaped processes to be closed", func() bool { return openFiles(t) <= fds })
}

// The kernel keeps an announcement to itself if there were ten on the host in five seconds (mm/oom_kill.c, oom_rs), and other
// tests kill as well: so there is more than one attempt.
func TestKernelLogTellsOfAKillThatNobodyRead(t *testing.T) {
	var r MemoryReport
	waitFor(t, "a kill that the kernel's log tells of", func() (told bool) {
		var err error
		r, err = unreadKill(t)
		return err == nil
	})
	if r.OOMKills != 1 || r.Limit != 16<<20 || r.Peak != 0 {
		t.Errorf("got %+v", r)
	}
}

// unreadKill has a process killed in a cgroup that is gone before anybody reads it.
func unreadKill(t *testing.T) (MemoryReport, error) {
	t.Helper()
	f := newLeaf(t)
	dir := f.folder("memory", testID)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := writeFile(filepath.Join(dir, "memory.limit_in_bytes"), "16M"); err != nil {
		t.Fatal(err)
	}
	m, err := f.OpenMemory(testID)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	m.events.Close() // as if it came too late
	m.watching.Wait()
	c := f.start(testID, nil, shell(`x=0123456789abcdef; while :; do x=$x$x; done`, false))
	_ = c.reap()
	waitFor(t, "the memory cgroup to be removable", func() bool { return os.Remove(dir) == nil })
	if m.best().OOMKills != 0 {
		t.Fatal("it was read, and this test proves nothing")
	}
	return m.Read()
}

func TestMemoryIsClosedWhileItWaitsForAKill(t *testing.T) {
	f := newLeaf(t)
	dir := f.folder("memory", testID)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for file, value := range map[string]string{"memory.limit_in_bytes": "16M", "memory.oom_control": "1"} {
		if err := writeFile(filepath.Join(dir, file), value); err != nil {
			t.Fatal(err)
		}
	}
	m, err := f.OpenMemory(testID)
	if err != nil {
		t.Fatal(err)
	}
	f.start(testID, nil, shell(`x=0123456789abcdef; while :; do x=$x$x; done`, false))
	waitFor(t, "the memory to be used up", func() bool { n, err := readKey(m.oom, "under_oom"); return err == nil && n == 1 })
	if r, err := m.Read(); err != nil || r.OOMKills != 0 {
		t.Errorf("nothing is killed: %+v, %v", r, err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

func TestKillCountedByTheLeafOutlivesTheContainersCgroup(t *testing.T) {
	for name, test := range map[string]struct {
		leaf string
		want MemoryReport
		err  error
	}{
		"counted":                {"oom 1\noom_kill 1\n", MemoryReport{OOMKills: 1, Limit: 16777216}, nil},
		"not counted":            {"oom 0\noom_kill 0\n", MemoryReport{}, ErrCgroupGone},
		"leaf without a counter": {"", MemoryReport{}, ErrCgroupGone},
	} {
		t.Run(name, func(t *testing.T) {
			leaf := t.TempDir()
			dir := filepath.Join(leaf, testID)
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			files := map[string]string{
				filepath.Join(dir, "memory.events"): "oom_kill 0\n",
				filepath.Join(dir, "memory.max"):    "16777216\n",
			}
			if test.leaf != "" {
				files[filepath.Join(leaf, "memory.events")] = test.leaf
			}
			for file, text := range files {
				if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			m, err := openMemory(dir, "/none", "memory.events", "memory.max", "memory.peak")
			if err != nil {
				t.Fatal(err)
			}
			if err := m.openLeaf(leaf); err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if r, err := m.Read(); err != nil || r.OOMKills != 0 || r.Limit != 16777216 {
				t.Errorf("before: %+v, %v", r, err)
			}
			m.oom.Close()
			m.oom = vanished(t)
			if r, err := m.Read(); !errors.Is(err, test.err) || r != test.want {
				t.Errorf("after: %+v, %v", r, err)
			}
		})
	}
}

// vanished is a file of a v1 cgroup that was removed: reading it gives ENODEV, as with one of v2.
func vanished(t *testing.T) *os.File {
	t.Helper()
	f := newLeaf(t)
	dir := f.folder("memory", "vanished")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(filepath.Join(dir, "memory.oom_control"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dir); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestMemoryFilesOfBothVersions(t *testing.T) {
	for name, test := range map[string]struct {
		files map[string]string
		names [3]string
		want  MemoryReport
	}{
		"v1": {
			map[string]string{
				"memory.oom_control":        "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
				"memory.limit_in_bytes":     "33554432\n",
				"memory.max_usage_in_bytes": "33550336\n",
			},
			[3]string{"memory.oom_control", "memory.limit_in_bytes", "memory.max_usage_in_bytes"},
			MemoryReport{OOMKills: 2, Limit: 33554432, Peak: 33550336},
		},
		"v1 without a limit": {
			map[string]string{
				"memory.oom_control":        "oom_kill_disable 0\nunder_oom 0\noom_kill 0\n",
				"memory.limit_in_bytes":     "9223372036854771712\n",
				"memory.max_usage_in_bytes": "4096\n",
			},
			[3]string{"memory.oom_control", "memory.limit_in_bytes", "memory.max_usage_in_bytes"},
			MemoryReport{Peak: 4096},
		},
		"v2": {
			map[string]string{
				"memory.events": "low 0\nhigh 0\nmax 31\noom 1\noom_kill 1\noom_group_kill 0\n",
				"memory.max":    "16777216\n",
				"memory.peak":   "16777216\n",
			},
			[3]string{"memory.events", "memory.max", "memory.peak"},
			MemoryReport{OOMKills: 1, Limit: 16777216, Peak: 16777216},
		},
		"v2 without a limit, before memory.peak": {
			map[string]string{"memory.events": "oom_kill 0\n", "memory.max": "max\n"},
			[3]string{"memory.events", "memory.max", "memory.peak"},
			MemoryReport{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range test.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			m, err := openMemory(dir, "/none", test.names[0], test.names[1], test.names[2])
			if err != nil {
				t.Fatal(err)
			}
			defer m.Close()
			if got, err := m.Read(); err != nil || got != test.want {
				t.Errorf("got %+v, %v; want %+v", got, err, test.want)
			}
		})
	}
}

func TestMemoryWithoutOOMCounterIsAnError(t *testing.T) {
	dir := t.TempDir()
	for file, text := range map[string]string{"oom": "oom_kill_disable 0\nunder_oom 0\n", "limit": "1\n", "peak": "1\n"} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m, err := openMemory(dir, "/none", "oom", "limit", "peak")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if r, err := m.Read(); err == nil || errors.Is(err, ErrCgroupGone) {
		t.Errorf("got %+v, %v", r, err)
	}
}
