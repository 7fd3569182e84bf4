// Package message writes values that others chose, of tasks and of the operator's files, into messages: bounded, on one line, and so that
// nobody takes them for the message's own words. All of it is pure.
package message

import (
	"strconv"
	"strings"
	"unicode"
)

// maxRunes bounds each value of a task that is shown. It leaves room for the longest field path with a name in it.
const maxRunes = 160

// Shorten bounds a string of a task for a message: at most 160 runes and "...". Invalid UTF-8 becomes U+FFFD. The work does
// not grow with the string. Where it is shown unquoted, use [Printable].
func Shorten(s string) string {
	count := 0
	for at := range s {
		if count == maxRunes {
			return strings.ToValidUTF8(s[:at], "\uFFFD") + "..."
		}
		count++
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// Printable is Shorten with everything that is not a printable character written as in a Go string (`\n`, `\u202e`): the
// messages end in logs, terminals and web pages, and no value of a task may look like a line of ours.
func Printable(s string) string {
	s = Shorten(s)
	if !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		if unicode.IsPrint(r) {
			b.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRune(r)
		b.WriteString(quoted[1 : len(quoted)-1])
	}
	return b.String()
}
