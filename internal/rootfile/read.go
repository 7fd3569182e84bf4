package rootfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Read returns the content of a file that only root can have written: a regular file of root's that neither group nor others may
// write to, of at most limit bytes. It is opened once, and what was opened is what is checked and read. The path's last element is no
// symbolic link; the folders above are not checked.
//
// The error completes "PATH ", says what to do, and is [fs.ErrNotExist] if there is nothing.
func Read(path string, limit int64) ([]byte, error) {
	// O_NONBLOCK: opening a FIFO would wait for a writer. It does nothing to regular files.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ELOOP) {
		return nil, errors.New("is a symbolic link; name the file itself")
	}
	if err != nil {
		return nil, fmt.Errorf("cannot be opened: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("cannot be examined: %w", err)
	}
	if err := checkTrust(path, info); err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(file, limit+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if int64(len(data)) > limit {
		return nil, TooLarge(limit)
	}
	return data, nil
}

// TooLarge is the error about a file of more than limit bytes.
func TooLarge(limit int64) error {
	return fmt.Errorf("is larger than %d bytes; this is another kind of file", limit)
}

func checkTrust(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("is not a regular file but %s; name a file", info.Mode().Type())
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("its owner cannot be determined on this system")
	}
	foreign, writable := stat.Uid != 0, info.Mode().Perm()&0o022 != 0
	owner := fmt.Sprintf("belongs to user %d, not to root; run `chown root %s`", stat.Uid, path)
	mode := fmt.Sprintf("may be written by its group or others (mode %04o); run `chmod go-w %s`", info.Mode().Perm(), path)
	switch {
	case foreign && writable:
		return errors.New(owner + "; and " + mode)
	case foreign:
		return errors.New(owner)
	case writable:
		return errors.New(mode)
	}
	return nil
}
