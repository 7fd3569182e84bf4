package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/regular"
)

// maxEntries bounds what is read of a folder of claims, leases or mounts.
const maxEntries = 4096

// Claims is what a folder of claims holds, living and dead.
type Claims struct {
	IDs        []string // container ids, in no order
	Unfinished []string // paths of files that were to become claims when their process died, or soon will
	Others     []string // names that are none of the two
	More       bool     // the folder has more entries than are read
}

// ListClaims lists a folder of claims. A folder that does not exist has none; one that others than root can change is
// refused, as by [NewClaim]. Whether an entry is a claim indeed, [TakeClaim] finds out.
func ListClaims(dir string) (Claims, error) {
	names, more, err := readRootsFolder(dir)
	if err != nil {
		return Claims{}, fmt.Errorf("list the claims: %w", err)
	}
	all := Claims{More: more}
	for _, name := range names {
		id, _, _ := strings.Cut(strings.TrimPrefix(name, unfinishedPrefix), ".")
		switch {
		case cgroupnet.CheckContainerID(name) == nil:
			all.IDs = append(all.IDs, name)
		case strings.HasPrefix(name, unfinishedPrefix) && cgroupnet.CheckContainerID(id) == nil:
			all.Unfinished = append(all.Unfinished, filepath.Join(dir, name))
		default:
			all.Others = append(all.Others, name)
		}
	}
	return all, nil
}

// readRootsFolder returns the names in a folder that only root can change, [maxEntries] at most.
func readRootsFolder(dir string) (names []string, more bool, err error) {
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err := makeRootsFolder(dir); err != nil {
		return nil, false, err
	}
	f, err := os.Open(dir)
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	names, err = f.Readdirnames(maxEntries + 1)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if len(names) > maxEntries {
		return names[:maxEntries], true, err
	}
	return names, false, err
}

// TakeClaim takes over the claim of a dead executor; [ErrClaimHeld] when it is not dead, or when somebody else
// has taken it, and fs.ErrNotExist without a claim. The caller cleans up and releases it. dir must have passed [ListClaims]
// or [NewClaim].
func TakeClaim(dir, containerID string) (*Claim, error) {
	if err := cgroupnet.CheckContainerID(containerID); err != nil {
		return nil, err
	}
	c := &Claim{dir: dir, owner: ClaimOwner{Version: claimVersion, ContainerID: containerID}}
	file, err := regular.Open(unix.AT_FDCWD, c.Path(), unix.O_RDONLY|unix.O_NOFOLLOW, nil)
	if err != nil {
		return nil, fmt.Errorf("%s is no claim: %w", c.Path(), err)
	}
	defer file.Close()
	if c.fd, err = unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		return nil, err
	}
	err = unix.Flock(c.fd, unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = ErrClaimHeld
	}
	if err == nil {
		err = c.ours() // or it was replaced, by its living owner, or removed
	}
	if err != nil {
		unix.Close(c.fd)
		return nil, err
	}
	return c, nil
}

// Record reads what the former owner wrote. What does not describe the container of the claim's name is an error, and
// [ErrClaimVersion] when that is because another version of the program wrote it.
func (c *Claim) Record() (ClaimRecord, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.released {
		return ClaimRecord{}, fs.ErrClosed
	}
	record, err := c.read()
	if err != nil {
		return ClaimRecord{}, fmt.Errorf("claim %s: %w", c.Path(), err)
	}
	c.owner = record.ClaimOwner
	return record, nil
}

func (c *Claim) read() (ClaimRecord, error) {
	text := make([]byte, maxClaimSize+1)
	n, err := unix.Pread(c.fd, text, 0)
	if err != nil {
		return ClaimRecord{}, err
	}
	if n > maxClaimSize {
		return ClaimRecord{}, fmt.Errorf("has more than %d bytes", maxClaimSize)
	}
	var written struct { // all that every version has
		Version int `json:"version"`
	}
	if err := json.Unmarshal(text[:n], &written); err != nil {
		return ClaimRecord{}, err
	}
	if written.Version > claimVersion {
		return ClaimRecord{}, fmt.Errorf("%w: %d", ErrClaimVersion, written.Version)
	}
	var record ClaimRecord
	if err := json.Unmarshal(text[:n], &record); err != nil {
		return ClaimRecord{}, err
	}
	if record.Version != claimVersion || record.ContainerID != c.owner.ContainerID {
		return ClaimRecord{}, fmt.Errorf("is about container %q", record.ContainerID)
	}
	return record, nil
}
