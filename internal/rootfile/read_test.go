package rootfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestReadTakesOnlyWhatOnlyRootCanHaveWritten(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	const text = "version: 1\n"
	for name, mode := range map[string]fs.FileMode{"good": 0o644, "group": 0o664, "others": 0o646, "foreign": 0o644, "foreign-and-open": 0o666} {
		if err := errors.Join(os.WriteFile(in(name), []byte(text), 0o600), os.Chmod(in(name), mode)); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(os.Chown(in("foreign"), 1234, 0), os.Chown(in("foreign-and-open"), 1234, 0),
		os.Symlink(in("good"), in("link")), syscall.Mkfifo(in("fifo"), 0o600), os.Mkdir(in("folder"), 0o700))
	if err != nil {
		t.Fatal(err)
	}
	if data, err := Read(in("good"), int64(len(text))); err != nil || string(data) != text {
		t.Errorf("%q, %v", data, err)
	}
	for name, want := range map[string]string{
		"group":            "may be written by its group or others (mode 0664); run `chmod go-w " + in("group") + "`",
		"others":           "may be written by its group or others (mode 0646)",
		"foreign":          "belongs to user 1234, not to root; run `chown root " + in("foreign") + "`",
		"foreign-and-open": "belongs to user 1234, not to root; run `chown root " + in("foreign-and-open") + "`; and may be written by",
		"link":             "is a symbolic link; name the file itself",
		"fifo":             "is not a regular file but p",
		"folder":           "is not a regular file but d",
	} {
		if _, err := Read(in(name), 1000); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Read(in("good"), int64(len(text))-1); err == nil || err.Error() != TooLarge(int64(len(text))-1).Error() {
		t.Error(err)
	}
	if _, err := Read(in("missing"), 1000); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
