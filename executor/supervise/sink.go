package supervise

import (
	"io"
	"sync/atomic"
)

// Sink passes the container's output on and never fails: what the writer below does not take (a closed pipe of the agent's
// log rotator, a full disk) is dropped and counted, so that a reader's trouble never blocks or ends the task.
type Sink struct {
	below   io.Writer
	written atomic.Int64
	dropped atomic.Int64
}

// NewSink returns a sink above w.
func NewSink(w io.Writer) *Sink { return &Sink{below: w} }

// Write never fails. It blocks as long as the writer below does.
func (s *Sink) Write(p []byte) (int, error) {
	n, _ := s.below.Write(p)
	n = min(max(n, 0), len(p))
	s.written.Add(int64(n))
	s.dropped.Add(int64(len(p) - n))
	return len(p), nil
}

// Counts returns how many bytes were written and how many were dropped so far.
func (s *Sink) Counts() (written, dropped int64) { return s.written.Load(), s.dropped.Load() }
