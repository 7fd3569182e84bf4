package trust

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// dialLimit bounds the connection to a Unix socket, whose queue may be full.
const dialLimit = 2 * time.Second

// gatherSocket finds out who listens on a Unix socket. It looks at the ancestors
// while it holds the process that listens: so a number that is among them is
// that process's, and not one that was given to another since.
func gatherSocket(ctx context.Context, e evidence) evidence {
	peer, err := peerOf(ctx, e.target)
	if err != nil {
		e.missing = err
		return e
	}
	defer peer.close()
	e.peer = peer.pid
	if e.ancestors, e.missing = ancestors(os.Getppid()); len(e.ancestors) > 0 && e.missing == nil {
		e.missing = peer.check(e.target.Socket)
	}
	return e
}

// peer is the process that called listen(2): the kernel notes it then, and keeps
// it however the socket is passed on and whatever becomes of the process.
type peer struct {
	pid   int      // 0 if it is in a pid namespace that this process does not see
	pidfd *os.File // nil before Linux 6.5
}

func (p peer) close() {
	if p.pidfd != nil {
		p.pidfd.Close()
	}
}

var errEnded = errors.New("the process that made it has ended")

// peerOf asks on a connection that carries nothing (SO_PEERCRED and SO_PEERPIDFD,
// unix(7) and net/core/sock.c).
func peerOf(ctx context.Context, t Target) (peer, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	conn, err := t.Dial(ctx, t.Socket)
	if err != nil {
		return peer{}, err
	}
	defer conn.Close()
	plain, ok := conn.(*net.UnixConn)
	if !ok {
		return peer{}, fmt.Errorf("a connection to it is a %T", conn)
	}
	raw, err := plain.SyscallConn()
	if err != nil {
		return peer{}, err
	}
	var p peer
	var failed error
	err = raw.Control(func(fd uintptr) { p, failed = peerOfSocket(int(fd)) })
	return p, errors.Join(err, failed)
}

func peerOfSocket(fd int) (peer, error) {
	credentials, err := unix.GetsockoptUcred(fd, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil {
		return peer{}, fmt.Errorf("who listens there cannot be told: %w", err)
	}
	p := peer{pid: int(credentials.Pid)}
	pidfd, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PEERPIDFD)
	switch {
	case err == nil:
		p.pidfd = os.NewFile(uintptr(pidfd), "pidfd")
	case !errors.Is(err, unix.ENOPROTOOPT): // Linux 6.5 to 6.15 have none for a process that was reaped
		return peer{}, errEnded
	}
	return p, nil
}

// check makes sure that the number is still the number of the process: by its
// pidfd, or, without one, by its having the socket open that listens there.
func (p peer) check(socket string) error {
	switch {
	case p.pid == 0:
		return nil
	case p.pidfd == nil:
		return p.checkOpenFiles(socket)
	}
	number, err := numberOf(p.pidfd)
	switch {
	case err != nil:
		return fmt.Errorf("who listens there cannot be told: %w", err)
	case number != p.pid:
		return errEnded
	}
	return nil
}

// numberOf reads a pidfd's process: -1 once it was reaped (pidfd_open(2), "Pid"
// in /proc/<pid>/fdinfo).
func numberOf(pidfd *os.File) (int, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/self/fdinfo/%d", pidfd.Fd()))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(data)) {
		if text, ok := strings.CutPrefix(line, "Pid:"); ok {
			return strconv.Atoi(strings.TrimSpace(text))
		}
	}
	return 0, errors.New("a pidfd has no number")
}

func (p peer) checkOpenFiles(socket string) error {
	listeners, err := socketListeners(socket)
	if err != nil {
		return fmt.Errorf("the listening sockets cannot be listed: %w", err)
	}
	found, err := holders([]Process{{PID: p.pid}}, listeners)
	switch {
	case err != nil:
		return err
	case len(listeners) == 0 || len(found) < len(listeners):
		return errEnded
	}
	return nil
}

// socketListeners returns the Unix sockets of this network namespace that listen
// under the name of a file, also those whose file was replaced.
func socketListeners(path string) ([]listener, error) {
	wanted, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	file, err := os.Open("/proc/self/net/unix")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	var found []listener
	err = readUnixListeners(file, func(bound string, inode uint64) {
		if filepath.Base(bound) != filepath.Base(path) {
			return
		}
		if info, err := os.Stat(bound); err == nil && os.SameFile(info, wanted) {
			found = append(found, listener{inode: inode})
		}
	})
	return found, err
}

// readUnixListeners reads /proc/<pid>/net/unix (unix_seq_show in
// net/unix/af_unix.c).
func readUnixListeners(from io.Reader, each func(path string, inode uint64)) error {
	const listening = 1 << 16 // __SO_ACCEPTCON, include/uapi/linux/net.h
	lines := bufio.NewScanner(from)
	lines.Scan() // the head
	for lines.Scan() {
		// Num: RefCount Protocol Flags Type St Inode Path
		fields := strings.Fields(lines.Text())
		if len(fields) < 8 || !strings.HasPrefix(fields[7], "/") {
			continue
		}
		flags, err := strconv.ParseUint(fields[3], 16, 32)
		if err != nil || flags&listening == 0 {
			continue
		}
		inode, err := strconv.ParseUint(fields[6], 10, 64)
		if err != nil {
			return err
		}
		_, path, _ := strings.Cut(lines.Text(), " /")
		each("/"+path, inode)
	}
	return lines.Err()
}
