package chaos

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// rank orders the states: a life's updates can only go up.
func rank(s mesos.TaskState) int {
	switch s {
	case mesos.TASK_STARTING:
		return 0
	case mesos.TASK_RUNNING:
		return 1
	case mesos.TASK_KILLING:
		return 2
	}
	return 3
}

// faults lists what was wrong with a life that is over.
func (l *soakLife) faults(calm bool) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var wrong []string
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	last := -1
	for _, u := range l.updates {
		if rank(u.GetState()) <= last {
			say("%v comes too late, or a second time", u.GetState())
		}
		last = rank(u.GetState())
	}
	if last < rank(mesos.TASK_FINISHED) {
		if !l.script.mortal() {
			say("there is no terminal update")
		}
		return wrong
	}
	end := l.updates[len(l.updates)-1]
	if len(l.alive) > 0 && !strings.Contains(end.GetMessage(), "cannot be killed") {
		say("alive at the terminal update: %v", l.alive)
	}
	if l.looked != nil {
		say("the processes at the terminal update: %v", l.looked)
	}
	if !l.began && l.wroteFile("began") != "" {
		say("the program began after the terminal update")
	}
	if !l.neverBegan(end) {
		wrong = append(wrong, wrongEnd(end, l.wroteFile("status"), l.script)...)
	}
	if calm && l.script.calm() {
		want := mesos.TASK_FAILED
		if l.script.program.code == 0 {
			want = mesos.TASK_FINISHED
		}
		if end.GetState() != want || !strings.Contains(end.GetMessage(), fmt.Sprintf("Container exited with status %d", l.script.program.code)) {
			say("nobody disturbed it, so it is %v with status %d", want, l.script.program.code)
		}
	}
	return wrong
}

// neverBegan reports whether the status that is told is that of `runc init`: 1, or 2, when it was killed or left alone before it became
// the program. Only the engine could tell it from the program's, and it did not answer.
func (l *soakLife) neverBegan(end mesos.TaskStatus) bool {
	told := exited.FindStringSubmatch(end.GetMessage())
	return end.GetState() != mesos.TASK_FINISHED && l.wroteFile("began") == "" &&
		told != nil && (told[1] == "1" || told[1] == "2") &&
		(end.GetState() == mesos.TASK_KILLED || strings.Contains(l.log.String(), "looking for the effect of docker start"))
}

var exited = regexp.MustCompile(`Container exited with status ([0-9]+)`)

// wrongEnd compares the terminal update with what the program wrote down of its exit, "" if it never came to it.
func wrongEnd(end mesos.TaskStatus, wrote string, s script) (wrong []string) {
	switch end.GetState() {
	case mesos.TASK_FINISHED:
		if wrote != "0" {
			wrong = append(wrong, fmt.Sprintf("the program did not exit with 0; it wrote %q", wrote))
		}
	case mesos.TASK_KILLED:
		if !s.acted() {
			wrong = append(wrong, "nobody asked for its end")
		}
	case mesos.TASK_FAILED:
	default:
		wrong = append(wrong, "this state is for tasks that are refused")
	}
	// Of an end by a signal the program knows nothing, be it the last moment before its exit.
	if told := exited.FindStringSubmatch(end.GetMessage()); told != nil && told[1] != "137" {
		if code, _ := strconv.Atoi(told[1]); wrote != strconv.Itoa(code) {
			wrong = append(wrong, fmt.Sprintf("status %d is not what the program wrote: %q", code, wrote))
		}
	}
	return wrong
}

// account is what is printed of a life that went wrong.
func (l *soakLife) account(wrong []string) string {
	var b strings.Builder
	for _, w := range wrong {
		fmt.Fprintf(&b, "WRONG: %s\n", w)
	}
	fmt.Fprintf(&b, "%scontainer id %s; the program wrote %q and status %q\n", l.script, l.containerID, l.wroteFile("began"), l.wroteFile("status"))
	l.mu.Lock()
	for _, u := range l.updates {
		fmt.Fprintf(&b, "  update %v %s\n", u.GetState(), u.GetMessage())
	}
	l.mu.Unlock()
	if l.proxy != nil {
		for _, e := range l.proxy.Events() {
			if e.Rule != "" {
				fmt.Fprintf(&b, "  %s %s\n", e.At.Format("15:04:05.000"), e)
			}
		}
	}
	fmt.Fprintf(&b, "executor's log:\n%s", l.log)
	return b.String()
}
