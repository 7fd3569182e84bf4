package firewall

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"strconv"
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
//	listen [ADDRESS]       echoes what is sent to the address that it answers
//	datagram ADDRESS       sends one over UDP
//	enter FILE             has its sockets in another network namespace from now on
//	flood N ADDRESS        sends that many, and answers how many nanoseconds of a CPU one takes
func beProcess(in io.Reader, out io.Writer) {
	var kept net.Conn
	var held []net.Conn
	defer func() {
		for _, c := range held {
			c.Close()
		}
	}()
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
					kept, held = c, append(held, c)
				} else {
					c.Close()
				}
			}
		case "send":
			err = exchange(kept)
		case "listen":
			var l net.Listener
			if l, err = net.Listen("tcp", append(words, "127.0.0.1:0")[1]); err == nil {
				go echo(l)
				answer = l.Addr().String()
			}
		case "datagram":
			var c net.Conn
			if c, err = net.Dial("udp", words[1]); err == nil {
				_, err = c.Write([]byte("x"))
				c.Close()
			}
		case "enter":
			err = enter(words[1])
		case "flood":
			answer, err = flood(words[1], words[2])
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

// enter moves the thread that reads the lines, and on which sockets are made.
func enter(file string) error {
	runtime.LockOSThread()
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Setns(int(f.Fd()), unix.CLONE_NEWNET)
}

func flood(n, address string) (string, error) {
	count, err := strconv.Atoi(n)
	if err != nil {
		return "", err
	}
	c, err := net.Dial("udp", address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	begin, err := cpuTime()
	if err != nil {
		return "", err
	}
	for range count {
		if _, err := c.Write([]byte("x")); err != nil {
			return "", err
		}
	}
	end, err := cpuTime()
	return strconv.FormatInt((end-begin)/int64(count), 10), err
}

// cpuTime is what the process used, in nanoseconds: of the machine's other work it knows little.
func cpuTime() (int64, error) {
	var usage unix.Rusage
	err := unix.Getrusage(unix.RUSAGE_SELF, &usage)
	return usage.Utime.Nano() + usage.Stime.Nano(), err
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
