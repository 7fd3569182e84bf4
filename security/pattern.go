package security

import (
	"slices"
	"strings"
)

// matches reports whether a pattern of a policy stands for s; see [Rules]. Its time is at most the product of the lengths.
func matches(pattern, s string) bool {
	head, rest, wild := strings.Cut(pattern, "*")
	if !strings.HasPrefix(s, head) {
		return false
	}
	s = s[len(head):]
	for wild {
		var part string
		part, rest, wild = strings.Cut(rest, "*")
		// What '*' stands for here ends before the next '/' at the latest, and as early as the next part allows; the last part
		// has to be the end.
		at := strings.Index(s, part)
		if !wild {
			at = len(s) - len(part)
			if at < 0 || !strings.HasSuffix(s, part) {
				return false
			}
		}
		if at < 0 || strings.Contains(s[:at], "/") {
			return false
		}
		s = s[at+len(part):]
	}
	return s == ""
}

func matchesAny(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, s) })
}
