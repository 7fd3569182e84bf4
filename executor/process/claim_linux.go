package process

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
)

// Claim says that this process serves a container, and what of it may be on the host. It is a file,
// <run directory>/tasks/<container id>, that the process holds a lock on (flock(2)): the kernel frees the lock when
// the process dies, however it dies. So a claim whose lock is free is that of a dead executor, and whoever gets the
// lock may clean up what the file tells of; holding it keeps everybody else from doing the same.
//
// The file is locked before it gets its name, and replaced as a whole: nobody ever sees a claim of a living
// executor unlocked, or half of one. The lock is freed by [Claim.Release] and by the end of the process, and by nothing else.
//
// All methods may be called from any goroutine; each takes a few system calls.
type Claim struct {
	dir   string
	owner ClaimOwner

	mu       sync.Mutex
	fd       int  // guarded by mu; locked. Not an os.File, which the garbage collector may close, and the lock with it.
	released bool // guarded by mu
}

// ClaimRecord is the content of a claim, as JSON. What may exist has to be in it before it is made.
type ClaimRecord struct {
	ClaimOwner

	TaskID     string `json:"task_id,omitempty"`
	Name       string `json:"name,omitempty"`        // of the Docker container
	DockerID   string `json:"docker_id,omitempty"`   // 64 hex digits; empty until the create was answered
	EngineHost string `json:"engine_host,omitempty"` // "unix:///path"

	// CreateUnknown says that a create was sent and not answered: a container may exist, or still appear.
	CreateUnknown bool `json:"create_unknown,omitempty"`

	Leaf  cgroupnet.Placement `json:"leaf,omitzero"`
	Lease string              `json:"lease,omitempty"` // path; for people, a sweep finds it by the container id
	Stage string              `json:"stage,omitempty"` // the same

	Sweep ClaimSweep `json:"sweep,omitzero"`
}

// ClaimOwner is what [NewClaim] itself writes: whose claim it is. Process id and times are for people; whether the owner
// lives, the lock says.
type ClaimOwner struct {
	Version     int       `json:"version"`
	ContainerID string    `json:"container_id"` // of Mesos
	BootID      string    `json:"boot_id"`
	PID         int       `json:"pid"`
	StartTime   uint64    `json:"start_time"` // clock ticks after boot (proc_pid_stat(5))
	Claimed     time.Time `json:"claimed"`
}

// ClaimSweep is what sweeps keep in the claim of a dead executor from one to the next.
type ClaimSweep struct {
	Began  time.Time `json:"began,omitzero"`  // when the first one found it
	Asked  time.Time `json:"asked,omitzero"`  // when the engine was asked to no avail the last time
	Failed int       `json:"failed,omitzero"` // how often that was
	Absent time.Time `json:"absent,omitzero"` // since when the engine says that there is no container
}

// Lives reports whether the process that made the claim is there, and is another than the caller. Its lock says so, too, unless
// somebody has exchanged the file: an editor writes a new one, which nobody has locked.
func (o ClaimOwner) Lives() bool {
	if o.PID <= 0 || o.PID == os.Getpid() {
		return false
	}
	st, err := readStat(o.PID)
	return err == nil && st.startTime == o.StartTime && !st.dead()
}

// claimVersion is the version of [ClaimRecord].
const claimVersion = 1

// maxClaimSize bounds what is read of a claim; a real one has about 1 KiB.
const maxClaimSize = 64 << 10

var (
	// ErrClaimHeld says that a claim is locked: a living executor serves the container, or a sweep is at work on what a dead
	// one left.
	ErrClaimHeld = errors.New("another process serves the container, or is cleaning up after one that did")

	// ErrClaimLeft says that there is a claim of a dead executor: what it left has to be swept first.
	ErrClaimLeft = errors.New("an executor that is dead has served the container")

	// ErrClaimVersion says that the claim was written by another version of the program.
	ErrClaimVersion = errors.New("the claim has a version that this program does not know")
)

// NewClaim makes the claim of this process for a container. dir (for example /run/mesos-docker-executor/tasks) is made and
// checked as that of [NewLease] is. Another claim of the same container is [ErrClaimHeld] or [ErrClaimLeft].
func NewClaim(dir, containerID string, what ClaimRecord) (*Claim, error) {
	c, err := newClaim(dir, containerID, what)
	if err != nil {
		return nil, fmt.Errorf("claim container %q: %w", containerID, err)
	}
	return c, nil
}

func newClaim(dir, containerID string, what ClaimRecord) (*Claim, error) {
	if err := cgroupnet.CheckContainerID(containerID); err != nil {
		return nil, err
	}
	if err := makeRootsFolder(dir); err != nil {
		return nil, err
	}
	owner, err := thisOwner(containerID)
	if err != nil {
		return nil, err
	}
	c := &Claim{dir: dir, owner: owner}
	name, fd, err := c.write(what)
	if err != nil {
		return nil, err
	}
	if err := unix.Renameat2(unix.AT_FDCWD, name, unix.AT_FDCWD, c.Path(), unix.RENAME_NOREPLACE); err != nil {
		abandon(name, fd)
		if errors.Is(err, fs.ErrExist) {
			return nil, whose(dir, containerID)
		}
		return nil, &fs.PathError{Op: "rename", Path: name, Err: err}
	}
	c.fd = fd
	return c, nil
}

// whose tells what the claim that is there is.
func whose(dir, containerID string) error {
	other, err := TakeClaim(dir, containerID)
	switch {
	case errors.Is(err, fs.ErrNotExist): // gone since, by the sweep that held it
		return ErrClaimHeld
	case err != nil:
		return err
	}
	return errors.Join(ErrClaimLeft, other.Release(false))
}

func thisOwner(containerID string) (ClaimOwner, error) {
	boot, err := BootID()
	if err != nil {
		return ClaimOwner{}, err
	}
	self, err := readStat(os.Getpid())
	if err != nil {
		return ClaimOwner{}, err
	}
	return ClaimOwner{
		Version:     claimVersion,
		ContainerID: containerID,
		BootID:      boot,
		PID:         os.Getpid(),
		StartTime:   self.startTime,
		Claimed:     time.Now().UTC().Truncate(time.Millisecond),
	}, nil
}

// BootID is the kernel's name for this boot of the host (random(4)).
func BootID() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(text)), err
}

// write makes a locked file with the record, under a name that is not a claim's.
func (c *Claim) write(what ClaimRecord) (name string, fd int, err error) {
	what.ClaimOwner = c.owner
	text, err := json.Marshal(what)
	if err != nil {
		return "", -1, err
	}
	name = filepath.Join(c.dir, unfinishedPrefix+c.owner.ContainerID+"."+rand.Text())
	fd, err = unix.Open(name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return "", -1, &fs.PathError{Op: "create", Path: name, Err: err}
	}
	err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		_, err = unix.Write(fd, append(text, '\n'))
	}
	if err != nil {
		abandon(name, fd)
		return "", -1, &fs.PathError{Op: "write", Path: name, Err: err}
	}
	return name, fd, nil
}

// unfinishedPrefix begins the name of a file that is to become a claim: no container id begins with a dot.
const unfinishedPrefix = "."

func abandon(name string, fd int) {
	_ = unix.Unlink(name) // a sweep removes it otherwise
	unix.Close(fd)
}

// Path is the file. The container's label names it.
func (c *Claim) Path() string { return filepath.Join(c.dir, c.owner.ContainerID) }

// Update replaces the record, all but its ClaimOwner. When it fails the old one stays. A claim that somebody has
// removed is there again.
func (c *Claim) Update(what ClaimRecord) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.update(what); err != nil {
		return fmt.Errorf("update the claim of container %s: %w", c.owner.ContainerID, err)
	}
	return nil
}

func (c *Claim) update(what ClaimRecord) error {
	if c.released {
		return fs.ErrClosed
	}
	if err := c.ours(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	name, fd, err := c.write(what)
	if err != nil {
		return err
	}
	if err := unix.Rename(name, c.Path()); err != nil {
		abandon(name, fd)
		return &fs.PathError{Op: "rename", Path: name, Err: err}
	}
	unix.Close(c.fd) // whoever waited to open this one sees that it has lost its name
	c.fd = fd
	return nil
}

// ours makes sure that the file that has the claim's name is the locked one.
func (c *Claim) ours() error {
	var named, locked unix.Stat_t
	if err := unix.Lstat(c.Path(), &named); err != nil {
		return &fs.PathError{Op: "stat", Path: c.Path(), Err: err}
	}
	if err := unix.Fstat(c.fd, &locked); err != nil {
		return err
	}
	if named.Dev != locked.Dev || named.Ino != locked.Ino {
		return ErrClaimHeld
	}
	return nil
}

// Release gives the claim up. If clean, nothing of the container is left, and the file goes; otherwise it stays,
// with its lock free, for a later sweep. Releasing again is fine and does nothing.
func (c *Claim) Release(clean bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.released {
		return nil
	}
	c.released = true
	defer unix.Close(c.fd)
	if !clean {
		return nil
	}
	err := c.ours()
	if err == nil {
		err = unix.Unlink(c.Path())
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove the claim of container %s: %w", c.owner.ContainerID, err)
	}
	return nil
}
