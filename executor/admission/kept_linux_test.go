package admission

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// keeps replaces whatever is there.
func keeps(text string) func([]byte) []byte {
	return func([]byte) []byte { return []byte(text) }
}

func TestWhatOneExecutorKeepsTheOthersRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "engine")
	one, other := New(Options{Dir: dir, Engine: "unix:///a.sock"}), New(Options{Dir: dir, Engine: "unix:///a.sock"})
	if text, err := other.Kept(); text != nil || err != nil {
		t.Errorf("before: %q, %v", text, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a look made the folder: %v", err)
	}
	must(t, one.Keep(keeps("first")))
	must(t, other.Keep(func(before []byte) []byte { return append(before, " and second"...) }))
	must(t, one.Keep(func([]byte) []byte { return nil }))
	if text, err := one.Kept(); string(text) != "first and second" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	elsewhere := New(Options{Dir: dir, Engine: "unix:///b.sock"})
	if text, err := elsewhere.Kept(); text != nil || err != nil {
		t.Errorf("another engine has %q, %v", text, err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	must(t, err)
	for _, path := range files {
		info, err := os.Stat(path)
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
	}
}

// A change that another executor makes between the look and the lock is not lost.
func TestKeepersDoNotOverwriteEachOther(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "engine")
	const each, executors = 25, 4
	var all sync.WaitGroup
	for range executors {
		all.Go(func() {
			g := New(Options{Dir: dir, Engine: "e"})
			for range each {
				if err := g.Keep(func(before []byte) []byte {
					n, _ := strconv.Atoi(string(before))
					return strconv.AppendInt(nil, int64(n+1), 10)
				}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if text, err := New(Options{Dir: dir, Engine: "e"}).Kept(); string(text) != strconv.Itoa(each*executors) || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

func TestWhatCannotBeKeptChangesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "engine")
	g := New(Options{Dir: dir, Engine: "e"})
	must(t, g.Keep(keeps("small")))
	if err := g.Keep(func([]byte) []byte { return make([]byte, maxKept+1) }); err == nil || !strings.Contains(err.Error(), "more than are kept") {
		t.Error(err)
	}
	if text, err := g.Kept(); string(text) != "small" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
	path := filepath.Join(dir, fileName("e")+".info.json")
	must(t, os.WriteFile(path, bytes.Repeat([]byte("x"), maxKept+1), 0o600))
	if text, err := g.Kept(); text != nil || err == nil || !strings.Contains(err.Error(), "is larger than 65536 bytes") {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	must(t, os.Remove(path))
	must(t, os.Symlink("/etc/passwd", path))
	if text, err := g.Kept(); text != nil || err == nil {
		t.Errorf("a symlink was followed: %d bytes, %v", len(text), err)
	}
	must(t, os.Chmod(dir, 0o777))
	if err := g.Keep(keeps("theirs")); err == nil || !strings.Contains(err.Error(), "others can change it") {
		t.Error(err)
	}
}

func TestWhoSharesNothingKeepsNothing(t *testing.T) {
	g := New(Options{Engine: "e"})
	must(t, g.Keep(keeps("x")))
	if text, err := g.Kept(); text != nil || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}

func TestKeepOnAFullDisk(t *testing.T) {
	at := filepath.Join(t.TempDir(), "run")
	small(t, at, "mode=700,size=64k")
	g := New(Options{Dir: filepath.Join(at, "engine"), Engine: "e"})
	must(t, g.Keep(keeps("before")))
	err := os.WriteFile(filepath.Join(at, "filler"), make([]byte, 64<<10), 0o600)
	if err == nil {
		t.Fatal("the disk is not full")
	}
	if err := g.Keep(keeps(strings.Repeat("x", 8<<10))); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Error(err)
	}
	if text, err := g.Kept(); string(text) != "before" || err != nil {
		t.Errorf("%q, %v", text, err)
	}
}
