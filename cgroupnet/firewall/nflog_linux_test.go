package firewall

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"golang.org/x/sys/unix"
)

// Of linux/netfilter/nfnetlink_log.h.
const (
	msgConfig     = 1
	attrCommand   = 1
	attrMode      = 2
	attrThreshold = 5
	commandBind   = 1
	copyPacket    = 2
)

// nflog listens to a netlink group of the namespace.
func nflog(t *testing.T, group uint16) (next func() []byte) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_NETFILTER)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		t.Fatal(err)
	}
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: int64(hangs.Seconds())}); err != nil {
		t.Fatal(err)
	}
	buffer := make([]byte, 1<<16)
	next = func() []byte {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		for errors.Is(err, unix.EINTR) {
			n, _, err = unix.Recvfrom(fd, buffer, 0)
		}
		if err != nil {
			t.Fatalf("netlink: %v", err)
		}
		return buffer[:n]
	}
	for _, attr := range [][]byte{attribute(attrCommand, commandBind), attribute(attrMode, 0, 0, 0, 0, copyPacket, 0), attribute(attrThreshold, 0, 0, 0, 1)} {
		msg := binary.NativeEndian.AppendUint32(nil, uint32(unix.SizeofNlMsghdr+4+len(attr)))
		msg = binary.NativeEndian.AppendUint16(msg, unix.NFNL_SUBSYS_ULOG<<8|msgConfig)
		msg = binary.NativeEndian.AppendUint16(msg, unix.NLM_F_REQUEST|unix.NLM_F_ACK)
		msg = append(msg, make([]byte, 8)...) // sequence number, port
		msg = append(msg, unix.AF_UNSPEC, 0)  // family, version
		msg = binary.BigEndian.AppendUint16(msg, group)
		msg = append(msg, attr...)
		if err := unix.Sendto(fd, msg, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
			t.Fatal(err)
		}
		if answer := next(); binary.NativeEndian.Uint16(answer[4:]) != unix.NLMSG_ERROR || binary.NativeEndian.Uint32(answer[16:]) != 0 {
			t.Fatalf("netlink refuses: %x", answer)
		}
	}
	return next
}

// attribute is a netlink attribute, padded to four bytes.
func attribute(kind uint16, value ...byte) []byte {
	a := binary.NativeEndian.AppendUint16(nil, uint16(4+len(value)))
	a = binary.NativeEndian.AppendUint16(a, kind)
	a = append(a, value...)
	return append(a, make([]byte, (4-len(a)%4)%4)...)
}

// TestNFLogNamesTheClass: a listener gets the packet that opens a connection, and no other, with whose it is.
func TestNFLogNamesTheClass(t *testing.T) {
	for _, f := range []Format{NFT, IPTables} {
		t.Run(string(f), func(t *testing.T) {
			ownNetwork(t)
			port := server(t)
			r := counting()
			r.Count, r.NFLog, r.Group = false, true, 7
			load(t, printed(t, r, f))
			next := nflog(t, 7)
			for _, id := range []uint32{webFront, dataKafka, webFront} {
				if answer := inClass(t, id).ask("dial tcp 127.0.0.1:%s", port); answer != "ok" {
					t.Fatal(answer)
				}
				if got := next(); bytes.Count(got, []byte("class=")) != 1 || !bytes.Contains(got, []byte(prefix(id))) {
					t.Errorf("%s: %q", hex(id), got)
				}
			}
		})
	}
}
