package main

import "time"

// speaker writes our lines to stderr from a goroutine of its own: when nobody reads there, lines are dropped, and whoever
// spoke is never held up.
type speaker struct {
	lines chan string
	done  chan struct{}
}

// speakerQueue is how many lines may wait for a slow reader.
const speakerQueue = 64

func newSpeaker() *speaker {
	s := &speaker{lines: make(chan string, speakerQueue), done: make(chan struct{})}
	go func() {
		defer close(s.done)
		for line := range s.lines {
			say(line)
		}
	}()
	return s
}

// say hands a line over. It never blocks.
func (s *speaker) say(line string) {
	select {
	case s.lines <- line:
	default:
	}
}

// close waits a moment for the lines that are still to be written. Nothing may be said afterwards.
func (s *speaker) close() {
	close(s.lines)
	select {
	case <-s.done:
	case <-time.After(time.Second):
	}
}
