package report

import (
	"bytes"
	"fmt"
	"strings"
	"time"
)

// style is an escape sequence of ECMA-48, or nothing.
type style string

const (
	plain  style = ""
	bold   style = "\x1b[1m"
	dim    style = "\x1b[2m"
	red    style = "\x1b[1;31m"
	green  style = "\x1b[1;32m"
	yellow style = "\x1b[1;33m"
	reset        = "\x1b[0m"
)

// page is text of a width, in colour or not. Every text that it takes may be a stranger's.
type page struct {
	bytes.Buffer
	width int // in columns; 0: lines are as long as they are
	color bool
}

// least is the width below which nothing gets easier to read.
const least = 40

func newPage(width int, color bool) *page {
	if width > 0 {
		width = max(width, least)
	}
	return &page{width: width, color: color}
}

// row prints text behind a head; further lines are aligned under the first, and never so far to the left that a stranger's could
// pass for one of ours. The head is ours.
func (p *page) row(head string, s style, text string) {
	indent := max(columns(head), 4)
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		for _, part := range wrap(Printable(line), p.width-indent, p.width > 0) {
			p.line(head, s, part)
			head = strings.Repeat(" ", indent)
		}
	}
}

func (p *page) line(head string, s style, text string) {
	if p.color && s != plain && text != "" {
		text = string(s) + text + reset
	}
	p.WriteString(strings.TrimRight(head+text, " "))
	p.WriteByte('\n')
}

// title begins a section.
func (p *page) title(text string) {
	p.WriteByte('\n')
	p.line("", bold, text)
}

// fact prints a label and its text, unless that is empty.
func (p *page) fact(label string, s style, text string) {
	if text != "" {
		p.row(fmt.Sprintf("  %-10s ", label), s, text)
	}
}

// wrap cuts a line into parts of a width, between words where it can.
func wrap(line string, width int, limited bool) []string {
	if !limited || columns(line) <= width {
		return []string{line}
	}
	width = max(width, 2) // of the widest character
	var parts []string
	rest := []rune(line)
	for {
		fit := fitting(rest, width)
		if fit == len(rest) {
			break
		}
		end, next := fit, fit
		for i := fit; i > fit/2; i-- {
			if rest[i] == ' ' {
				end, next = i, i+1
				break
			}
		}
		parts = append(parts, string(rest[:end]))
		rest = rest[next:]
	}
	if len(rest) > 0 || len(parts) == 0 {
		parts = append(parts, string(rest))
	}
	return parts
}

// fitting is how many characters fit into a width.
func fitting(text []rune, width int) int {
	for n, r := range text {
		if width -= cells(r); width < 0 {
			return n
		}
	}
	return len(text)
}

// joined puts the parts that say something into one line.
func joined(parts ...string) string {
	var some []string
	for _, part := range parts {
		if part != "" {
			some = append(some, part)
		}
	}
	return strings.Join(some, ", ")
}

// labelled is empty if text is.
func labelled(label, text string) string {
	if text == "" {
		return ""
	}
	return label + " " + text
}

// span is a duration as one says it.
func span(d time.Duration) string {
	switch seconds := d.Seconds(); {
	case d < 0:
		return "-" + span(max(-d, 0)) // of the least there is no opposite
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 10*time.Second:
		return fmt.Sprintf("%.2f s", seconds)
	case d < 2*time.Minute:
		return fmt.Sprintf("%.1f s", seconds)
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d days %d h", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// size is a number of bytes as one says it.
func size(n int64) string {
	units := []string{"KiB", "MiB", "GiB"}
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	value := float64(n) / (1 << 10)
	for value >= 1<<10 && len(units) > 1 {
		value, units = value/(1<<10), units[1:]
	}
	return fmt.Sprintf("%.1f %s", value, units[0])
}

// count is "1 call" or "2 calls".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
