package message

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Quote renders a value for a message: on one line, and cut where nobody would read on.
func Quote(s string) string {
	const limit = 120
	if len(s) > limit {
		return strconv.Quote(s[:limit]) + fmt.Sprintf("... (%d bytes)", len(s))
	}
	return strconv.Quote(s)
}

// OneOf writes the words that a value can be.
func OneOf(words []string) string { return "`" + strings.Join(words, "`, `") + "`" }

// Listed writes the first of some names, and how many more there are.
func Listed(names []string) string {
	const shown = 12
	if more := len(names) - shown; more > 0 {
		names = append(slices.Clone(names[:shown]), fmt.Sprintf("%d more", more))
	}
	if len(names) == 0 {
		return "none"
	}
	return Printable(strings.Join(names, ", "))
}

// Meant completes a message about an unknown word with the known one that is probably meant, or with nothing.
func Meant(word string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := edits(word, k); d < distance && d < len(k) {
			best, distance = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + Quote(best) + "?"
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
