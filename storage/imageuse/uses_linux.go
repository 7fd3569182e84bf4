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

// Read returns what the record at path says (see [Folder.Uses]), and whether a clean-up has begun, and changes nothing: without a
// record nothing is known.
func Read(path string) (uses map[string]time.Time, begun bool, err error) {
	f, err := openFolder(path)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]time.Time{}, false, nil
	}
	if err == nil {
		defer f.Close()
		if err = f.checkVersion(); errors.Is(err, fs.ErrNotExist) {
			return map[string]time.Time{}, false, nil // it is just being made
		}
	}
	if err != nil {
		return nil, false, fmt.Errorf("record of image use: %w", err)
	}
	uses, err = f.Uses()
	return uses, f.Begun(), err
}

// Uses returns when each image was last used or, if nobody noted a use, seen first, by image ID ("sha256:..."). Files that are none of the record's
// own are passed over.
func (f *Folder) Uses() (map[string]time.Time, error) {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return nil, fmt.Errorf("record of image use: %w", err)
	}
	uses := map[string]time.Time{}
	for _, entry := range entries {
		if !isDigits(entry.Name()) {
			continue
		}
		at, err := f.modified(entry.Name())
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		uses["sha256:"+entry.Name()] = at
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

// See writes down that an image was seen first now, unless the record has it. Only the owner of [Folder.Lock] may.
func (f *Folder) See(imageID string) error {
	name, err := digits(imageID)
	if err != nil {
		return err
	}
	fd, err := f.open(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return unix.Close(fd)
}

// SetUsed writes down that an image counts as used now. Unlike [Note] it waits for nobody.
func (f *Folder) SetUsed(imageID string) error {
	name, err := digits(imageID)
	if err != nil {
		return err
	}
	return f.touch(name)
}

// Forget removes what is known of images that are not there and were used before the given time, so that one that comes again is new. (A
// later use may be that of a launch which is just pulling it.) Only the owner of [Folder.Lock] may.
func (f *Folder) Forget(there func(imageID string) bool, before time.Time) error {
	uses, err := f.Uses()
	if err != nil {
		return err
	}
	var failed error
	for id, used := range uses {
		if !there(id) && used.Before(before) {
			failed = errors.Join(failed, f.remove(strings.TrimPrefix(id, "sha256:")))
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
