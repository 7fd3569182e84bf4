package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"time"
)

// followEvery is how often the executor's output is looked at; maxLine is where a line without an end is cut.
const (
	followEvery = 20 * time.Millisecond
	maxLine     = 64 << 10
)

// logLine is a line of the executor's output. source is "stdout" or "stderr" for the task's own and "executor" for the
// executor's lines on stderr.
type logLine struct {
	at     time.Time
	source string
	text   string
}

// follow reads a file to which the executor appends and passes its lines on, to the end of what is there when ended is
// closed. An unfinished last line counts. A file that cannot be read is told of as a line.
func follow(path, source string, ended <-chan struct{}, to chan<- logLine) {
	file, err := os.Open(path)
	if err != nil {
		to <- logLine{time.Now(), "executor", "cannot read its output: " + err.Error()}
		return
	}
	defer file.Close()
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	lines := splitter{source: source, to: to}
	for last := false; ; {
		if _, err := io.Copy(&lines, file); err != nil {
			to <- logLine{time.Now(), "executor", "cannot read its output: " + err.Error()}
			return
		}
		if last {
			lines.flush()
			return
		}
		select {
		case <-ended:
			last = true
		case <-tick.C:
		}
	}
}

// splitter is a writer that cuts what it gets into lines.
type splitter struct {
	source string
	to     chan<- logLine
	rest   []byte // an unfinished line
}

func (s *splitter) Write(p []byte) (int, error) {
	s.rest = append(s.rest, p...)
	for {
		end := bytes.IndexByte(s.rest, '\n')
		if end < 0 && len(s.rest) < maxLine {
			return len(p), nil
		}
		if end < 0 || end > maxLine {
			s.pass(s.rest[:maxLine])
			s.rest = s.rest[maxLine:]
			continue
		}
		s.pass(s.rest[:end])
		s.rest = s.rest[end+1:]
	}
}

func (s *splitter) flush() {
	if len(s.rest) > 0 {
		s.pass(s.rest)
	}
}

// pass tells the executor's own lines by their prefix.
func (s *splitter) pass(line []byte) {
	l := logLine{time.Now(), s.source, strings.TrimSuffix(string(line), "\r")}
	if s.source == "stderr" {
		if text, ok := strings.CutPrefix(l.text, linePrefix); ok {
			l.source, l.text = "executor", text
		}
	}
	s.to <- l
}
