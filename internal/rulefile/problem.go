package rulefile

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Error lists every problem of a file, in the order of its lines; of a file with more than a thousand, the first thousand.
type Error struct {
	Source   string // the path, or the name that whoever parses it got
	Problems []Problem
}

// Problem is one thing to put right.
type Problem struct {
	Line int    // 0 if it concerns the file as a whole
	Key  string // "identities[0].rules.pids_limit"; "" if it concerns no key
	Text string // what is wrong with the value, and what to do
}

// MaxShown is how many problems the text of an [Error] lists. It becomes the message of a status update, and more than that means
// another kind of file.
const MaxShown = 20

// Error returns one line per problem, "source[:line]: [key: ]text", and after 20 of them a line with the number of the others.
func (e *Error) Error() string {
	shown := min(len(e.Problems), MaxShown)
	lines := make([]string, shown, shown+1)
	for i, p := range e.Problems[:shown] {
		lines[i] = Place(e.Source, p.Line) + ": "
		if p.Key != "" {
			lines[i] += p.Key + ": "
		}
		lines[i] += p.Text
	}
	if more := len(e.Problems) - shown; more > 0 {
		least := ""
		if e.IsFull() {
			least = "at least "
		}
		lines = append(lines, fmt.Sprintf("%s: and %s%d more problems", e.Source, least, more))
	}
	return strings.Join(lines, "\n")
}

// enough is how many problems are looked for: more of them help nobody, and cost time.
const enough = 1000

// IsFull reports whether reading on is in vain.
func (e *Error) IsFull() bool { return len(e.Problems) >= enough }

// Add notes a problem, unless there are enough.
func (e *Error) Add(line int, key, format string, args ...any) {
	if e.IsFull() {
		return
	}
	e.Problems = append(e.Problems, Problem{Line: line, Key: key, Text: fmt.Sprintf(format, args...)})
}

// OrNil returns e as an error only if it holds a problem; a nil *Error in an error interface would not be nil.
func (e *Error) OrNil() error {
	if len(e.Problems) == 0 {
		return nil
	}
	slices.SortStableFunc(e.Problems, func(a, b Problem) int { return a.Line - b.Line })
	return e
}

// Place names a line of a file, "classes.yaml:14"; line 0 is the file as a whole.
func Place(name string, line int) string {
	if line > 0 {
		return name + ":" + strconv.Itoa(line)
	}
	return name
}
