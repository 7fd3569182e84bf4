package report

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Printable writes control characters, and bytes that are no text, as Go does in strings: a stranger's words must not move
// the cursor, set the window's title or turn the direction of writing. A tab becomes a space.
func Printable(s string) string {
	if plainText(s) {
		return s
	}
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			b.WriteString(`\x` + string("0123456789abcdef"[s[0]>>4]) + string("0123456789abcdef"[s[0]&15]))
		case r == '\t':
			b.WriteByte(' ')
		case strconv.IsGraphic(r):
			b.WriteRune(r)
		default:
			b.WriteString(strings.Trim(strconv.QuoteRune(r), "'"))
		}
		s = s[size:]
	}
	return b.String()
}

// plainText reports whether s is printable ASCII.
func plainText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// Clip cuts s to at most limit bytes, not within a character, and shows that it did.
func Clip(s string, limit int) string {
	const mark = "..."
	if len(s) <= limit {
		return s
	}
	end := max(limit-len(mark), 0)
	for i := 0; i < utf8.UTFMax-1 && end > 0 && !utf8.RuneStart(s[end]); i++ {
		end--
	}
	return s[:end] + mark
}

// cells is how many columns of a screen a character takes at most. From the Hangul letters on there are wide ones
// (Unicode's East Asian Width), and terminals differ in which; a line that is broken too early does no harm.
func cells(r rune) int {
	if r < 0x1100 {
		return 1
	}
	return 2
}

// columns is how many s takes at most.
func columns(s string) int {
	n := 0
	for _, r := range s {
		n += cells(r)
	}
	return n
}
