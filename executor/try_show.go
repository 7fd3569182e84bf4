package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/executor/enginefault"
	"mesos-docker-executor/executor/localagent"
)

// display shows a run as it happens. One goroutine uses it.
type display interface {
	begin(text string)
	entry(localagent.Entry)
	fault(enginefault.Event)
	line(logLine)
	note(text string)
	result(outcome)
}

func newDisplay(out io.Writer, terminal, asJSON bool) display {
	if asJSON {
		return &jsonDisplay{out: json.NewEncoder(out), began: time.Now()}
	}
	return &textDisplay{out: out, began: time.Now(), terminal: terminal}
}

// textDisplay prints a line per happening: seconds, who, what. On a terminal it adds colour, and escapes what would act on
// the terminal.
type textDisplay struct {
	out      io.Writer
	began    time.Time
	terminal bool
}

// Escape sequences of ECMA-48.
const (
	plain  = ""
	bold   = "\x1b[1m"
	dim    = "\x1b[2m"
	red    = "\x1b[1;31m"
	green  = "\x1b[1;32m"
	yellow = "\x1b[1;33m"
	reset  = "\x1b[0m"
)

// print aligns further lines of a text under the first.
func (d *textDisplay) print(at time.Time, style, who, text string) {
	head := fmt.Sprintf("%9.3f  %-10s ", at.Sub(d.began).Seconds(), who)
	for i, line := range strings.Split(strings.TrimRight(text, "\n"), "\n") {
		if i > 0 {
			head = strings.Repeat(" ", len(head))
		}
		if d.terminal {
			line = escaped(line)
			if style != plain {
				line = style + line + reset
			}
		}
		fmt.Fprintln(d.out, strings.TrimRight(head+line, " "))
	}
}

// escaped writes control characters, and bytes that are no text, as Go does in strings: a task's output must not move the
// cursor, set the window's title or turn the direction of writing.
func escaped(s string) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case r == '\t' || strconv.IsGraphic(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
		s = s[size:]
	}
	return b.String()
}

// problemLines gives each of a refusal's problems, which the executor counts (1), (2) ..., a line of its own. The first
// line is what stands before them.
func problemLines(message string) []string {
	var lines []string
	if !strings.Contains(message, " (2) ") {
		return []string{message}
	}
	for n := 1; ; n++ {
		before, rest, found := strings.Cut(message, fmt.Sprintf(" (%d) ", n))
		if !found {
			return append(lines, message)
		}
		lines = append(lines, before)
		message = fmt.Sprintf("(%d) %s", n, rest)
	}
}

// firstProblem shortens a status message to a line.
func firstProblem(message string) string {
	lines := problemLines(message)
	if len(lines) == 1 {
		first, _, _ := strings.Cut(message, "\n")
		return first
	}
	return fmt.Sprintf("%s (and %d more)", strings.TrimPrefix(lines[1], "(1) "), len(lines)-2)
}

func (d *textDisplay) begin(text string) { d.print(time.Now(), bold, "try", text) }
func (d *textDisplay) note(text string)  { d.print(time.Now(), bold, "try", text) }

func (d *textDisplay) line(l logLine) {
	style := plain
	if l.source == "executor" {
		style = dim
	}
	d.print(l.at, style, l.source+" |", l.text)
}

func (d *textDisplay) entry(e localagent.Entry) {
	who, style, text := d.describe(e)
	if who == "" {
		return
	}
	if e.Duplicate {
		text += " (again)"
	}
	if e.Text != "" {
		text += "  " + strings.Join(problemLines(e.Text), "\n  ")
	}
	d.print(e.At, style, who, text)
}

func (d *textDisplay) fault(e enginefault.Event) { d.print(e.At, yellow, "engine", e.String()) }

// describe chooses the column, the style and the text; who is empty for what is not shown.
func (d *textDisplay) describe(e localagent.Entry) (who, style, text string) {
	switch e.Kind {
	case localagent.Event:
		return "agent ->", dim, e.Name
	case localagent.Call:
		if !worthShowing(e) {
			return "", "", ""
		}
		return "-> agent", dim, strings.TrimSpace(e.Name + " " + answerOf(e))
	case localagent.Status:
		who = "-> agent"
		if e.Status.GetSource() == mesos.SOURCE_AGENT {
			who = "agent"
		}
		return who, stateStyle(e.Status.GetState()), describeStatus(e.Status)
	case localagent.Violation:
		return "agent", red, "protocol violation:"
	default:
		return string(e.Kind), plain, e.Name
	}
}

// worthShowing leaves out the UPDATE calls that went well: their statuses are shown.
func worthShowing(e localagent.Entry) bool {
	return e.Name != "UPDATE" || e.Code != http.StatusAccepted
}

func answerOf(e localagent.Entry) string {
	if e.Code < 300 {
		return ""
	}
	return fmt.Sprintf("refused: %d", e.Code)
}

func stateStyle(s mesos.TaskState) string {
	switch s {
	case mesos.TASK_STARTING, mesos.TASK_RUNNING, mesos.TASK_FINISHED:
		return green
	case mesos.TASK_KILLING, mesos.TASK_KILLED:
		return yellow
	}
	return red
}

func describeStatus(s *mesos.TaskStatus) string {
	parts := []string{s.GetState().String()}
	if reason := reasonOf(s); reason != "" {
		parts = append(parts, reason)
	}
	if s.Healthy != nil {
		parts = append(parts, fmt.Sprintf("healthy=%v", *s.Healthy))
	}
	parts = append(parts, addresses(s)...)
	if class := classOfStatus(s); class != "" {
		parts = append(parts, "class "+class)
	}
	return strings.Join(parts, "  ")
}

// reasonOf is empty for a status without a reason, whose getter would make one up.
func reasonOf(s *mesos.TaskStatus) string {
	if s.Reason == nil {
		return ""
	}
	return s.Reason.String()
}

// addresses are the container's IPs.
func addresses(s *mesos.TaskStatus) []string {
	var ips []string
	if s.ContainerStatus == nil {
		return nil
	}
	for _, network := range s.ContainerStatus.NetworkInfos {
		for _, ip := range network.IPAddresses {
			ips = append(ips, ip.GetIPAddress())
		}
	}
	return ips
}

// classOfStatus is the container's class ID, "" if the status has none.
func classOfStatus(s *mesos.TaskStatus) string {
	class := s.GetContainerStatus().GetCgroupInfo().GetNetCLS().GetClassID()
	if class == 0 {
		return ""
	}
	return classes.ID(class).String()
}

func (d *textDisplay) result(o outcome) {
	style, text := green, "no terminal state"
	if o.ended {
		text = o.state.String()
	}
	text = fmt.Sprintf("%s, exit status %d", text, o.status)
	if o.status != exitOK {
		style = red
		if why := o.why(); why != "" {
			text += ": " + why
		}
	}
	d.print(time.Now(), style, "result", text)
}

// jsonDisplay prints an object per line.
type jsonDisplay struct {
	out   *json.Encoder
	began time.Time
}

// jsonLine has "t" and one of the others.
type jsonLine struct {
	T      float64     `json:"t"` // seconds since the start
	Event  *jsonEvent  `json:"event,omitempty"`
	Status *jsonStatus `json:"status,omitempty"`
	Log    *jsonLog    `json:"log,omitempty"`
	Result *jsonResult `json:"result,omitempty"`
}

// jsonEvent is what agent ("agent"), executor ("executor"), the sick engine of --fault ("engine") and this program ("try") said
// or did.
type jsonEvent struct {
	From  string `json:"from"`
	Name  string `json:"name"`
	Text  string `json:"text,omitempty"`
	Code  int    `json:"code,omitempty"` // HTTP status code of a call's answer
	Again bool   `json:"again,omitempty"`
}

type jsonStatus struct {
	State   string   `json:"state"`
	Source  string   `json:"source"`
	Reason  string   `json:"reason,omitempty"`
	Message string   `json:"message,omitempty"`
	Healthy *bool    `json:"healthy,omitempty"`
	IPs     []string `json:"ips,omitempty"`
	ClassID string   `json:"class_id,omitempty"`
	Again   bool     `json:"again,omitempty"`
}

type jsonLog struct {
	From string `json:"from"` // stdout and stderr of the task, executor
	Line string `json:"line"`
}

type jsonResult struct {
	State      string `json:"state,omitempty"`
	Reason     string `json:"reason,omitempty"`
	Message    string `json:"message,omitempty"`
	Left       string `json:"left,omitempty"` // what could not be cleaned up
	ExitStatus int    `json:"exit_status"`
}

func (d *jsonDisplay) print(at time.Time, line jsonLine) {
	line.T = float64(at.Sub(d.began).Milliseconds()) / 1000
	_ = d.out.Encode(line) // the output keeps the error
}

func (d *jsonDisplay) begin(text string) { d.note(text) }

func (d *jsonDisplay) note(text string) {
	d.print(time.Now(), jsonLine{Event: &jsonEvent{From: "try", Name: "note", Text: text}})
}

func (d *jsonDisplay) line(l logLine) {
	d.print(l.at, jsonLine{Log: &jsonLog{From: l.source, Line: l.text}})
}

func (d *jsonDisplay) entry(e localagent.Entry) {
	if e.Kind == localagent.Status {
		status := &jsonStatus{
			State: e.Status.GetState().String(), Source: e.Status.GetSource().String(), Message: e.Status.GetMessage(),
			Reason: reasonOf(e.Status), Healthy: e.Status.Healthy, IPs: addresses(e.Status), ClassID: classOfStatus(e.Status), Again: e.Duplicate,
		}
		d.print(e.At, jsonLine{Status: status})
		return
	}
	from := "agent"
	switch {
	case e.Kind == localagent.Call && !worthShowing(e):
		return
	case e.Kind == localagent.Call, e.Kind == localagent.Process:
		from = "executor"
	case e.Kind == localagent.Violation:
		e.Name = "protocol violation"
	}
	d.print(e.At, jsonLine{Event: &jsonEvent{From: from, Name: e.Name, Text: e.Text, Code: e.Code, Again: e.Duplicate}})
}

func (d *jsonDisplay) fault(e enginefault.Event) {
	d.print(e.At, jsonLine{Event: &jsonEvent{From: "engine", Name: string(e.Did), Text: e.String()}})
}

func (d *jsonDisplay) result(o outcome) {
	r := &jsonResult{Reason: o.reason, Message: o.message, Left: o.left, ExitStatus: o.status}
	if o.problem != "" {
		r.Message = o.problem
	}
	if o.ended {
		r.State = o.state.String()
	}
	d.print(time.Now(), jsonLine{Result: r})
}
