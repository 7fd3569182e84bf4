package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mesos-docker-executor/executor/config"
)

// write makes a config.yaml that belongs to root and sets log_drain to 7s.
func write(t *testing.T, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	if err := os.WriteFile(path, []byte("version: 1\nlog_drain: 7s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, 0, 0); err != nil {
		t.Fatalf("this test needs root: %v", err)
	}
	return path
}

func TestLoadReadsFileOfRoot(t *testing.T) {
	for _, mode := range []os.FileMode{0o600, 0o644, 0o444} {
		for _, named := range []bool{true, false} {
			file, err := config.Load(write(t, mode), named)
			if err != nil || file.LogDrain.String() != "7s" {
				t.Errorf("mode %o, named %v: %v, log_drain %v", mode, named, err, file.LogDrain)
			}
		}
	}
}

func TestLoadOfMissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "config.yaml")
	if file, err := config.Load(path, false); err != nil || file != config.Default() {
		t.Errorf("default path: %v, %+v", err, file)
	}
	_, err := config.Load(path, true)
	var e *config.Error
	if !errors.As(err, &e) || !strings.Contains(err.Error(), path+": does not exist; create it") || e.Agent == nil || *e.Agent != config.Default().Agent {
		t.Errorf("named: %v", err)
	}
}

func TestLoadRefusesWhatOthersCouldHaveWritten(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name string
		make func() string
		want []string
	}{
		{"another owner", func() string {
			path := write(t, 0o644)
			if err := os.Chown(path, 1234, 0); err != nil {
				t.Fatal(err)
			}
			return path
		}, []string{"belongs to user 1234", "chown root"}},
		{"group may write", func() string { return write(t, 0o664) }, []string{"mode 0664", "chmod go-w"}},
		{"others may write", func() string { return write(t, 0o602) }, []string{"mode 0602"}},
		{"another owner and all may write", func() string {
			path := write(t, 0o666)
			if err := os.Chown(path, 1234, 0); err != nil {
				t.Fatal(err)
			}
			return path
		}, []string{"user 1234", "mode 0666"}},
		{"symbolic link", func() string {
			path := filepath.Join(dir, "link")
			link(t, write(t, 0o644), path)
			return path
		}, []string{"is a symbolic link"}},
		{"folder", func() string { return dir }, []string{"not a regular file"}},
		{"FIFO without a writer", func() string {
			path := filepath.Join(dir, "fifo")
			if err := syscall.Mkfifo(path, 0o600); err != nil {
				t.Fatal(err)
			}
			return path
		}, []string{"not a regular file"}},
		{"device", func() string { return "/dev/zero" }, []string{"not a regular file"}},
		{"file in place of a folder", func() string { return write(t, 0o644) + "/config.yaml" }, []string{"cannot be opened", "not a directory"}},
		{"too large", func() string {
			path := write(t, 0o644)
			if err := os.WriteFile(path, []byte(strings.Repeat("#\n", 33<<10)), 0o644); err != nil {
				t.Fatal(err)
			}
			return path
		}, []string{"larger than 65536 bytes"}},
		{"relative path", func() string { return "config.yaml" }, []string{"not an absolute path"}},
		{"no path", func() string { return "" }, []string{"absolute path"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := c.make()
			for _, named := range []bool{true, false} {
				_, err := config.Load(path, named)
				var e *config.Error
				if !errors.As(err, &e) || e.Agent != nil {
					t.Fatalf("named %v: %v, agent %+v", named, err, e.Agent)
				}
				for _, want := range c.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("named %v: %q is not in: %v", named, want, err)
					}
				}
				if strings.Contains(err.Error(), "\n") {
					t.Errorf("more than one line: %v", err)
				}
			}
		})
	}
}

func TestLoadReportsContentWithPathAndLine(t *testing.T) {
	path := write(t, 0o644)
	if err := os.WriteFile(path, []byte("version: 1\nlog_drain: 7\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(path, true); err == nil || !strings.HasPrefix(err.Error(), path+":2: log_drain: 7 has no unit") {
		t.Errorf("error: %v", err)
	}
}
