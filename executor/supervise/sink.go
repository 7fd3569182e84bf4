package supervise

import (
	"bytes"
	"io"
	"strings"
	"sync"
	"sync/atomic"

	"mesos-docker-executor/executor/report"
)

// What a sink remembers for the report.
const (
	tailBytes = 4 << 10 // of the stream's end
	tailLines = 10      // of those at most
	lineBytes = 400     // of each
)

// Sink passes the container's output on and never fails: what the writer below does not take (a closed pipe of the agent's
// log rotator, a full disk) is dropped and counted, so that a reader's trouble never blocks or ends the task. It remembers the end of what
// the container said, dropped or not.
//
// One goroutine writes; any may ask for counts and lines meanwhile, also while the writer below blocks.
type Sink struct {
	below   io.Writer
	written atomic.Int64
	dropped atomic.Int64

	mu   sync.Mutex // guards tail
	tail tail
}

// NewSink returns a sink above w.
func NewSink(w io.Writer) *Sink { return &Sink{below: w} }

// Write never fails. It blocks as long as the writer below does.
func (s *Sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	s.tail.add(p) // first: if the writer below never comes back, this is what it was given
	s.mu.Unlock()
	n, _ := s.below.Write(p)
	n = min(max(n, 0), len(p))
	s.written.Add(int64(n))
	s.dropped.Add(int64(len(p) - n))
	return len(p), nil
}

// Counts returns how many bytes were written and how many were dropped so far.
func (s *Sink) Counts() (written, dropped int64) { return s.written.Load(), s.dropped.Load() }

// Last returns the last lines, oldest first: at most 10 from the last 4 KiB, each of at most 400 bytes, without what would
// act on a terminal. A line whose beginning or end was left out shows "..." there.
func (s *Sink) Last() []string {
	s.mu.Lock()
	text, cut := s.tail.bytes()
	s.mu.Unlock()
	return lastLines(text, cut)
}

// tail is a ring of the last bytes. It is made with the first of them: many tasks never write to stderr.
type tail struct {
	ring []byte
	next int   // where the next byte goes; once seen >= tailBytes the oldest is there
	seen int64 // bytes in all
}

func (t *tail) add(p []byte) {
	t.seen += int64(len(p))
	if len(p) > tailBytes {
		p = p[len(p)-tailBytes:]
	}
	if t.ring == nil && len(p) > 0 {
		t.ring = make([]byte, tailBytes)
	}
	for len(p) > 0 {
		n := copy(t.ring[t.next:], p)
		p = p[n:]
		t.next = (t.next + n) % tailBytes
	}
}

// bytes returns a copy, and whether there was more before it.
func (t *tail) bytes() (text []byte, cut bool) {
	if t.seen < tailBytes {
		return bytes.Clone(t.ring[:t.next]), false
	}
	return append(bytes.Clone(t.ring[t.next:]), t.ring[:t.next]...), t.seen > tailBytes
}

func lastLines(text []byte, cut bool) []string {
	text = bytes.TrimSuffix(text, []byte("\n"))
	if len(text) == 0 {
		return nil
	}
	lines := strings.Split(string(text), "\n")
	if more := len(lines) - tailLines; more > 0 {
		lines, cut = lines[more:], false
	}
	for i, line := range lines {
		line = strings.TrimSuffix(line, "\r") // the container has a terminal
		if cut && i == 0 {
			line = "..." + line
		}
		lines[i] = report.Clip(report.Printable(line), lineBytes)
	}
	return lines
}
