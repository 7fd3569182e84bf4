package firewall

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// processEnv makes this binary a process that does what its stdin says.
const processEnv = "FIREWALL_TEST_PROCESS"

// beProcess answers each line, until there are no more:
//
//	dial NETWORK ADDRESS   opens a connection, has its bytes echoed, and closes it
//	try NETWORK ADDRESS    the same, if it opens soon
//	hold NETWORK ADDRESS   the same, and keeps it open
//	send                   has bytes echoed on the connection that is kept
//	listen                 echoes what is sent to the address that it answers
//	datagram ADDRESS       sends one over UDP
func beProcess(in io.Reader, out io.Writer) {
	var kept net.Conn
	for lines := bufio.NewScanner(in); lines.Scan(); {
		words := strings.Fields(lines.Text())
		var err error
		answer := "ok"
		switch words[0] {
		case "dial", "try", "hold":
			var c net.Conn
			limit := hangs
			if words[0] == "try" {
				limit = dropped
			}
			if c, err = dialed(words[1], words[2], limit); err == nil {
				if words[0] == "hold" {
					kept = c
				} else {
					c.Close()
				}
			}
		case "send":
			err = exchange(kept)
		case "listen":
			var l net.Listener
			if l, err = net.Listen("tcp", "127.0.0.1:0"); err == nil {
				go echo(l)
				answer = l.Addr().String()
			}
		case "datagram":
			var c net.Conn
			if c, err = net.Dial("udp", words[1]); err == nil {
				_, err = c.Write([]byte("x"))
				c.Close()
			}
		}
		var timeout net.Error
		switch {
		case errors.Is(err, unix.ECONNREFUSED):
			answer = "refused"
		case errors.Is(err, unix.EPERM):
			answer = "not permitted"
		case errors.As(err, &timeout) && timeout.Timeout():
			answer = "no answer"
		case err != nil:
			answer = err.Error()
		}
		fmt.Fprintln(out, answer)
	}
}

// dropped is how long a connection is tried that a rule may drop.
const dropped = 300 * time.Millisecond

func dialed(network, address string, limit time.Duration) (net.Conn, error) {
	c, err := net.DialTimeout(network, address, limit)
	if err != nil {
		return nil, err
	}
	if err := exchange(c); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func exchange(c net.Conn) error {
	if err := c.SetDeadline(time.Now().Add(hangs)); err != nil {
		return err
	}
	if _, err := c.Write([]byte("x")); err != nil {
		return err
	}
	_, err := io.ReadFull(c, make([]byte, 1))
	return err
}

// echo serves until the listener is closed.
func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(c, c)
			c.Close()
		}()
	}
}
