package main

import (
	"fmt"
	"io"
	"strings"

	"mesos-docker-executor/executor/hostcheck"
	"mesos-docker-executor/executor/report"
)

// print shows the lines by their subjects, and the verdict at the end, where somebody at a terminal looks first. Without a width lines are
// as long as they are: whoever reads them out of a pipe has one line for each check, and one for each remedy.
func (p healthPage) print(w io.Writer, width int, color bool) {
	names := 0
	for _, line := range p.Lines {
		names = max(names, len(line.Name))
	}
	subject := ""
	for _, line := range p.Lines {
		if line.Subject != subject {
			subject = line.Subject
			fmt.Fprintln(w, subject)
		}
		const statuses = len("fail")
		head := fmt.Sprintf("  %s  %-*s  ", painted(fmt.Sprintf("%-*s", statuses, line.Status), line.Status, color), names, line.Name)
		indent := len("  ") + statuses + len("  ") + names + len("  ")
		for _, text := range wrapped(line.Text, width-indent, width > 0) {
			fmt.Fprintf(w, "%s%s\n", head, text)
			head = strings.Repeat(" ", indent)
		}
		if line.Remedy == "" {
			continue
		}
		mark := "-> "
		for _, text := range wrapped(line.Remedy, width-indent-len(mark), width > 0) {
			fmt.Fprintf(w, "%*s%s%s\n", indent, "", mark, text)
			mark = "   "
		}
	}
	fmt.Fprintf(w, "\n%s: %s\n", report.Printable(p.Host), painted(p.verdict(), p.Status, color))
}

func (p healthPage) verdict() string {
	fails, warnings := p.Lines.Count(hostcheck.Fail), p.Lines.Count(hostcheck.Warn)
	switch {
	case fails > 0:
		return fmt.Sprintf("not fit for tasks: %d fail, %d warn", fails, warnings)
	case warnings > 0:
		return fmt.Sprintf("fit for tasks, %d warn", warnings)
	}
	return "fit for tasks"
}

// painted is a text in the colour of the status (ECMA-48), if colours are wanted.
func painted(text string, s hostcheck.Status, color bool) string {
	if !color {
		return text
	}
	code := map[hostcheck.Status]string{hostcheck.OK: "32", hostcheck.Warn: "33", hostcheck.Fail: "1;31"}[s]
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// wrapped is a stranger's text made harmless, in lines of a width, cut between words; in one line if it is not limited.
func wrapped(text string, width int, limited bool) []string {
	const least = 30 // columns, below which nothing gets easier to read
	text = report.Printable(strings.Join(strings.Fields(text), " "))
	if !limited {
		return []string{text}
	}
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > max(width, least) {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}
