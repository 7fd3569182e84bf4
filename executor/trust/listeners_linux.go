package trust

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// listenersAt returns the listening sockets of this network namespace that a
// connection to an address may reach. Where the kernel has no sock_diag
// (CONFIG_INET_DIAG), it reads /proc.
func listenersAt(target netip.AddrPort) ([]listener, error) {
	var all []listener
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		found, err := diagListeners(family, target.Port())
		if err != nil {
			if all, err = procListeners(); err != nil {
				return nil, fmt.Errorf("the listening sockets cannot be listed: %w", err)
			}
			break
		}
		all = append(all, found...)
	}
	var reached []listener
	for _, l := range all {
		if l.reaches(target) {
			reached = append(reached, l)
		}
	}
	return reached, nil
}

// procListeners returns all listening sockets.
func procListeners() ([]listener, error) {
	var all []listener
	for _, name := range []string{"tcp", "tcp6"} {
		file, err := os.Open("/proc/self/net/" + name)
		if errors.Is(err, os.ErrNotExist) && name == "tcp6" {
			continue // no IPv6
		}
		if err != nil {
			return nil, err
		}
		err = readListeners(file, func(l listener) { all = append(all, l) })
		file.Close()
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}
