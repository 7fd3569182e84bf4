package report

import (
	"strings"
	"time"
)

// Bounds of a [Recorder]: the beginning of a life says most about its end, and the last events say the rest.
const (
	keepFirst = 128
	keepLast  = 384
	keepText  = 1 << 10 // bytes of an event's text
)

// Recorder keeps the first and the last events of a life, in memory that is bounded and grows only with them: an executor
// idles for months. Its zero value is ready. One goroutine uses it, the one that owns the task; it has no lock.
type Recorder struct {
	first   []Event
	last    []Event // once full, a ring whose oldest is at next
	next    int
	dropped int
}

// Add records an event. Its text is copied and cut to 1 KiB.
func (r *Recorder) Add(at time.Time, kind string, severity Severity, text string) {
	e := Event{At: at, Kind: kind, Text: strings.Clone(Clip(text, keepText)), Severity: severity}
	switch {
	case len(r.first) < keepFirst:
		r.first = append(r.first, e)
	case len(r.last) < keepLast:
		r.last = append(r.last, e)
	default:
		r.last[r.next] = e
		r.next = (r.next + 1) % keepLast
		r.dropped++
	}
}

// Events returns a copy of what was kept, oldest first, and how many events between the first and the last ones were not.
func (r *Recorder) Events() (events []Event, dropped int) {
	events = make([]Event, 0, len(r.first)+len(r.last))
	events = append(events, r.first...)
	events = append(events, r.last[r.next:]...)
	events = append(events, r.last[:r.next]...)
	return events, r.dropped
}
