package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLogIsNothingThatTheTaskPutThere(t *testing.T) {
	for name, tc := range map[string]struct {
		make func(path string) error
		says string
	}{
		"symlink": {func(path string) error { return os.Symlink(path+".real", path) }, "symbolic links"},
		"FIFO":    {func(path string) error { return unix.Mkfifo(path, 0o600) }, "is not a regular file"},
		"folder":  {func(path string) error { return os.Mkdir(path, 0o755) }, "is not a regular file"},
		// The attempt to open it would say "no such device or address".
		"device without a driver": {func(path string) error {
			return unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(231, 77)))
		}, "is not a regular file"},
		"hard link": {func(path string) error {
			return errors.Join(os.WriteFile(path+".real", nil, 0o600), os.Link(path+".real", path))
		}, "has another name"},
	} {
		t.Run(name, func(t *testing.T) {
			s := start{sandbox: t.TempDir()}
			if err := tc.make(filepath.Join(s.sandbox, logName)); err != nil {
				t.Fatal(err)
			}
			log, done, err := s.openLog()
			defer done()
			log.Info("dropped")
			if err == nil || !strings.Contains(err.Error(), tc.says) {
				t.Errorf("%v, want %q", err, tc.says)
			}
			if content, err := os.ReadFile(filepath.Join(s.sandbox, logName+".real")); err == nil && len(content) > 0 {
				t.Errorf("written through: %q", content)
			}
		})
	}
}

func TestLogIsAppendedTo(t *testing.T) {
	s := start{sandbox: t.TempDir()}
	for _, word := range []string{"first", "second"} {
		log, done, err := s.openLog()
		if err != nil {
			t.Fatal(err)
		}
		log.Info(word)
		done()
	}
	content, err := os.ReadFile(filepath.Join(s.sandbox, logName))
	if err != nil || strings.Count(string(content), "\n") != 2 || !strings.Contains(string(content), "first") || !strings.Contains(string(content), "second") {
		t.Errorf("%q, %v", content, err)
	}
}
