package hostcheck

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/executor/enginetest"
)

// settings are for an engine, with limits that are short. No disk is too full.
func settings(t *testing.T, e *enginetest.Engine) config.File {
	t.Helper()
	text := "version: 1\nstorage:\n  min_free_bytes: 0GiB\n  min_free_bytes_percent: 0\n  warn_free_bytes_percent: 0\n" +
		"  min_free_inodes: 0\n  min_free_inodes_percent: 0\n  warn_free_inodes_percent: 0\n"
	file, err := config.Parse("config.yaml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	file.Engine.Host = e.Host
	file.Engine.Limits.Ping, file.Engine.Limits.Info = 2*time.Second, 2*time.Second
	file.RunDirectory = filepath.Join(t.TempDir(), "run")
	return file
}

func options(file config.File) Options {
	return Options{
		Config:   func() (config.File, error) { return file, nil },
		Operator: func(config.File) Operator { return Operator{ClassIDs: ClassesOff} },
	}
}

// find returns the line of a name.
func find(t *testing.T, all Lines, subject, name string) Line {
	t.Helper()
	for _, line := range all {
		if line.Subject == subject && line.Name == name {
			return line
		}
	}
	t.Fatalf("no line %s %s in %+v", subject, name, all)
	return Line{}
}

// within fails if the look takes longer than it may.
func within(t *testing.T, limit time.Duration, o Options) Lines {
	t.Helper()
	began := time.Now()
	all := Look(t.Context(), o)
	if took := time.Since(began); took > limit {
		t.Errorf("it took %s", took)
	}
	return all
}

func TestLookAtAnEngineThatWorks(t *testing.T) {
	file := settings(t, private)
	all := within(t, Limit, options(file))
	for subject, names := range map[string][]string{
		"engine": {"daemon", "answers", "cgroup driver", "load", "breaker"}, "kernel": {"version", "openat2", "cgroups", "net_cls", "inotify"}, "executors": {"claims"},
	} {
		for _, name := range names {
			if line := find(t, all, subject, name); line.Status != OK {
				t.Errorf("%+v", line)
			}
		}
	}
	if line := find(t, all, "engine", "daemon"); !strings.Contains(line.Text, "Docker Engine") || !strings.Contains(line.Text, "dockerd (pid ") {
		t.Errorf("%+v", line)
	}
	if line := find(t, all, "engine", "load"); !strings.Contains(line.Text, "goroutines") || !strings.Contains(line.Text, " files open") {
		t.Errorf("%+v", line)
	}
	if line := find(t, all, "engine", "live-restore"); line.Status != Warn {
		t.Errorf("%+v", line)
	}
	if line := find(t, all, "storage", "room"); line.Status != OK || !strings.Contains(line.Text, private.DataRoot()) {
		t.Errorf("%+v", line)
	}
	if _, err := os.Stat(file.RunDirectory); !os.IsNotExist(err) {
		t.Errorf("the look made a folder: %v", err)
	}
}

func TestLooksLeaveNothingOpen(t *testing.T) {
	o := options(settings(t, private))
	open := func() (files, goroutines int) {
		names, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(names), runtime.NumGoroutine()
	}
	Look(t.Context(), o) // what is kept for the process's life is made now
	files, goroutines := open()
	for range 5 {
		Look(t.Context(), o)
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		f, g := open()
		if f <= files && g <= goroutines {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d files open, %d before; %d goroutines, %d before", f, files, g, goroutines)
		}
	}
}

func TestLookAtAFrozenEngineEndsAndSaysIt(t *testing.T) {
	if err := private.Freeze(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := private.Thaw(); err != nil {
			t.Error(err)
		}
	}()
	all := within(t, lookLimit, options(settings(t, private)))
	if line := find(t, all, "engine", "daemon"); line.Status != Fail || !strings.Contains(line.Text, "is stopped") || !strings.Contains(line.Remedy, "kill -CONT") {
		t.Errorf("%+v", line)
	}
	if line := find(t, all, "engine", "load"); line.Status != OK || !strings.Contains(line.Text, "files open") {
		t.Errorf("its files can be seen all the same: %+v", line)
	}
	find(t, all, "kernel", "version") // nor does anything else wait for it
}

func TestLookAtAFrozenContainerdSaysWhichOneItIs(t *testing.T) {
	if err := private.FreezeContainerd(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := private.ThawContainerd(); err != nil {
			t.Error(err)
		}
	}()
	all := within(t, lookLimit, options(settings(t, private)))
	if line := find(t, all, "engine", "daemon"); line.Status != Fail || !strings.Contains(line.Text, "containerd (pid ") {
		t.Errorf("%+v", line)
	}
	if line := find(t, all, "engine", "answers"); !strings.Contains(line.Text, "ping in ") {
		t.Errorf("a ping is answered: %+v", line)
	}
}

func TestLookDoesNotWaitForWhatHangs(t *testing.T) {
	hang := make(chan struct{})
	defer close(hang)
	u := begin(t.Context(), 10*time.Millisecond, func(context.Context) int { <-hang; return 1 })
	found, all := u.take(func(int) Lines { return Lines{{}} }, "engine")
	if found != 0 || len(all) != 1 || all[0].Status != Fail || !strings.Contains(all[0].Text, "not finished within 10ms") {
		t.Errorf("%d, %+v", found, all)
	}
}
