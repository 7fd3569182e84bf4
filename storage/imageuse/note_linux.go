package imageuse

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// lookPause is the time between two looks at a removal.
const lookPause = 20 * time.Millisecond

// Note writes down that an image ("sha256:<64 hex digits>") is in use now, in the record at dir. Again says that the image was being
// removed: it may be gone, and whoever is about to use it looks it up once more. Note waits for the end of such a removal, which
// takes 0.1 s and with an engine in trouble longer, until ctx ends; then the error is ctx's cause, and again is true.
//
// Any other error means that the use is not written down, as on a disk without a free inode if the image is new here. It is no reason not to
// start a task; again counts all the same.
func Note(ctx context.Context, dir, imageID string) (again bool, err error) {
	f, err := Open(dir)
	if err != nil {
		return false, err
	}
	defer f.Close()
	again, err = f.note(ctx, imageID)
	if err != nil {
		err = fmt.Errorf("record of image use: %w", err)
	}
	return again, err
}

func (f *Folder) note(ctx context.Context, imageID string) (again bool, err error) {
	name, err := digits(imageID)
	if err != nil {
		return false, err
	}
	unwritten := f.touch(name)
	for {
		going, err := f.removing(imageID)
		if err != nil || !going {
			return again, errors.Join(unwritten, err)
		}
		again = true
		timer := time.NewTimer(lookPause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return true, context.Cause(ctx)
		}
	}
}

// touch makes a file, and gives one that is there the time of now by the kernel's clock (utimensat(2)).
func (f *Folder) touch(name string) error {
	fd, err := f.open(name, unix.O_WRONLY|unix.O_CREAT)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	now := []unix.Timespec{{Nsec: unix.UTIME_NOW}, {Nsec: unix.UTIME_NOW}}
	if err := unix.UtimesNanoAt(f.fd, name, now, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return f.failed(name, err)
	}
	return nil
}
