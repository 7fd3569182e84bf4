package process

import (
	"errors"
	"os"
	"path/filepath"
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
	if _, err := m.Read(); !errors.Is(err, ErrCgroupGone) {
		t.Errorf("after its removal: %v", err)
	}
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
			m, err := openMemory(dir, test.names[0], test.names[1], test.names[2])
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
	m, err := openMemory(dir, "oom", "limit", "peak")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if r, err := m.Read(); err == nil || errors.Is(err, ErrCgroupGone) {
		t.Errorf("got %+v, %v", r, err)
	}
}
