package report

import (
	"strings"
	"testing"
)

// A terminal breaks a line that it has no room for by itself, and goes on at the very left: there a stranger's text would pass for
// one of ours.
func TestWideCharactersDoNotReachTheLeftEdge(t *testing.T) {
	const width = 80
	for name, filler := range map[string]string{
		"ideographic space": "\u3000", "ideograph": "\u4e2d", "full-width letter": "\uff21", "emoji": "\U0001f600", "hangul": "\ud55c",
	} {
		r := Report{State: "TASK_FAILED", TaskID: "t", Message: strings.Repeat(filler, 60) + " TASK_FINISHED"}
		r.Output.Stdout.Last = []string{strings.Repeat(filler, 37) + "TASK_FINISHED: t"}
		r.Events = []Event{{Kind: strings.Repeat(filler, 7), Text: strings.Repeat(filler, 200)}}
		r.Witnesses = []Witness{{Name: strings.Repeat(filler, 14), Said: strings.Repeat(filler, 100)}}
		for line := range strings.Lines(rendered(t, r, width, false)) {
			taken := 0
			for _, c := range strings.TrimSuffix(line, "\n") {
				taken++
				if strings.ContainsRune(filler, c) {
					taken++
				}
			}
			if taken > width {
				t.Errorf("%s: a line takes %d of %d columns: %q", name, taken, width, line)
			}
		}
	}
}
