package localagent

import (
	"context"
	"fmt"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// Kind says what an [Entry] records.
type Kind string

const (
	Call      Kind = "call"      // the executor called; Name is the call's type, Code the answer
	Event     Kind = "event"     // the agent put an event on the stream
	Status    Kind = "status"    // a framework would have been told; Status is set
	Process   Kind = "process"   // the executor's process began or ended
	Note      Kind = "agent"     // the agent did something: went down, recovered, destroyed
	Violation Kind = "violation" // the executor broke the protocol
)

// Entry is one thing that happened.
type Entry struct {
	At        time.Time
	Kind      Kind
	Name      string
	Code      int               // HTTP status code of the answer, 0 when there was none
	Text      string            // details for a reader
	Status    *mesos.TaskStatus // of a Status entry
	Duplicate bool              // an update, or an ACKNOWLEDGED, that was there before
}

// String is one line without the time.
func (e Entry) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", e.Kind, e.Name)
	if e.Code != 0 {
		fmt.Fprintf(&b, " -> %d", e.Code)
	}
	if e.Duplicate {
		b.WriteString(" (again)")
	}
	if e.Text != "" {
		b.WriteString(": " + e.Text)
	}
	return b.String()
}

// record appends to the timeline and wakes who waits. a.mu is held.
func (a *Agent) record(e Entry) {
	e.At = time.Now()
	a.entries = append(a.entries, e)
	a.wake()
}

// wake tells everyone who waits that the run changed. a.mu is held.
func (a *Agent) wake() {
	close(a.changed)
	a.changed = make(chan struct{})
}

// violate records a breach of the protocol. a.mu is held.
func (a *Agent) violate(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	a.violations = append(a.violations, text)
	a.record(Entry{Kind: Violation, Name: "protocol", Text: text})
}

// Timeline returns everything so far, in order.
func (a *Agent) Timeline() []Entry {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]Entry(nil), a.entries...)
}

// Violations returns the executor's breaches of the protocol so far.
func (a *Agent) Violations() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append([]string(nil), a.violations...)
}

// Statuses returns what a framework was told, in order and each update once:
// the executor's updates, and those that the agent makes for an executor that
// can't (their source is SOURCE_AGENT).
func (a *Agent) Statuses() []mesos.TaskStatus {
	a.mu.Lock()
	defer a.mu.Unlock()
	var statuses []mesos.TaskStatus
	for _, e := range a.entries {
		if e.Kind == Status && !e.Duplicate {
			statuses = append(statuses, *e.Status)
		}
	}
	return statuses
}

// Count returns how many entries of a kind and name there are.
func (a *Agent) Count(kind Kind, name string) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.count(kind, name)
}

func (a *Agent) count(kind Kind, name string) int {
	n := 0
	for _, e := range a.entries {
		if e.Kind == kind && e.Name == name {
			n++
		}
	}
	return n
}

// Next waits until the timeline has more than seen entries and returns those
// behind. It is the way to follow a run live.
func (a *Agent) Next(ctx context.Context, seen int) ([]Entry, error) {
	var more []Entry
	err := a.await(ctx, "more entries", func() bool {
		if seen < len(a.entries) {
			more = append(more, a.entries[seen:]...)
		}
		return more != nil
	})
	return more, err
}

// WaitState waits for the first status of the given state.
func (a *Agent) WaitState(ctx context.Context, state mesos.TaskState) (mesos.TaskStatus, error) {
	return a.waitStatus(ctx, state.String(), func(s mesos.TaskState) bool { return s == state })
}

// WaitTerminal waits for the terminal status, the executor's or the agent's.
func (a *Agent) WaitTerminal(ctx context.Context) (mesos.TaskStatus, error) {
	return a.waitStatus(ctx, "a terminal status", terminal)
}

func (a *Agent) waitStatus(ctx context.Context, what string, match func(mesos.TaskState) bool) (mesos.TaskStatus, error) {
	var found mesos.TaskStatus
	err := a.await(ctx, what, func() bool {
		for _, e := range a.entries {
			if e.Kind == Status && match(e.Status.GetState()) {
				found = *e.Status
				return true
			}
		}
		return false
	})
	return found, err
}

// await blocks until done, which runs with the mutex held, is true. An ended
// context is an error that shows the end of the timeline.
func (a *Agent) await(ctx context.Context, what string, done func() bool) error {
	for {
		a.mu.Lock()
		if done() {
			a.mu.Unlock()
			return nil
		}
		changed := a.changed
		a.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waited for %s: %w; the timeline ends with:\n%s", what, context.Cause(ctx), a.tail(15))
		}
	}
}

// tail is the end of the timeline as text.
func (a *Agent) tail(n int) string {
	entries := a.Timeline()
	entries = entries[max(0, len(entries)-n):]
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "  %s %s\n", e.At.Format("15:04:05.000"), e)
	}
	return b.String()
}

// terminal tells whether a task in this state has ended for good.
func terminal(s mesos.TaskState) bool {
	switch s {
	case mesos.TASK_FINISHED, mesos.TASK_FAILED, mesos.TASK_KILLED, mesos.TASK_ERROR,
		mesos.TASK_LOST, mesos.TASK_DROPPED, mesos.TASK_GONE, mesos.TASK_GONE_BY_OPERATOR:
		return true
	}
	return false
}
