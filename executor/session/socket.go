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

// DialSocket connects to a Unix socket. A path that is too long for an address is reached through
// its folder, as /proc/self/fd/<number>/<name>; Mesos' library takes the path relative to the
// working directory, which need not be shorter. The kernel's keep-alive is for TCP only, and a
// peer on the same host cannot vanish without closing.
func DialSocket(ctx context.Context, path string) (net.Conn, error) {
	address := path
	if len(path) > maxAddress {
		// O_DIRECTORY: a FIFO in its place would never open.
		folder, err := os.OpenFile(filepath.Dir(path), os.O_RDONLY|syscall.O_DIRECTORY, 0)
		if err != nil {
			return nil, &net.OpError{Op: "dial", Net: "unix", Addr: &net.UnixAddr{Name: path, Net: "unix"}, Err: err}
		}
		defer folder.Close()
		address = fmt.Sprintf("/proc/self/fd/%d/%s", folder.Fd(), filepath.Base(path))
	}
	return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "unix", address)
}

func dialSocket(path string) dialer {
	return func(ctx context.Context, _, _ string) (net.Conn, error) { return DialSocket(ctx, path) }
}
