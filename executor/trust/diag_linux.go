package trust

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// What x/sys/unix has no names for (include/uapi/linux/sock_diag.h, inet_diag.h,
// include/net/tcp_states.h).
const (
	sockDiagByFamily = 20
	tcpListen        = 10
	diagRequestSize  = 56 // struct inet_diag_req_v2
	diagMessageSize  = 72 // struct inet_diag_msg
	diagSourcePort   = 8  // in the request: behind family, protocol, ext, pad and states
	diagState        = 1  // in the message
	messagePort      = 4  // in the message: struct inet_diag_sockid begins here
	messageAddress   = 8
	messageInode     = 68
)

// diagListeners asks the kernel for the sockets that listen on a port in this
// network namespace (sock_diag(7)). The answer costs nothing, whatever else the
// host has open, unlike /proc/net/tcp, where a read walks the whole table of
// connections.
func diagListeners(family uint8, port uint16) ([]listener, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("sock_diag: %w", err)
	}
	defer unix.Close(fd)
	timeout := unix.Timeval{Sec: 1} // the kernel answers within sendto
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &timeout); err != nil {
		return nil, fmt.Errorf("sock_diag: %w", err)
	}
	if err := unix.Sendto(fd, diagRequest(family, port), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, fmt.Errorf("sock_diag: %w", err)
	}
	var found []listener
	buffer := make([]byte, 32<<10)
	for {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if err != nil {
			return nil, fmt.Errorf("sock_diag: %w", err)
		}
		done, err := readDiag(buffer[:n], &found)
		if done || err != nil {
			return found, err
		}
	}
}

func diagRequest(family uint8, port uint16) []byte {
	const size = unix.SizeofNlMsghdr + diagRequestSize
	request := make([]byte, size)
	binary.NativeEndian.PutUint32(request, size)
	binary.NativeEndian.PutUint16(request[4:], sockDiagByFamily)
	binary.NativeEndian.PutUint16(request[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	body := request[unix.SizeofNlMsghdr:]
	body[0], body[1] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(body[4:], 1<<tcpListen)
	binary.BigEndian.PutUint16(body[diagSourcePort:], port)
	return request
}

// readDiag reads one datagram of the answer; done is true at the end of it.
func readDiag(data []byte, found *[]listener) (done bool, err error) {
	messages, err := syscall.ParseNetlinkMessage(data)
	if err != nil {
		return false, fmt.Errorf("sock_diag: %w", err)
	}
	for _, m := range messages {
		switch {
		case m.Header.Type == unix.NLMSG_DONE:
			return true, nil
		case m.Header.Type == unix.NLMSG_ERROR && len(m.Data) >= 4:
			return false, fmt.Errorf("sock_diag: %w", unix.Errno(-int32(binary.NativeEndian.Uint32(m.Data))))
		case m.Header.Type != sockDiagByFamily || len(m.Data) < diagMessageSize:
			return false, errors.New("sock_diag: an answer of another form")
		case m.Data[diagState] != tcpListen:
			continue
		}
		raw := m.Data[messageAddress : messageAddress+16]
		if m.Data[0] == unix.AF_INET {
			raw = raw[:4]
		}
		address, _ := netip.AddrFromSlice(raw)
		*found = append(*found, listener{
			address: netip.AddrPortFrom(address.Unmap(), binary.BigEndian.Uint16(m.Data[messagePort:])),
			inode:   uint64(binary.NativeEndian.Uint32(m.Data[messageInode:])),
		})
	}
	return false, nil
}
