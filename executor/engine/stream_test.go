package engine

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"
	"time"
)

const upgraded = "HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n"

// frame is a piece of a stream without terminal.
func frame(kind byte, text string) string {
	header := []byte{kind, 0, 0, 0, 0, 0, 0, 0}
	binary.BigEndian.PutUint32(header[4:], uint32(len(text)))
	return string(header) + text
}

func TestDemultiplex(t *testing.T) {
	big := strings.Repeat("0123456789abcdef", copyBuffer/8) // twice the buffer
	for _, tc := range []struct {
		name, in, out, err string
		fails              string
	}{
		{name: "nothing"},
		{name: "both", in: frame(1, "a\n") + frame(2, "E") + frame(1, "b"), out: "a\nb", err: "E"},
		{name: "empty frames", in: frame(1, "") + frame(2, "") + frame(1, "x"), out: "x"},
		{name: "stdin type", in: frame(0, "in"), out: "in"},
		{name: "large", in: frame(1, big) + frame(2, big), out: big, err: big},
		{name: "looks like a header", in: frame(1, frame(2, "no")), out: frame(2, "no")},
		{name: "daemon's error", in: frame(1, "a") + frame(3, "it ") + frame(3, "broke") + frame(1, "b"), out: "ab", fails: "it broke"},
		{name: "long daemon's error", in: frame(3, big) + frame(1, "b"), out: "b", fails: "0123456789abcdef"},
		{name: "cut in a header", in: frame(1, "a") + "\x01\x00", out: "a", fails: "broke off"},
		{name: "cut in a frame", in: frame(1, "abc")[:10], out: "ab", fails: "broke off"},
		{name: "cut after a header", in: frame(1, "abc")[:8], fails: "broke off"},
		{name: "no header", in: "hello, world", fails: "terminal"},
		{name: "unknown type", in: frame(4, "x"), fails: "terminal"},
	} {
		for mode, in := range map[string]io.Reader{
			"whole": strings.NewReader(tc.in), "byte by byte": iotest.OneByteReader(strings.NewReader(tc.in)), "end with data": iotest.DataErrReader(strings.NewReader(tc.in)),
		} {
			t.Run(tc.name+"/"+mode, func(t *testing.T) {
				var out, errs bytes.Buffer
				err := demultiplex(bufio.NewReaderSize(in, copyBuffer), &sink{to: &out}, &sink{to: &errs})
				if out.String() != tc.out || errs.String() != tc.err {
					t.Errorf("%d and %d bytes came through, want %d and %d, equal", out.Len(), errs.Len(), len(tc.out), len(tc.err))
				}
				if (err == nil) != (tc.fails == "") || err != nil && !strings.Contains(err.Error(), tc.fails) {
					t.Errorf("error %v, want %q", err, tc.fails)
				}
			})
		}
	}
}

// framesOf takes a whole stream apart: what belongs to stdout and stderr, and whether all of it is good and
// the daemon reports nothing.
func framesOf(in []byte) (out, errs []byte, good bool) {
	good = true
	for len(in) > 0 {
		if len(in) < 8 || in[0] > 3 || !bytes.Equal(in[1:4], make([]byte, 3)) {
			return out, errs, false
		}
		kind, length, rest := in[0], uint64(binary.BigEndian.Uint32(in[4:8])), in[8:]
		good = good && length <= uint64(len(rest)) && (kind != 3 || length == 0)
		frame := rest[:min(length, uint64(len(rest)))]
		in = rest[len(frame):]
		switch kind {
		case 0, 1:
			out = append(out, frame...)
		case 2:
			errs = append(errs, frame...)
		}
	}
	return out, errs, good
}

func FuzzDemultiplex(f *testing.F) {
	f.Add([]byte(frame(1, "a") + frame(2, "b")))
	f.Add([]byte(frame(0, strings.Repeat("x", 40)) + frame(2, "")))
	f.Add([]byte(frame(3, "x")[:9]))
	f.Add([]byte(frame(1, "x") + "hello, world"))
	f.Fuzz(func(t *testing.T, in []byte) {
		var out, errs bytes.Buffer
		err := demultiplex(bufio.NewReaderSize(bytes.NewReader(in), 16), &sink{to: &out}, &sink{to: &errs})
		wantOut, wantErrs, good := framesOf(in)
		if !bytes.Equal(out.Bytes(), wantOut) || !bytes.Equal(errs.Bytes(), wantErrs) {
			t.Errorf("stdout %q and stderr %q, want %q and %q", out.Bytes(), errs.Bytes(), wantOut, wantErrs)
		}
		if (err == nil) != good {
			t.Errorf("error %v of a stream that is good: %v", err, good)
		}
	})
}

// brokenWriter fails after some writes.
type brokenWriter struct {
	left int
	got  bytes.Buffer
}

var errFull = errors.New("disk full")

func (b *brokenWriter) Write(p []byte) (int, error) {
	if b.left--; b.left < 0 {
		return 0, errFull
	}
	return b.got.Write(p)
}

func TestCopyDrainsTheStreamOfABrokenWriter(t *testing.T) {
	text := upgraded + frame(1, "a") + strings.Repeat(frame(1, strings.Repeat("x", 1000))+frame(2, "e"), 1000)
	f := startFake(t, say(text))
	o, err := openFake(t, f, fakeLimits(10*time.Second)).Attach(t.Context(), someID, false)
	if err != nil {
		t.Fatal(err)
	}
	out, errs := &brokenWriter{left: 1}, &bytes.Buffer{}
	if err := o.Copy(out, errs); !errors.Is(err, errFull) {
		t.Errorf("error %v", err)
	}
	if out.got.String() != "a" || errs.Len() != 1000 {
		t.Errorf("stdout %q, stderr %d bytes, want 1000", out.got.String(), errs.Len())
	}
}

func TestTerminalOutputIsPassedOnAsItIs(t *testing.T) {
	raw := "\x01\x00\x00\x00\x00\x00\x00\x02not a frame\r\n" + strings.Repeat("y\r\n", copyBuffer)
	f := startFake(t, say(upgraded+raw))
	o, err := openFake(t, f, fakeLimits(10*time.Second)).Attach(t.Context(), someID, true)
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if err := o.Copy(&out, &errs); err != nil || out.String() != raw || errs.Len() != 0 {
		t.Errorf("%d of %d bytes, stderr %q, error %v", out.Len(), len(raw), errs.String(), err)
	}
}

func TestCloseEndsCopy(t *testing.T) {
	checkGoroutines(t)
	for _, tty := range []bool{false, true} {
		f := startFake(t, sayAndHang(upgraded+frame(1, "first")))
		o, err := openFake(t, f, fakeLimits(time.Minute)).Attach(t.Context(), someID, tty)
		if err != nil {
			t.Fatal(err)
		}
		first, copied := make(chan struct{}, 1), make(chan error, 1)
		go func() { copied <- o.Copy(writerFunc(func() { first <- struct{}{} }), io.Discard) }()
		<-first
		for range 2 {
			if err := o.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := <-copied; !errors.Is(err, net.ErrClosed) {
			t.Errorf("tty %v: Copy returned %v", tty, err)
		}
	}
}

type writerFunc func()

func (w writerFunc) Write(p []byte) (int, error) { w(); return len(p), nil }

func TestAttachOutlivesTheContextOfItsSetUp(t *testing.T) {
	release := make(chan struct{})
	f := startFake(t, func(f *fakeDaemon, conn net.Conn) {
		if f.readRequest(conn) != nil {
			io.WriteString(conn, upgraded) //nolint:errcheck // the client may be gone
			<-release
			io.WriteString(conn, frame(1, "late")) //nolint:errcheck // the client may be gone
		}
	})
	ctx, cancel := context.WithCancel(t.Context())
	o, err := openFake(t, f, fakeLimits(time.Minute)).Attach(ctx, someID, false)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	close(release)
	var out bytes.Buffer
	if err := o.Copy(&out, io.Discard); err != nil || out.String() != "late" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

func TestExitCode(t *testing.T) {
	for answer, want := range map[string]int{
		`{"StatusCode":0}`:                          0,
		`{"Error":null,"StatusCode":7}` + "\n":      7,
		`{"Error":{"Message":""},"StatusCode":255}`: 255,
		`{}`:                               -1,
		`null`:                             -1,
		``:                                 -1,
		`[]`:                               -1,
		`{"StatusCode":null}`:              -1,
		`{"StatusCode":"0"}`:               -1,
		`{"StatusCode":0.5}`:               -1,
		`{"StatusCode":-1}`:                -1,
		`{"StatusCode":256}`:               -1,
		`{"StatusCode":0`:                  -1,
		`{"StatusCode":0}{"StatusCode":1}`: -1,
		`{"StatusCode":0}502 Bad Gateway`:  -1,
		`{"Error":{"Message":"lost"},"StatusCode":0}`: -1,
		`{"message":"No such container"}`:             -1,
		`upstream connect error or disconnect/reset`:  -1,
	} {
		got, err := exitCode([]byte(answer))
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("%s: %d, %v", answer, got, err)
		}
	}
}

func TestExitIsBelievedOnlyFromAWholeAnswer(t *testing.T) {
	for _, tc := range []struct {
		name  string
		serve behaviour
		code  int
		ok    bool
	}{
		{"whole", say(chunked(`{"Error":null,"StatusCode":3}`, true)), 3, true},
		{"connection cut behind the status", say(chunked(`{"Error":null,"StatusCode":0}`, false)), 0, false},
		{"connection cut before the status", say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), 0, false},
		{"empty", say(chunked("{}", true)), 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			checkGoroutines(t)
			f := startFake(t, tc.serve)
			x, err := openFake(t, f, fakeLimits(10*time.Second)).NextExit(t.Context(), someID)
			if err != nil {
				t.Fatal(err)
			}
			defer x.Close()
			code, err := x.Wait(t.Context())
			if code != tc.code || (err == nil) != tc.ok {
				t.Errorf("code %d, error %v", code, err)
			}
		})
	}
}

func TestWaitEndsWithItsContextAndGoesOnWithAnother(t *testing.T) {
	checkGoroutines(t)
	release := make(chan struct{})
	f := startFake(t, func(f *fakeDaemon, conn net.Conn) {
		if f.readRequest(conn) != nil {
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n") //nolint:errcheck // the client may be gone
			<-release
			io.WriteString(conn, `{"StatusCode":7}`) //nolint:errcheck // the client may be gone
		}
	})
	setUp, done := context.WithCancel(t.Context())
	x, err := openFake(t, f, fakeLimits(time.Minute)).NextExit(setUp, someID)
	if err != nil {
		t.Fatal(err)
	}
	done() // bounds only the set-up
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := x.Wait(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	close(release)
	if code, err := x.Wait(t.Context()); code != 7 || err != nil {
		t.Errorf("code %d, error %v", code, err)
	}
	x.Close()
	x.Close()
}

func TestCloseEndsAWait(t *testing.T) {
	checkGoroutines(t)
	f := startFake(t, sayAndHang("HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n"))
	x, err := openFake(t, f, fakeLimits(time.Minute)).NextExit(t.Context(), someID)
	if err != nil {
		t.Fatal(err)
	}
	x.Close()
	if code, err := x.Wait(t.Context()); err == nil {
		t.Errorf("a wait that was closed says %d", code)
	}
}

func TestStreamsUseTheAgreedVersion(t *testing.T) {
	f := startFake(t, say(jsonAnswer(404, `{"message":"No such container"}`)))
	e := openFake(t, f, fakeLimits(10*time.Second))
	if _, err := e.Attach(t.Context(), "web", false); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if got, want := f.requests()[2], http.MethodPost+" /v1.41/containers/web/attach"; got != want {
		t.Errorf("request %s, want %s", got, want)
	}
}
