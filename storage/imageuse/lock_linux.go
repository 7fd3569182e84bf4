package imageuse

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// ErrBusy says that another clean-up of this host is at work, or that an image is being removed already.
var ErrBusy = errors.New("another clean-up is at work")

// Lock makes the caller the host's only clean-up until it calls release, which may be called more than once, or its process ends. It does not wait: while there is
// another the error is [ErrBusy].
func (f *Folder) Lock() (release func(), err error) {
	fd, err := again(func() (int, error) { return unix.Openat(f.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return nil, f.failed(".", err)
	}
	_, err = again(func() (int, error) { return 0, unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
	if err != nil {
		unix.Close(fd)
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, ErrBusy
		}
		return nil, f.failed(".", err)
	}
	return sync.OnceFunc(func() {
		_ = unix.Flock(fd, unix.LOCK_UN) // a child that is just being started has the file, too
		unix.Close(fd)
	}), nil
}

// Hold says that an image is about to be removed, until release is called, and returns what [Folder.Uses] says of it now, the zero time if
// that is nothing. Whoever notes a use from now on waits for release.
func (f *Folder) Hold(imageID string) (used time.Time, release func(), err error) {
	name, err := digits(imageID)
	if err != nil {
		return time.Time{}, nil, err
	}
	fd, err := f.open(versionFile, unix.O_RDWR)
	if err != nil {
		return time.Time{}, nil, err
	}
	release = sync.OnceFunc(func() {
		_ = f.step() // by what it can; the rest is the next look-up's to find out
		_ = lock(fd, unix.F_UNLCK, place(name))
		unix.Close(fd)
	})
	err = lock(fd, unix.F_WRLCK, place(name))
	if err == nil {
		used, err = f.modified(name)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		release()
		return time.Time{}, nil, err
	}
	return used, release, nil
}

// Removals changes whenever a removal, of whatever image, ends. Whoever looks an image up reads it before, and again after [Note]: if it is
// another one, the image may have been removed in between. Without a record, or any removal since it was made, it is the zero time.
func Removals(dir string) time.Time {
	var st unix.Stat_t
	_, err := again(func() (int, error) { return 0, unix.Lstat(filepath.Join(dir, versionFile), &st) })
	if err != nil || st.Mtim == (unix.Timespec{}) { // as a new record has it
		return time.Time{}
	}
	return time.Unix(st.Mtim.Unix())
}

// step gives the version file another time than it has: now, but a later one than before if the clock or the filesystem is too coarse to
// tell the two apart. It takes no space on a full disk. Only one clean-up at a time removes images.
func (f *Folder) step() error {
	before, err := f.modified(versionFile)
	if err != nil {
		return err
	}
	next := max(time.Now().UnixNano(), before.UnixNano()+1)
	for range 2 {
		times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(next)}
		if err := unix.UtimesNanoAt(f.fd, versionFile, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return f.failed(versionFile, err)
		}
		if after, err := f.modified(versionFile); err != nil || !after.Equal(before) {
			return err
		}
		next = before.UnixNano() + int64(time.Second)
	}
	return nil
}

// removing reports whether somebody holds the image.
func (f *Folder) removing(imageID string) (bool, error) {
	name, err := digits(imageID)
	if err != nil {
		return false, err
	}
	fd, err := f.open(versionFile, unix.O_RDONLY)
	if err != nil {
		return false, err
	}
	defer unix.Close(fd)
	// Not the kind of lock that the file is open for: GETLK only asks.
	asked := unix.Flock_t{Type: unix.F_WRLCK, Start: place(name), Len: 1}
	if _, err := again(func() (int, error) { return 0, unix.FcntlFlock(uintptr(fd), unix.F_OFD_GETLK, &asked) }); err != nil {
		return false, f.failed(versionFile, err)
	}
	return asked.Type != unix.F_UNLCK, nil
}

func lock(fd int, kind int16, at int64) error {
	_, err := again(func() (int, error) {
		return 0, unix.FcntlFlock(uintptr(fd), unix.F_OFD_SETLK, &unix.Flock_t{Type: kind, Start: at, Len: 1})
	})
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) {
		return ErrBusy
	}
	if err != nil {
		return fmt.Errorf("%s cannot be locked: %w", versionFile, err)
	}
	return nil
}

// place is the byte that stands for an image: its first 60 bits. The byte need not exist, and a byte that two images share would only
// make one of them wait.
func place(name string) int64 {
	at, err := strconv.ParseInt(name[:15], 16, 64)
	if err != nil {
		return 0 // not of a name that passed digits
	}
	return at
}
