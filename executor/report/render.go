package report

import (
	"fmt"
	"io"
	"strings"
)

// Render writes the report for people: what became of the task, the circumstances, the timeline with the calls to the engine,
// what each witness said, what was left behind, the last lines of output. width is the screen's in columns, 0 for
// lines as long as they are. Whatever stands in the report, nothing acts on the terminal but the colours asked for. The error is w's.
func Render(w io.Writer, r Report, width int, color bool) error {
	p := newPage(width, color)
	r.head(p)
	r.facts(p)
	r.timeline(p)
	r.witnesses(p)
	if len(r.Processes) > 0 {
		p.title("processes left alive")
		for _, process := range r.Processes {
			p.row("  - ", red, Printable(process))
		}
	}
	r.output(p)
	_, err := w.Write(p.Bytes())
	return err
}

// head is the answer to the first question.
func (r Report) head(p *page) {
	text := joined(r.State, r.Reason) + ": " + r.TaskID
	if !r.Began.IsZero() && !r.Ended.IsZero() {
		text += " after " + span(r.Ended.Sub(r.Began))
	}
	p.row("", stateStyle(r.State), Printable(text)) // its lines are one
	if r.Message != "" {
		for line := range strings.SplitSeq(strings.TrimRight(r.Message, "\n"), "\n") {
			p.row("  | ", plain, line)
		}
	}
	p.WriteByte('\n')
}

func stateStyle(state string) style {
	switch state {
	case "TASK_FINISHED":
		return green
	case "TASK_KILLED":
		return yellow
	}
	return red
}

// facts are the circumstances.
func (r Report) facts(p *page) {
	const layout = "2006-01-02 15:04:05.000 UTC"
	if !r.Began.IsZero() {
		p.fact("began", plain, r.Began.UTC().Format(layout))
	}
	if !r.Ended.IsZero() {
		p.fact("ended", plain, r.Ended.UTC().Format(layout))
	}
	p.fact("image", plain, r.Image)
	p.fact("container", plain, joined(r.ContainerName, labelled("Docker's ID", r.DockerID)))
	p.fact("class", plain, r.Class.String())
	p.fact("mesos", plain, joined(labelled("container", r.ContainerID), labelled("agent", r.AgentID), labelled("framework", r.FrameworkID)))
	p.fact("executor", plain, joined(r.Executor, labelled(r.Mode, "mode")))
	e := r.Engine
	p.fact("engine", plain, joined(e.Host, labelled("version", e.Version), labelled("API", e.APIVersion),
		e.StorageDriver, labelled("cgroup driver", e.CgroupDriver), e.liveRestore()))
	p.fact("condition", plain, e.Condition)
	label := "review"
	for _, line := range r.Review {
		p.fact(label, plain, line)
		label = ""
	}
}

// String says whose packets they are, on one line; "" without a class and a reason for that.
func (c Class) String() string {
	lost := ""
	switch {
	case c.Lost == 1:
		lost = "found changed once"
	case c.Lost > 1:
		lost = fmt.Sprintf("found changed %d times", c.Lost)
	}
	if c.ID == "" {
		return joined(labelled("none:", strings.TrimSuffix(c.Untagged, ".")), lost)
	}
	return joined(c.ID, labelled("team", c.Team), labelled("app", c.App), lost)
}

func (e Engine) liveRestore() string {
	switch {
	case e.LiveRestore == nil:
		return ""
	case *e.LiveRestore:
		return "live-restore on"
	}
	return "live-restore off"
}

func (r Report) witnesses(p *page) {
	if len(r.Witnesses) == 0 {
		return
	}
	p.title("witnesses of the end")
	believed := false
	for _, w := range r.Witnesses {
		mark, s := "", plain
		if w.Believed {
			mark, s, believed = "believed", green, true
		}
		p.row(fmt.Sprintf("  %s  %-8s  ", column(w.Name, 14), mark), s, w.Said)
	}
	if !believed {
		p.row("  ", yellow, "none was believed")
	}
}

// column makes a stranger's text exactly so wide.
func column(text string, width int) string {
	text = Printable(text)
	if columns(text) > width {
		runes := []rune(text)
		text = string(runes[:fitting(runes, width-1)]) + "~"
	}
	return text + strings.Repeat(" ", width-columns(text))
}

func (r Report) output(p *page) {
	p.title("output")
	r.Output.Stdout.print(p, "stdout")
	r.Output.Stderr.print(p, "stderr")
}

func (s Stream) print(p *page, name string) {
	text, how := size(s.Bytes), plain
	if s.Dropped > 0 {
		text, how = joined(text, size(s.Dropped)+" more were lost: the sandbox's file or the log rotator did not take them"), yellow
	}
	if s.Bytes == 0 && s.Dropped == 0 && len(s.Last) == 0 {
		text = "nothing"
	} else if len(s.Last) > 0 {
		text = joined(text, "the end:")
	}
	p.fact(name, how, text)
	for _, line := range s.Last {
		p.row("    | ", plain, Printable(line))
	}
}
