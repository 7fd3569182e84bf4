package report

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestReportIsWrittenAndReadBack(t *testing.T) {
	dir := t.TempDir()
	old := unix.Umask(0o077)
	defer unix.Umask(old)
	for _, message := range []string{"first", "second"} { // the second replaces the first
		r := small()
		r.Message = message
		if err := Write(dir, r); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(filepath.Join(dir, FileName))
		if err != nil || !strings.Contains(string(text), message) {
			t.Errorf("%q, %v", text, err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, FileName))
	if err != nil || info.Mode() != 0o644 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	onlyReport(t, dir)
}

// onlyReport fails if a temporary file stayed.
func onlyReport(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			t.Errorf("%s stayed", e.Name())
		}
	}
}

func TestNothingButAReportIsReplaced(t *testing.T) {
	for name, tc := range map[string]struct {
		make func(path, other string) error
		says string
	}{
		"symlink":          {func(path, other string) error { return os.Symlink(other, path) }, "not a regular file"},
		"dangling symlink": {func(path, other string) error { return os.Symlink(other+".missing", path) }, "not a regular file"},
		"hard link":        {func(path, other string) error { return os.Link(other, path) }, "has another name"},
		"FIFO":             {func(path, _ string) error { return unix.Mkfifo(path, 0o600) }, "not a regular file"},
		"folder":           {func(path, _ string) error { return os.Mkdir(path, 0o755) }, "not a regular file"},
		"socket":           {func(path, _ string) error { return unix.Mknod(path, unix.S_IFSOCK|0o600, 0) }, "not a regular file"},
		"device": {func(path, _ string) error {
			return unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(231, 77)))
		}, "not a regular file"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, outside := t.TempDir(), t.TempDir()
			path, other := filepath.Join(dir, FileName), filepath.Join(outside, "other")
			if err := errors.Join(os.WriteFile(other, []byte("host's own"), 0o600), tc.make(path, other)); err != nil {
				t.Fatal(err)
			}
			before := lstat(t, path)
			if err := Write(dir, small()); err == nil || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), dir) {
				t.Errorf("%v, want %q", err, tc.says)
			}
			if after := lstat(t, path); after.Ino != before.Ino || after.Mode != before.Mode {
				t.Error("it was replaced")
			}
			if text, err := os.ReadFile(other); err != nil || string(text) != "host's own" {
				t.Errorf("written through: %q, %v", text, err)
			}
			if entries, err := os.ReadDir(outside); err != nil || len(entries) != 1 {
				t.Errorf("made outside: %v, %v", entries, err)
			}
			onlyReport(t, dir)
		})
	}
}

func lstat(t *testing.T, path string) unix.Stat_t {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatal(err)
	}
	return st
}

// Whatever comes between the check and the rename loses no more than its name.
func TestLateSymlinkIsNotFollowed(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	folder, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	temporary, err := create(int(folder.Fd()), []byte("report"))
	if err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(outside, "target")
	if err := os.Symlink(target, filepath.Join(dir, FileName)); err != nil {
		t.Fatal(err)
	}
	if err := publish(int(folder.Fd()), temporary); err == nil {
		t.Error("the symlink was replaced")
	}
	if err := unix.Renameat(int(folder.Fd()), temporary, int(folder.Fd()), FileName); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(target); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the link was followed: %v", err)
	}
}

func TestSandboxThatTakesNothingIsAnError(t *testing.T) {
	t.Run("full", func(t *testing.T) {
		dir := tmpfs(t, "size=64k")
		if err := os.WriteFile(filepath.Join(dir, FileName), []byte("an earlier one"), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "fill"), make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
		if err := Write(dir, small()); !errors.Is(err, unix.ENOSPC) || !strings.Contains(err.Error(), dir) {
			t.Error(err)
		}
		if text, err := os.ReadFile(filepath.Join(dir, FileName)); err != nil || string(text) != "an earlier one" {
			t.Errorf("%q, %v", text, err)
		}
		onlyReport(t, dir)
	})
	t.Run("no inodes", func(t *testing.T) {
		if err := Write(tmpfs(t, "nr_inodes=1"), small()); !errors.Is(err, unix.ENOSPC) {
			t.Error(err)
		}
	})
	t.Run("read-only", func(t *testing.T) {
		dir := tmpfs(t, "")
		if err := unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
			t.Fatal(err)
		}
		if err := Write(dir, small()); !errors.Is(err, unix.EROFS) {
			t.Error(err)
		}
	})
	t.Run("missing", func(t *testing.T) {
		if err := Write(filepath.Join(t.TempDir(), "gone"), small()); !errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	})
	t.Run("no folder", func(t *testing.T) {
		if err := Write("/dev/null", small()); !errors.Is(err, unix.ENOTDIR) {
			t.Error(err)
		}
	})
}

// tmpfs mounts one; it needs root, as the executor does.
func tmpfs(t *testing.T, options string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		t.Fatalf("mount tmpfs (as root?): %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestWritingLeavesNoDescriptor(t *testing.T) {
	dir := t.TempDir()
	before := descriptors(t)
	for range 3 {
		if err := Write(dir, small()); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Remove(filepath.Join(dir, FileName)); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, FileName), 0o755); err != nil {
		t.Fatal(err)
	}
	if Write(dir, small()) == nil {
		t.Error("a folder was replaced")
	}
	if after := descriptors(t); after != before {
		t.Errorf("%d descriptors, %d before", after, before)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
