package imageuse

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Use is what is known of an image.
type Use struct {
	Used time.Time // last use that was noted; zero: none was
	Seen time.Time // when a clean-up saw it first; zero: none did
}

// Read returns what the record at path says, by image ID ("sha256:..."), and whether a clean-up has begun, and changes nothing: without a
// record nothing is known.
func Read(path string) (uses map[string]Use, begun bool, err error) {
	f, err := openFolder(path)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]Use{}, false, nil
	}
	if err == nil {
		defer f.Close()
		if err = f.checkVersion(); errors.Is(err, fs.ErrNotExist) {
			return map[string]Use{}, false, nil // it is just being made
		}
	}
	if err != nil {
		return nil, false, fmt.Errorf("record of image use: %w", err)
	}
	uses, err = f.Uses()
	return uses, f.Begun(), err
}

// Uses returns what the record says, by image ID. Files that are none of its own are passed over.
func (f *Folder) Uses() (map[string]Use, error) {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return nil, fmt.Errorf("record of image use: %w", err)
	}
	uses := map[string]Use{}
	for _, entry := range entries {
		name, seen := strings.CutSuffix(entry.Name(), seenSuffix)
		if !isDigits(name) {
			continue
		}
		at, err := f.modified(entry.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		use := uses["sha256:"+name]
		if seen {
			use.Seen = at
		} else {
			use.Used = at
		}
		uses["sha256:"+name] = use
	}
	return uses, nil
}

// modified is a file's time; a future one as it is, for the caller to judge.
func (f *Folder) modified(name string) (time.Time, error) {
	var st unix.Stat_t
	_, err := again(func() (int, error) { return 0, unix.Fstatat(f.fd, name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if err != nil {
		return time.Time{}, f.failed(name, err)
	}
	return time.Unix(st.Mtim.Unix()), nil
}

// See writes down that an image was seen first now. Only the owner of [Folder.Lock] may.
func (f *Folder) See(imageID string) error {
	name, err := digits(imageID)
	if err != nil {
		return err
	}
	fd, err := f.open(name+seenSuffix, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// Forget removes what is known of images that are not there, so that one that comes again is new: when it was seen, and when it was used if that was
// before the given time. (A later use may be that of a launch which is just pulling it.) Only the owner of [Folder.Lock] may.
func (f *Folder) Forget(there func(imageID string) bool, before time.Time) error {
	uses, err := f.Uses()
	if err != nil {
		return err
	}
	var failed error
	for id, use := range uses {
		if there(id) {
			continue
		}
		name := strings.TrimPrefix(id, "sha256:")
		if !use.Seen.IsZero() {
			failed = errors.Join(failed, f.remove(name+seenSuffix))
		}
		if !use.Used.IsZero() && use.Used.Before(before) {
			failed = errors.Join(failed, f.remove(name))
		}
	}
	return failed
}

func (f *Folder) remove(name string) error {
	if err := unix.Unlinkat(f.fd, name, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return f.failed(name, err)
	}
	return nil
}
