package report

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Write writes the report into the folder, as [FileName], with mode 0644. It is there whole or not at all: it is written under
// a temporary name beside it and renamed. Nothing is replaced but a regular file with one name, such as an earlier report. A full
// disk or a read-only sandbox is an error, and leaves what was there before. Of two calls at a time either may come last.
//
// It blocks as long as the file system does, which with a dead disk or NFS server may be for ever; it does not wait for
// the disk (fsync), since a report is not worth that.
func Write(folder string, r Report) error {
	text, err := Encode(r)
	if err != nil {
		return fmt.Errorf("encode the report: %w", err)
	}
	dir, err := unix.Open(folder, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: folder, Err: err}
	}
	defer unix.Close(dir)
	if err := replaceable(dir); err != nil {
		return fmt.Errorf("%s in %s: %w", FileName, folder, err)
	}
	temporary, err := create(dir, text)
	if err == nil {
		if err = publish(dir, temporary); err == nil {
			return nil
		}
	}
	if temporary != "" {
		unix.Unlinkat(dir, temporary, 0)
	}
	return fmt.Errorf("write %s in %s: %w", FileName, folder, err)
}

// create writes text to a new file below dir and returns its name, as soon as there is one with an error too. The name cannot be
// guessed, so the task's user cannot take it first; O_EXCL follows no link even if it could (open(2)).
func create(dir int, text []byte) (string, error) {
	name := "." + FileName + "." + rand.Text()[:16]
	fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return "", err
	}
	f := os.NewFile(uintptr(fd), name)
	_, err = f.Write(text)
	if err == nil {
		err = unix.Fchmod(fd, 0o644) // whatever the umask is
	}
	// NFS tells of a full disk here.
	return name, errors.Join(err, f.Close())
}

// publish gives the temporary file its name. A rename never follows what stands under the new name and never writes to it: if
// the task's user puts something there after the check, no more than that name is lost.
func publish(dir int, temporary string) error {
	err := unix.Renameat2(dir, temporary, dir, FileName, unix.RENAME_NOREPLACE)
	switch err {
	case unix.EEXIST, unix.EINVAL, unix.ENOSYS: // EINVAL: the file system does not know the flag (rename(2))
	default:
		return err
	}
	if err := replaceable(dir); err != nil {
		return err
	}
	return unix.Renameat(dir, temporary, dir, FileName)
}

// replaceable returns an error if something stands under the report's name that is no earlier report.
func replaceable(dir int) error {
	var st unix.Stat_t
	err := unix.Fstatat(dir, FileName, &st, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case err == unix.ENOENT:
		return nil
	case err != nil:
		return err
	case st.Mode&unix.S_IFMT != unix.S_IFREG:
		return errors.New("is there already and is not a regular file; it is left alone")
	case st.Nlink != 1:
		return errors.New("is there already and has another name (a hard link); it is left alone")
	}
	return nil
}
