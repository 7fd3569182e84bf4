//go:build acceptance

package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// update is one status as it reached the framework.
type update struct {
	at     time.Duration // since ACCEPT
	status mesos.TaskStatus
}

// transcript is everything the framework learned of one task, in order, without repetitions of the same update.
type transcript struct {
	taskID   string
	began    time.Time // when it was offered to the master
	ports    []uint32  // host ports it was given
	updates  []update
	killedAt time.Duration // when KILL was first taken by the master, since ACCEPT; 0 = never
	broke    string        // why watching stopped before a terminal update; empty = it did not
}

// add appends a status unless it was seen before: the agent repeats an update until its acknowledgement arrives.
func (t *transcript) add(u update) {
	for _, seen := range t.updates {
		if len(u.status.UUID) > 0 && string(seen.status.UUID) == string(u.status.UUID) {
			return
		}
	}
	t.updates = append(t.updates, u)
}

// last is the newest status, nil when there was none.
func (t *transcript) last() *mesos.TaskStatus {
	if len(t.updates) == 0 {
		return nil
	}
	return &t.updates[len(t.updates)-1].status
}

// first is the first update of a state, nil when it never came.
func (t *transcript) first(state mesos.TaskState) *update {
	i := slices.IndexFunc(t.updates, func(u update) bool { return u.status.GetState() == state })
	if i < 0 {
		return nil
	}
	return &t.updates[i]
}

func (t *transcript) over() bool {
	s := t.last()
	return s != nil && isTerminal(s.GetState())
}

// containerID is the Mesos container's id, empty while no update named it.
func (t *transcript) containerID() string {
	for _, u := range t.updates {
		if id := u.status.GetContainerStatus().GetContainerID().GetValue(); id != "" {
			return id
		}
	}
	return ""
}

func isTerminal(state mesos.TaskState) bool {
	switch state {
	case mesos.TASK_STAGING, mesos.TASK_STARTING, mesos.TASK_RUNNING, mesos.TASK_KILLING, mesos.TASK_UNREACHABLE:
		return false
	}
	return true
}

// String lists the states with the seconds at which they came: "STARTING 0.14s RUNNING 0.84s FINISHED 2.9s".
func (t *transcript) String() string {
	var words []string
	for _, u := range t.updates {
		words = append(words, fmt.Sprintf("%s %.2fs", strings.TrimPrefix(u.status.GetState().String(), "TASK_"), u.at.Seconds()))
	}
	if len(words) == 0 {
		return "no update"
	}
	return strings.Join(words, " ")
}

// expectation is what a task's transcript must show.
type expectation struct {
	states        []mesos.TaskState        // all of them, in order; repetitions of a state count once
	reason        *mesos.TaskStatus_Reason // of the last update; nil = not looked at
	says          []string                 // in the last update's message
	startingSays  []string                 // in TASK_STARTING's message
	running       []runningRule            // about the first TASK_RUNNING
	endsAfterKill time.Duration            // from KILL to the terminal update, at most; 0 = not looked at
}

// judge compares and returns every deviation; none means passed.
func (e expectation) judge(t *transcript) []string {
	var wrong []string
	complain := func(format string, a ...any) { wrong = append(wrong, fmt.Sprintf(format, a...)) }
	if t.broke != "" {
		complain("%s", t.broke)
	}
	if got := states(t); !slices.Equal(got, e.states) {
		complain("want the states %s, got %s", names(e.states), names(got))
	}
	for _, u := range t.updates {
		// The agent and the master speak up when the executor does not: a refusal of theirs must not pass for its own.
		if source := u.status.GetSource(); source != mesos.SOURCE_EXECUTOR {
			complain("%s came from %s, not from the executor", u.status.GetState(), source)
		}
	}
	if last := t.last(); last != nil {
		if e.reason != nil && (last.Reason == nil || *last.Reason != *e.reason) {
			complain("want %s, got %s", *e.reason, reasonOf(last))
		}
		wrong = append(wrong, missing(last, e.says)...)
	}
	if u := t.first(mesos.TASK_STARTING); u != nil {
		wrong = append(wrong, missing(&u.status, e.startingSays)...)
	}
	if u := t.first(mesos.TASK_RUNNING); u != nil {
		for _, rule := range e.running {
			wrong = append(wrong, rule(&u.status, t)...)
		}
	}
	if took := t.endedAfterKill(); e.endsAfterKill > 0 && took > e.endsAfterKill {
		complain("ended %.1fs after KILL, allowed are %.0fs", took.Seconds(), e.endsAfterKill.Seconds())
	}
	return wrong
}

// endedAfterKill is the time from KILL to the terminal update, 0 when one of them did not happen.
func (t *transcript) endedAfterKill() time.Duration {
	if t.killedAt == 0 || !t.over() {
		return 0
	}
	return t.updates[len(t.updates)-1].at - t.killedAt
}

func states(t *transcript) []mesos.TaskState {
	var got []mesos.TaskState
	for _, u := range t.updates {
		got = append(got, u.status.GetState())
	}
	return slices.Compact(got)
}

func names(states []mesos.TaskState) string {
	if len(states) == 0 {
		return "(none)"
	}
	var words []string
	for _, s := range states {
		words = append(words, s.String())
	}
	return strings.Join(words, " ")
}

func missing(s *mesos.TaskStatus, words []string) []string {
	var wrong []string
	for _, w := range words {
		if !strings.Contains(strings.ToLower(s.GetMessage()), strings.ToLower(w)) {
			wrong = append(wrong, fmt.Sprintf("the message of %s does not say %q: %q", s.GetState(), w, s.GetMessage()))
		}
	}
	return wrong
}

func reasonOf(s *mesos.TaskStatus) string {
	if s.Reason == nil {
		return "no reason"
	}
	return s.Reason.String()
}

func decimal(n int) string { return strconv.Itoa(n) }
