package admission

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// small mounts a tmpfs with room for so many pages and files, its own folder among them.
func small(t *testing.T, at, options string) {
	t.Helper()
	must(t, os.MkdirAll(at, 0o700))
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, options); err != nil {
		t.Fatalf("this test mounts a tmpfs, as root: %v", err)
	}
	t.Cleanup(func() { must(t, unix.Unmount(at, unix.MNT_DETACH)) })
}

const theirEngine = "unix:///var/run/docker.sock"

// spoilt are all ways in which the folder cannot be used.
func spoilt() map[string]func(t *testing.T, dir string) {
	state := func(contents string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir, 0o700))
			must(t, os.WriteFile(filepath.Join(dir, fileName(theirEngine)+".json"), []byte(contents), 0o600))
		}
	}
	inPlace := func(suffix string, make func(path string) error) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir, 0o700))
			must(t, make(filepath.Join(dir, fileName(theirEngine)+suffix)))
		}
	}
	link := func(path string) error { return os.Symlink("/tmp/nowhere", path) }
	folder := func(path string) error { return os.Mkdir(path, 0o700) }
	return map[string]func(t *testing.T, dir string){
		"parent is a file": func(t *testing.T, dir string) {
			must(t, os.Remove(filepath.Dir(dir)))
			must(t, os.WriteFile(filepath.Dir(dir), nil, 0o600))
		},
		"parent is not root's":  func(t *testing.T, dir string) { must(t, os.Chown(filepath.Dir(dir), 1234, 0)) },
		"parent is everybody's": func(t *testing.T, dir string) { must(t, os.Chmod(filepath.Dir(dir), 0o777)) },
		"parent is read-only":   func(t *testing.T, dir string) { small(t, filepath.Dir(dir), "ro,mode=700") },
		"parent has no inodes":  func(t *testing.T, dir string) { small(t, filepath.Dir(dir), "nr_inodes=1,mode=700") },
		"is a file":             func(t *testing.T, dir string) { must(t, os.WriteFile(dir, nil, 0o600)) },
		"is a link":             func(t *testing.T, dir string) { must(t, os.Symlink(t.TempDir(), dir)) },
		"is not root's":         func(t *testing.T, dir string) { must(t, os.Mkdir(dir, 0o700)); must(t, os.Chown(dir, 1234, 0)) },
		"is everybody's": func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir, 0o700))
			must(t, os.Chmod(dir, 0o777|os.ModeSticky))
		},
		"has no inodes":          func(t *testing.T, dir string) { small(t, dir, "nr_inodes=1,mode=700") },
		"has an unknown version": state(`{"version":2,"phase":"open","who":"knows"}`),
		"has garbage":            state("\x00\x01"),
		"has an empty state":     state(""),
		"has a huge state":       state(strings.Repeat(" ", maxState+1)),
		"state is a link":        inPlace(".json", link),
		"state is a folder":      inPlace(".json", folder),
		"state is a FIFO":        inPlace(".json", func(path string) error { return unix.Mkfifo(path, 0o600) }),
		"locks are a link":       inPlace(".lock", link),
		"locks are a folder":     inPlace(".lock", folder),
		"disk is full": func(t *testing.T, dir string) {
			small(t, dir, "size=4k,mode=700")
			must(t, os.WriteFile(filepath.Join(dir, "big"), make([]byte, os.Getpagesize()), 0o600))
		},
		"change is locked by a process that does not go on": func(t *testing.T, dir string) {
			must(t, os.Mkdir(dir, 0o700))
			file, err := os.Create(filepath.Join(dir, fileName(theirEngine)+".lock"))
			must(t, err)
			t.Cleanup(func() { file.Close() })
			if free, err := lockByte(int(file.Fd()), unix.F_WRLCK, changeByte); !free || err != nil {
				t.Fatal(free, err)
			}
		},
	}
}

func TestUselessFolderLeavesTheExecutorAlone(t *testing.T) {
	for name, spoil := range spoilt() {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "run", "engine")
			must(t, os.Mkdir(filepath.Dir(dir), 0o755))
			spoil(t, dir)
			state := filepath.Join(dir, fileName(theirEngine)+".json")
			before, _ := os.ReadFile(regular(state))
			synctest.Test(t, func(t *testing.T) {
				var notes []string
				g := New(Options{Dir: dir, Engine: theirEngine, MaxStarts: 1, MaxPulls: 1, Note: func(line string) { notes = append(notes, line) }})
				probes := 0
				must(t, g.Fit(t.Context(), time.Minute, func(context.Context) error {
					if probes++; probes < 3 {
						return errFrozen
					}
					return nil
				}))
				g.Failed(errFrozen)
				if open, s := g.Open(); !open || s.Cause != "frozen" {
					t.Errorf("its own breaker is %+v", s)
				}
				for range 3 {
					if _, waited := enter(t, g, Start); waited != 0 {
						t.Errorf("a slot after %s", waited)
					}
				}
				if len(notes) != 1 || !strings.Contains(notes[0], filepath.Dir(dir)) {
					t.Errorf("notes: %q", notes)
				}
			})
			if after, _ := os.ReadFile(regular(state)); string(after) != string(before) {
				t.Errorf("the state became %q", after)
			}
		})
	}
}

// regular returns the path if a regular file is there, else that of none.
func regular(path string) string {
	if info, err := os.Lstat(path); err == nil && info.Mode().IsRegular() {
		return path
	}
	return "/nonexistent"
}

func TestUselessFolderMeansNoSlotsAtOnce(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"is a file":          func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
		"slots are a link":   func(dir string) error { os.Mkdir(dir, 0o700); return os.Symlink("/tmp/nowhere", dir+"/starts.lock") },
		"slots are a FIFO":   func(dir string) error { os.Mkdir(dir, 0o700); return unix.Mkfifo(dir+"/starts.lock", 0o600) },
		"slots are a folder": func(dir string) error { return os.MkdirAll(dir+"/starts.lock", 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			dir, notes := filepath.Join(t.TempDir(), "engine"), 0
			must(t, spoil(dir))
			g := New(Options{Dir: dir, MaxStarts: 1, Note: func(string) { notes++ }})
			for range 3 {
				enter(t, g, Start)
			}
			if notes != 1 {
				t.Errorf("%d notes", notes)
			}
		})
	}
}

func TestFilesAreRootsAloneAndFew(t *testing.T) {
	run := filepath.Join(t.TempDir(), "missing", "run")
	dir := filepath.Join(run, "engine")
	for range 3 {
		g := New(Options{Dir: dir, Engine: theirEngine, MaxStarts: 1000, MaxPulls: 1000, Note: func(line string) { t.Error(line) }})
		g.Failed(errFrozen)
		for range 20 {
			leave, _ := enter(t, g, Start)
			defer leave()
			leave, _ = enter(t, g, Pull)
			defer leave()
		}
	}
	want := map[string]bool{fileName(theirEngine) + ".json": true, fileName(theirEngine) + ".lock": true, "starts.lock": true, "pulls.lock": true}
	entries, err := os.ReadDir(dir)
	must(t, err)
	for _, entry := range entries {
		info, err := entry.Info()
		must(t, err)
		if !want[entry.Name()] || info.Mode() != 0o600 || info.Size() > 2<<10 {
			t.Errorf("%s: %s, %d bytes", entry.Name(), info.Mode(), info.Size())
		}
	}
	if info, err := os.Lstat(dir); err != nil || info.Mode().Perm() != 0o700 || len(entries) != len(want) {
		t.Errorf("%v, %d files", info.Mode(), len(entries))
	}
}

func TestWhatADeadWriterLeftIsReplaced(t *testing.T) {
	for name, leave := range map[string]func(path string) error{
		"half a file": func(path string) error { return os.WriteFile(path, []byte(`{"versi`), 0o600) },
		"a link":      func(path string) error { return os.Symlink("/etc/passwd", path) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			beside := filepath.Join(dir, fileName(theirEngine)+".json.new")
			must(t, leave(beside))
			g := newGate(t, dir)
			g.Failed(errFrozen)
			if open, _ := g.Open(); !open {
				t.Error("the failure was not kept")
			}
			if _, err := os.Lstat(beside); err == nil {
				t.Error("it is still there")
			}
		})
	}
}
