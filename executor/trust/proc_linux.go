package trust

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// readListeners reads /proc/<pid>/net/tcp or tcp6 up to the end of the listening
// sockets, which come first (tcp_seq_start in net/ipv4/tcp_ipv4.c): a busy host
// has many others.
func readListeners(from io.Reader, each func(listener)) error {
	const listening = "0A" // TCP_LISTEN, include/net/tcp_states.h
	lines := bufio.NewScanner(from)
	lines.Scan() // the head
	for lines.Scan() {
		// sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 {
			return errors.New("a line has another form")
		}
		if fields[3] != listening {
			break
		}
		address, err := parseAddress(fields[1])
		if err != nil {
			return err
		}
		inode, err := strconv.ParseUint(fields[9], 10, 64)
		if err != nil {
			return err
		}
		each(listener{address, inode})
	}
	return lines.Err()
}

// parseAddress reads "0100007F:13BB": words of 32 bits in the byte order of the
// machine, as numbers, and the port.
func parseAddress(text string) (netip.AddrPort, error) {
	words, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(words)
	if err != nil || len(raw)%4 != 0 {
		return netip.AddrPort{}, fmt.Errorf("%q is no address", text)
	}
	for i := 0; i < len(raw); i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	address, ok := netip.AddrFromSlice(raw)
	number, err := strconv.ParseUint(port, 16, 16)
	if !ok || err != nil {
		return netip.AddrPort{}, fmt.Errorf("%q is no address", text)
	}
	return netip.AddrPortFrom(address.Unmap(), uint16(number)), nil
}
