package engine

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// copyBuffer holds two of the 32 KiB frames in which the daemon passes output on. Larger ones are not quicker.
const copyBuffer = 64 << 10

// Output is the output of a container from the moment of [Engine.Attach] on. It remembers how far it was delivered, and the last 4 KiB of
// each stream: after the daemon's restart, [Engine.Resume] goes on there.
type Output struct {
	stream *stream // nil if there is nothing to come
	tty    bool
	at     *position
	log    bool      // it is read from the container's log
	known  [2]*known // of stdout and stderr: what a log repeats before the place to go on; nil for nothing
}

// Attach connects to a container's output. Called before the container is started, it gets the first byte.
// tty must be what the container was created with: it decides about the format of the stream. ctx bounds only the
// set-up (as does the limit Attach); [Output.Close] ends the connection. A daemon buffers about 1 MiB for a reader that doesn't
// read and then blocks the container, so [Output.Copy] should run soon.
func (e *Engine) Attach(ctx context.Context, id string, tty bool) (*Output, error) {
	kind := call{name: "attach", limit: e.limits.Attach, accept: []int{http.StatusSwitchingProtocols}, stream: true}
	query := url.Values{"stream": {"1"}, "stdout": {"1"}, "stderr": {"1"}}
	upgrade := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"tcp"}}
	s, err := e.open(ctx, kind, http.MethodPost, id, "attach", query, upgrade)
	if err != nil {
		return nil, err
	}
	return &Output{stream: s, tty: tty, at: &position{last: time.Now()}}, nil
}

// Copy writes the container's output to stdout and stderr, byte for byte and in order per stream, until both end,
// and closes the connection. With a terminal everything goes to stdout. It may be called once.
//
// A writer that fails gets no more; the rest of its stream is read and dropped, because a stream that nobody
// reads blocks the container. That failure is returned at the end. The other errors: [net.ErrClosed] after [Output.Close]; a stream
// that broke inside a frame; an error that the daemon reports in the stream. A daemon that dies ends the stream like a
// container that ends, so nil doesn't prove that the container has ended.
func (o *Output) Copy(stdout, stderr io.Writer) error {
	defer o.Close()
	if o.stream == nil {
		return nil
	}
	out := &sink{to: stdout, at: o.at, of: &o.at.stdout, known: o.known[0]}
	errs := &sink{to: stderr, at: o.at, of: &o.at.stderr, known: o.known[1]}
	in := bufio.NewReaderSize(o.stream, copyBuffer)
	var err error
	if o.tty {
		err = copyRaw(in, out)
	} else {
		err = demultiplex(in, out, errs)
	}
	if err == nil && o.log {
		o.at.end()
	}
	return errors.Join(err, out.err, errs.err)
}

// Delivered returns how many bytes of each stream have been passed on since the container's start, by this output and those before it.
func (o *Output) Delivered() (stdout, stderr int64) {
	o.at.mu.Lock()
	defer o.at.mu.Unlock()
	return o.at.stdout.count, o.at.stderr.count
}

// Close ends the connection and makes Copy return. It may be called at any time, any number of times.
func (o *Output) Close() error {
	if o.stream == nil {
		return nil
	}
	if err := o.stream.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// sink is a writer that is given up after its first failure.
type sink struct {
	to  io.Writer
	err error

	at    *position // nil: nobody is interested
	of    *place    // in at
	known *known    // nil once that is passed
	whole func()    // called at the end of each frame; may be nil
}

func (s *sink) write(p []byte) {
	if s.known != nil {
		p = s.known.pass(p)
		if s.known.left > 0 || s.known.moved {
			return
		}
		s.known = nil
	}
	if len(p) == 0 {
		return
	}
	if s.at != nil {
		s.at.note(s.of, p)
	}
	if s.err == nil {
		_, s.err = s.to.Write(p)
	}
}

// moved is the error of a stream whose place was not where it had been found.
func (s *sink) moved() error {
	if s.known != nil && s.known.moved {
		return ErrLogMoved
	}
	return nil
}

// copyRaw passes on everything that is there, without waiting for more.
func copyRaw(in *bufio.Reader, out *sink) error {
	for {
		if _, err := in.Peek(1); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		pass(in, out, in.Buffered())
		if err := out.moved(); err != nil {
			return err
		}
	}
}

// The types of frames, first byte of the header (Docker Engine API, ContainerAttach, "Stream format").
const (
	frameStdin = iota // by that document a way to write to stdout
	frameStdout
	frameStderr
	frameError // an error of the daemon itself, moby's pkg/stdcopy
)

const frameHeader = 8 // type, three zero bytes, length of the frame (32 bits, big endian)

// demultiplex passes frames on to their streams until the end of input.
func demultiplex(in *bufio.Reader, stdout, stderr *sink) error {
	var said daemonWords
	sinks := [...]*sink{frameStdin: stdout, frameStdout: stdout, frameStderr: stderr, frameError: {to: &said}}
	for {
		header, err := in.Peek(frameHeader)
		switch {
		case err == io.EOF && len(header) == 0:
			return said.err()
		case err == io.EOF:
			return errors.Join(errBroken, said.err())
		case err != nil:
			return err
		}
		kind := int(header[0])
		if kind >= len(sinks) || header[1]|header[2]|header[3] != 0 {
			return fmt.Errorf("no frame header in the output but % x: does the container have a terminal?", header)
		}
		left := int(binary.BigEndian.Uint32(header[4:]))
		if _, err := in.Discard(frameHeader); err != nil {
			return err
		}
		for left > 0 {
			if _, err := in.Peek(1); err == io.EOF {
				return errors.Join(errBroken, said.err())
			} else if err != nil {
				return err
			}
			left -= pass(in, sinks[kind], min(left, in.Buffered()))
		}
		if err := sinks[kind].moved(); err != nil {
			return err
		}
		if sinks[kind].whole != nil {
			sinks[kind].whole()
		}
	}
}

var errBroken = fmt.Errorf("the container's output broke off: %w", io.ErrUnexpectedEOF)

// pass hands on the next n bytes, which must be buffered, without copying them.
func pass(in *bufio.Reader, to *sink, n int) int {
	chunk, _ := in.Peek(n)
	to.write(chunk)
	n, _ = in.Discard(len(chunk))
	return n
}

// daemonWords collects what the daemon itself says in the stream.
type daemonWords struct{ text []byte }

func (d *daemonWords) Write(p []byte) (int, error) {
	d.text = append(d.text, p[:min(len(p), maxMessage-len(d.text))]...)
	return len(p), nil
}

func (d *daemonWords) err() error {
	if len(d.text) == 0 {
		return nil
	}
	return fmt.Errorf("the daemon reports in the output: %s", d.text)
}
