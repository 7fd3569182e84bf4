package regular

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOnlyRegularFilesAreOpened(t *testing.T) {
	refused := errors.New("refused")
	for _, tc := range []struct {
		name  string
		make  func(path string) error
		flags int
		check func(unix.Stat_t) error
		want  error
	}{
		{"file", write, unix.O_RDONLY, nil, nil},
		{"file, checked", write, unix.O_RDONLY, OneName, nil},
		{"file that is refused", write, unix.O_RDONLY, func(unix.Stat_t) error { return refused }, refused},
		{"missing", func(string) error { return nil }, unix.O_RDONLY, nil, unix.ENOENT},
		{"folder", func(path string) error { return os.Mkdir(path, 0o755) }, unix.O_RDONLY, nil, ErrType},
		{"FIFO", func(path string) error { return unix.Mkfifo(path, 0o600) }, unix.O_RDONLY, nil, ErrType},
		{"socket", func(path string) error { return unix.Mknod(path, unix.S_IFSOCK|0o600, 0) }, unix.O_WRONLY, nil, ErrType},
		// ENXIO would come from the attempt to open it.
		{"device without a driver", func(path string) error {
			return unix.Mknod(path, unix.S_IFCHR|0o600, int(unix.Mkdev(231, 77)))
		}, unix.O_RDONLY, nil, ErrType},
		{"symlink", link, unix.O_RDONLY | unix.O_NOFOLLOW, nil, unix.ELOOP},
		{"symlink that is followed", link, unix.O_RDONLY, nil, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "file")
			if err := tc.make(path); err != nil {
				t.Fatal(err)
			}
			before := descriptors(t)
			f, err := Open(unix.AT_FDCWD, path, tc.flags, tc.check)
			if err == nil {
				text, readErr := io.ReadAll(f)
				if readErr != nil || string(text) != "content" {
					t.Errorf("%q, %v", text, readErr)
				}
				f.Close()
			}
			if !errors.Is(err, tc.want) {
				t.Errorf("%v, want %v", err, tc.want)
			}
			if after := descriptors(t); after != before {
				t.Errorf("%d descriptors, %d before", after, before)
			}
		})
	}
}

func write(path string) error { return os.WriteFile(path, []byte("content"), 0o600) }

func link(path string) error { return errors.Join(write(path+".real"), os.Symlink(path+".real", path)) }

func TestHardLinkHasAnotherName(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := errors.Join(write(path), os.Link(path, path+".other")); err != nil {
		t.Fatal(err)
	}
	if f, err := Open(unix.AT_FDCWD, path, unix.O_RDONLY, OneName); err == nil || !strings.Contains(err.Error(), "hard link") {
		t.Errorf("%v, %v", f, err)
	}
}

func TestNameIsBelowTheOpenFolder(t *testing.T) {
	dir := t.TempDir()
	if err := write(filepath.Join(dir, "file")); err != nil {
		t.Fatal(err)
	}
	folder, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer folder.Close()
	f, err := Open(int(folder.Fd()), "file", unix.O_WRONLY|unix.O_APPEND, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(" and more"); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "file")); err != nil || string(text) != "content and more" {
		t.Errorf("%q, %v", text, err)
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
