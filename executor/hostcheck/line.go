package hostcheck

import (
	"encoding/json"
	"fmt"
)

// Status is what a line says of the host. The zero value is [OK].
type Status uint8

// The statuses, from the best on.
const (
	OK   Status = iota
	Warn        // tasks run, and something is worth doing
	Fail        // tasks will fail, all of them or those of one kind
)

func (s Status) String() string {
	switch s {
	case OK:
		return "ok"
	case Warn:
		return "warn"
	case Fail:
		return "fail"
	}
	return fmt.Sprintf("status %d", uint8(s))
}

// MarshalJSON writes it as its word.
func (s Status) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }

// Line is one thing that was checked.
type Line struct {
	Subject string `json:"subject"` // "engine": what lines are grouped by
	Name    string `json:"name"`    // "live-restore"
	Status  Status `json:"status"`
	Text    string `json:"text"`             // what was found, with figures
	Remedy  string `json:"remedy,omitempty"` // what to do; empty if all is well
	SHA256  string `json:"sha256,omitempty"` // of the file that it is about, in whole
}

// Lines are those of a host, in the order in which they are shown.
type Lines []Line

// Worst is the gravest status, [OK] of no lines.
func (l Lines) Worst() Status {
	worst := OK
	for _, line := range l {
		worst = max(worst, line.Status)
	}
	return worst
}

// Count is how many have the status.
func (l Lines) Count(s Status) int {
	n := 0
	for _, line := range l {
		if line.Status == s {
			n++
		}
	}
	return n
}

// lines gathers those of a subject.
type lines struct {
	subject string
	all     Lines
}

func (l *lines) ok(name, text string) { l.add(OK, name, text, "") }

func (l *lines) warn(name, text, remedy string) { l.add(Warn, name, text, remedy) }

func (l *lines) fail(name, text, remedy string) { l.add(Fail, name, text, remedy) }

func (l *lines) add(s Status, name, text, remedy string) {
	l.all = append(l.all, Line{Subject: l.subject, Name: name, Status: s, Text: text, Remedy: remedy})
}

// Unanswered is the line of a look-up that is not over yet.
func Unanswered(subject string, waited fmt.Stringer) Lines {
	l := lines{subject: subject}
	l.fail("look-up", fmt.Sprintf("not finished within %s: something of the host hangs", waited),
		"look for processes in state D (ps -eo pid,stat,wchan,comm), and at the kernel's log")
	return l.all
}
