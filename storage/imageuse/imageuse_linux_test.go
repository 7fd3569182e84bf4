package imageuse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func id(n int) string { return fmt.Sprintf("sha256:%064x", n) }

func record(t *testing.T) *Folder {
	t.Helper()
	f, err := Open(filepath.Join(t.TempDir(), "a", "images"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return f
}

func note(t *testing.T, f *Folder, imageID string) {
	t.Helper()
	if again, err := Note(t.Context(), f.path, imageID); again || err != nil {
		t.Fatalf("%t, %v", again, err)
	}
}

func uses(t *testing.T, f *Folder) map[string]time.Time {
	t.Helper()
	uses, _, err := Read(f.path)
	if err != nil {
		t.Fatal(err)
	}
	return uses
}

// age sets a file's time back.
func age(t *testing.T, f *Folder, name string, by time.Duration) {
	t.Helper()
	then := time.Now().Add(-by)
	if err := os.Chtimes(filepath.Join(f.path, name), then, then); err != nil {
		t.Fatal(err)
	}
}

func TestLastUseAndFirstSight(t *testing.T) {
	f := record(t)
	note(t, f, id(0xa))
	age(t, f, id(0xa)[7:], time.Hour)
	began := time.Now().Add(-time.Second) // the kernel's clock for files is coarse
	note(t, f, id(0xa))
	for range 2 { // the first sight stays
		if err := f.See(id(0xb)); err != nil {
			t.Fatal(err)
		}
		age(t, f, id(0xb)[7:], time.Hour)
	}
	for _, n := range []int{0xb, 0xc} {
		if err := f.See(id(n)); err != nil {
			t.Fatal(err)
		}
	}
	age(t, f, id(0xc)[7:], time.Hour)
	note(t, f, id(0xc)) // and a use is later
	got := uses(t, f)
	if a := got[id(0xa)]; a.Before(began) {
		t.Errorf("used: %s", a)
	}
	if b := got[id(0xb)]; time.Since(b) < time.Hour || len(got) != 3 {
		t.Errorf("seen: %v", got)
	}
	if c := got[id(0xc)]; c.Before(began) {
		t.Errorf("seen, then used: %s", c)
	}
	if err := f.SetUsed(id(0xb)); err != nil || uses(t, f)[id(0xb)].Before(began) {
		t.Errorf("%v", err)
	}
}

func TestWhatIsGoneIsForgotten(t *testing.T) {
	f := record(t)
	for _, n := range []int{1, 2, 3} {
		note(t, f, id(n))
	}
	age(t, f, id(1)[7:], time.Hour)
	age(t, f, id(2)[7:], time.Hour)
	if err := f.Forget(func(one string) bool { return one == id(1) }, time.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	got := uses(t, f)
	if got[id(1)].IsZero() {
		t.Error("it is there, and forgotten")
	}
	if _, known := got[id(2)]; known {
		t.Errorf("gone, and not used lately: %s", got[id(2)])
	}
	if got[id(3)].IsZero() {
		t.Error("about to be used, and forgotten")
	}
}

func TestExecutorsAtOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "images") // all of them make it
	var all sync.WaitGroup
	for n := range 16 {
		all.Go(func() {
			for i := range 20 {
				if again, err := Note(t.Context(), dir, id(n*i)); again || err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	got, _, err := Read(dir)
	if err != nil || got[id(15*19)].IsZero() {
		t.Errorf("%v, %v", got, err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(got)+1 {
		t.Errorf("%d images, and in the folder are %v", len(got), entries)
	}
}

// Whoever notes a use during the removal of the image learns that it may be gone.
func TestUseDuringARemoval(t *testing.T) {
	f := record(t)
	note(t, f, id(1))
	used, release, err := f.Hold(id(1))
	if err != nil || used.IsZero() {
		t.Fatal(used, err)
	}
	if _, _, err := f.Hold(id(1)); !errors.Is(err, ErrBusy) {
		t.Errorf("held twice: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*lookPause)
	defer cancel()
	if again, err := Note(ctx, f.path, id(1)); !again || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a removal that goes on: %t, %v", again, err)
	}
	other := "sha256:f" + id(1)[8:]
	note(t, f, other)
	told := make(chan error)
	go func() {
		again, err := Note(t.Context(), f.path, id(1))
		if !again && err == nil {
			err = errors.New("not told of the removal")
		}
		told <- err
	}()
	release()
	release()
	if err := <-told; err != nil && err.Error() != "not told of the removal" { // it may have come after the release
		t.Error(err)
	}
	if used, release, err = f.Hold(id(3)); err != nil || !used.IsZero() {
		t.Errorf("one that nobody noted: %s, %v", used, err)
	}
	release()
}

// An image that was removed between a look-up and the note of its use is held by nobody any more.
func TestRemovalThatIsOverIsSeen(t *testing.T) {
	f := record(t)
	if at := Removals(f.path); !at.IsZero() {
		t.Errorf("without any removal: %s", at)
	}
	for range 3 { // in quicker succession than a clock tells apart
		before := Removals(f.path)
		_, release, err := f.Hold(id(1))
		if err != nil {
			t.Fatal(err)
		}
		held := Removals(f.path)
		release()
		if after := Removals(f.path); after.Equal(before) || after.Equal(held) {
			t.Errorf("%s before, %s during, %s after the removal", before, held, after)
		}
		note(t, f, id(1))
	}
	if err := os.Chtimes(filepath.Join(f.path, versionFile), time.Time{}, time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	before := Removals(f.path) // the clock was set back since
	_, release, err := f.Hold(id(1))
	if err != nil {
		t.Fatal(err)
	}
	release()
	if Removals(f.path).Equal(before) {
		t.Error("a removal after the clock was set back is not seen")
	}
}

func TestOnlyOneCleanUp(t *testing.T) {
	f := record(t)
	release, err := f.Lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Lock(); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
	release()
	release()
	again, err := f.Lock()
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestRecordThatCannotBeUsed(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"not a folder": func(dir string) error {
			return errors.Join(os.Rename(dir, dir+"2"), os.WriteFile(dir, nil, 0o600))
		},
		"another version": func(dir string) error { return os.WriteFile(filepath.Join(dir, versionFile), []byte("2\n"), 0o600) },
		"no version":      func(dir string) error { return os.WriteFile(filepath.Join(dir, versionFile), nil, 0o600) },
		"of others":       func(dir string) error { return os.Chown(dir, 1, 1) },
		"open to others":  func(dir string) error { return os.Chmod(dir, 0o770) },
		"a symlink": func(dir string) error {
			return errors.Join(os.Rename(dir, dir+"2"), os.Symlink(dir+"2", dir))
		},
	} {
		f := record(t)
		if err := spoil(f.path); err != nil {
			t.Fatal(err)
		}
		_, opened := Open(f.path)
		_, _, read := Read(f.path)
		again, noted := Note(t.Context(), f.path, id(1))
		for _, err := range []error{opened, read, noted} {
			if err == nil || again || !strings.HasPrefix(err.Error(), "record of image use: ") || strings.Contains(name, "version") != errors.Is(err, ErrVersion) {
				t.Errorf("%s: %t, %v", name, again, err)
			}
		}
		if _, err := os.Stat(filepath.Join(f.path, id(1)[7:])); err == nil {
			t.Errorf("%s: something was written", name)
		}
	}
	for _, name := range []string{"", "sha256:", "busybox:1", "sha256:../../etc/passwd", id(1) + "0"} {
		if _, err := Note(t.Context(), filepath.Join(t.TempDir(), "i"), name); err == nil {
			t.Errorf("%q is taken for an image", name)
		}
	}
	if _, err := Note(t.Context(), "images", id(1)); err == nil {
		t.Error("a relative path is taken")
	}
	if got, _, err := Read(filepath.Join(t.TempDir(), "none")); err != nil || len(got) > 0 {
		t.Errorf("without a record: %v, %v", got, err)
	}
}

// onFullDisk runs a test on a small file system of its own. fill takes all bytes and inodes that are left there.
func onFullDisk(t *testing.T, test func(dir string, fill func() error) error) {
	t.Helper()
	dir := t.TempDir()
	fill := func() error {
		for n := 0; ; n++ {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(n)), make([]byte, 16<<10), 0o600); errors.Is(err, unix.ENOSPC) {
				break
			} else if err != nil {
				return err
			}
		}
		for n := 0; ; n++ { // a file that has no room has its inode
			if err := os.Mkdir(filepath.Join(dir, fmt.Sprint("d", n)), 0o700); errors.Is(err, unix.ENOSPC) {
				return nil
			} else if err != nil {
				return err
			}
		}
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: its mounts are its own
		done <- func() error {
			if err := errors.Join(unix.Unshare(unix.CLONE_NEWNS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")); err != nil {
				return err
			}
			if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k,nr_inodes=12"); err != nil {
				return err
			}
			return test(dir, fill)
		}()
	}()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestUseIsNotedOnAFullDisk(t *testing.T) {
	onFullDisk(t, func(dir string, fill func() error) error {
		record := filepath.Join(dir, "images")
		if _, err := Note(t.Context(), record, id(1)); err != nil {
			return err
		}
		then := time.Now().Add(-time.Hour)
		if err := os.Chtimes(filepath.Join(record, id(1)[7:]), then, then); err != nil {
			return err
		}
		if err := fill(); err != nil {
			return err
		}
		if _, err := Note(t.Context(), record, id(1)); err != nil {
			return err
		}
		used, _, err := Read(record)
		if err == nil && time.Since(used[id(1)]) > time.Minute {
			err = fmt.Errorf("used %s", used[id(1)])
		}
		return err
	})
}

// A clean-up is what a full disk needs.
func TestCleanUpHasItsLocksOnAFullDisk(t *testing.T) {
	onFullDisk(t, func(dir string, fill func() error) error {
		f, err := Open(filepath.Join(dir, "images"))
		if err != nil {
			return err
		}
		defer f.Close()
		if err := errors.Join(f.See(id(1)), fill()); err != nil {
			return err
		}
		unlock, err := f.Lock()
		if err != nil {
			return err
		}
		defer unlock()
		_, release, err := f.Hold(id(1))
		if err != nil {
			return err
		}
		defer release()
		// An executor learns of the removal, though not even a new use finds room.
		other := "sha256:f" + id(2)[8:]
		_, freed, err := f.Hold(other)
		if err != nil {
			return err
		}
		time.AfterFunc(3*lookPause, freed)
		if again, err := f.note(t.Context(), other); !again || !errors.Is(err, unix.ENOSPC) {
			return fmt.Errorf("a new image: %t, %w", again, err)
		}
		return f.remove(id(1)[7:])
	})
}

func TestRefusalsSayWhatToDo(t *testing.T) {
	for want, spoil := range map[string]func(dir string) error{
		`version: another version of this program keeps the record: it is "2", and this program's is "1"; use that version, or remove the folder while no gc runs`: func(dir string) error {
			return os.WriteFile(filepath.Join(dir, versionFile), []byte("2\n"), 0o600)
		},
		"belongs to user 1, not to root: chown it or set gc.directory":        func(dir string) error { return os.Chown(dir, 1, 1) },
		"has mode 0770, others can change it: chmod go-w or set gc.directory": func(dir string) error { return os.Chmod(dir, 0o770) },
		"not a directory; set gc.directory to a folder that is no symlink": func(dir string) error {
			return errors.Join(os.Rename(dir, dir+"2"), os.Symlink(dir+"2", dir))
		},
	} {
		f := record(t)
		if err := spoil(f.path); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(f.path); err == nil || !strings.Contains(err.Error(), f.path) || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v, want ...%s", err, want)
		}
	}
}
