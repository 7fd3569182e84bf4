package classes

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// Error lists every problem of a class file, in the order of its lines; of a file with more than a thousand, the first thousand.
type Error struct {
	Source   string // the path, or the name that [Parse] got
	Problems []Problem
}

// Problem is one thing to put right.
type Problem struct {
	Line int    // 0 if it concerns the file as a whole
	Key  string // "clusters.gra1.teams.web.major"; "" if it concerns no key
	Text string // what is wrong with the value, and what to do
}

// maxShown is how many problems the text of an [Error] lists. It becomes the message of a status update, and more than that means
// another kind of file.
const maxShown = 20

// enough is how many problems are looked for: more of them help nobody, and cost time.
const enough = 1000

// Error returns one line per problem, "source[:line]: [key: ]text", and after 20 of them a line with the number of the others.
func (e *Error) Error() string {
	shown := min(len(e.Problems), maxShown)
	lines := make([]string, shown, shown+1)
	for i, p := range e.Problems[:shown] {
		lines[i] = place(e.Source, p.Line) + ": "
		if p.Key != "" {
			lines[i] += p.Key + ": "
		}
		lines[i] += p.Text
	}
	if more := len(e.Problems) - shown; more > 0 {
		lines = append(lines, fmt.Sprintf("%s: and %d more problems", e.Source, more))
	}
	return strings.Join(lines, "\n")
}

// isFull reports whether reading on is in vain.
func (e *Error) isFull() bool { return len(e.Problems) >= enough }

func (e *Error) add(line int, key, format string, args ...any) {
	if !e.isFull() {
		e.Problems = append(e.Problems, Problem{Line: line, Key: key, Text: fmt.Sprintf(format, args...)})
	}
}

// orNil returns e as an error only if it holds a problem; a nil *Error in an error interface would not be nil.
func (e *Error) orNil() error {
	if len(e.Problems) == 0 {
		return nil
	}
	slices.SortStableFunc(e.Problems, func(a, b Problem) int { return a.Line - b.Line })
	return e
}

// place names a line of a file.
func place(name string, line int) string {
	if line > 0 {
		return name + ":" + strconv.Itoa(line)
	}
	return name
}

// quote renders a value for a message: on one line, and cut where nobody would read on.
func quote(s string) string {
	const limit = 120
	if len(s) > limit {
		return strconv.Quote(s[:limit]) + fmt.Sprintf("... (%d bytes)", len(s))
	}
	return strconv.Quote(s)
}

// printable keeps a key of any length and content readable in a path.
func printable(s string) string {
	const limit = 80
	if len(s) > limit {
		s = s[:limit] + "..."
	}
	if strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) || r == unicode.ReplacementChar }) {
		quoted := strconv.Quote(s)
		return quoted[1 : len(quoted)-1]
	}
	return s
}

// oneOf writes the words that a value can be.
func oneOf(words []string) string { return "`" + strings.Join(words, "`, `") + "`" }

// listed writes the first of some names, and how many more there are.
func listed(names []string) string {
	const shown = 12
	if more := len(names) - shown; more > 0 {
		names = append(slices.Clone(names[:shown]), fmt.Sprintf("%d more", more))
	}
	if len(names) == 0 {
		return "none"
	}
	return strings.Join(names, ", ")
}

// meant completes a message about an unknown word with the known one that is probably meant, or with nothing.
func meant(word string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := edits(word, k); d < distance && d < len(k) {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + quote(best) + "?"
}

// edits is the number of letters to insert, remove or replace to make b of a; words of very different length count as far apart.
func edits(a, b string) int {
	if len(a) > len(b)+2 || len(b) > len(a)+2 {
		return 3
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
