package session

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// maxAddress is the longest path in the address of a Unix socket: sun_path has 108 bytes with
// the ending NUL (unix(7)).
const maxAddress = 107

// dialLimit bounds every connection, TCP or Unix.
const dialLimit = 5 * time.Second

// DialSocket connects to a Unix socket. A path that is too long for an address is reached through
// its folder, as /proc/self/fd/<number>/<name>; Mesos' library takes the path relative to the
// working directory, which need not be shorter. The kernel's keep-alive is for TCP only, and a
// peer on the same host cannot vanish without closing.
//
// It returns when ctx ends, and after 5 s at the latest. Nothing can interrupt the kernel while it
// looks up a path on a file system that hangs: one goroutine then stays until it has, and closes
// what came of it.
func DialSocket(ctx context.Context, path string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialLimit)
	defer cancel()
	conn, err := abandonable(ctx, func() (net.Conn, error) { return dialPath(ctx, path) })
	if err != nil && ctx.Err() != nil {
		return nil, socketError(path, ctx.Err())
	}
	return conn, err
}

// abandonable returns what dial returns, or ctx's error when that ends first.
func abandonable(ctx context.Context, dial func() (net.Conn, error)) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	results := make(chan result)
	go func() {
		conn, err := dial()
		select {
		case results <- result{conn, err}:
		case <-ctx.Done():
			if conn != nil {
				conn.Close()
			}
		}
	}()
	select {
	case r := <-results:
		return r.conn, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func dialPath(ctx context.Context, path string) (net.Conn, error) {
	address := path
	if len(path) > maxAddress {
		// O_DIRECTORY: a FIFO in its place would never open.
		folder, err := os.OpenFile(filepath.Dir(path), os.O_RDONLY|syscall.O_DIRECTORY, 0)
		if err != nil {
			return nil, socketError(path, err)
		}
		defer folder.Close()
		address = fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), filepath.Base(path))
	}
	return (&net.Dialer{}).DialContext(ctx, "unix", address)
}

func socketError(path string, err error) error {
	return &net.OpError{Op: "dial", Net: "unix", Addr: &net.UnixAddr{Name: path, Net: "unix"}, Err: err}
}

func dialSocket(path string) dialer {
	return func(ctx context.Context, _, _ string) (net.Conn, error) { return DialSocket(ctx, path) }
}
