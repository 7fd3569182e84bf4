package main

import (
	"bytes"
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

const (
	logQueue = 1024        // lines that may wait for a slow disk
	logWait  = time.Second // for the rest of them at the end
)

// logWriter passes lines on from a goroutine of its own. The log lies in the sandbox, whose disk may hang: whoever writes a line must
// be able to kill a task all the same. When the queue is full lines are dropped, and their number is written in their place.
type logWriter struct {
	below   io.Writer
	lines   chan []byte
	dropped atomic.Int64
	quit    chan struct{}
	done    chan struct{}
}

func newLogWriter(below io.Writer) *logWriter {
	w := &logWriter{below: below, lines: make(chan []byte, logQueue), quit: make(chan struct{}), done: make(chan struct{})}
	go w.run()
	return w
}

// Write takes one whole line. It neither blocks nor fails, also after close, when nothing is written any more.
func (w *logWriter) Write(line []byte) (int, error) {
	select {
	case w.lines <- bytes.Clone(line):
	default:
		w.dropped.Add(1)
	}
	return len(line), nil
}

func (w *logWriter) run() {
	defer close(w.done)
	for {
		select {
		case line := <-w.lines:
			w.pass(line)
		case <-w.quit:
			for len(w.lines) > 0 {
				w.pass(<-w.lines)
			}
			return
		}
	}
}

func (w *logWriter) pass(line []byte) {
	if n := w.dropped.Swap(0); n > 0 {
		fmt.Fprintf(w.below, "level=WARN msg=\"lines were dropped, the disk is too slow\" lines=%d\n", n)
	}
	_, _ = w.below.Write(line) // a full disk loses lines and nothing else
}

// close waits a moment for the lines that are still to be written, and reports whether they are.
func (w *logWriter) close() bool {
	close(w.quit)
	select {
	case <-w.done:
		return true
	case <-time.After(logWait):
		return false
	}
}
