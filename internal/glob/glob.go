// Package glob says what the patterns of the operator's files stand for: '*' for any number of characters but '/'. There are no other
// wildcards, and no way to write a '*' that is one. All of it is pure, and takes at most the product of the lengths in time.
package glob

import (
	"slices"
	"strings"
)

// Match reports whether a pattern stands for s. "**" is no more than '*'.
func Match(pattern, s string) bool {
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

// MatchAny reports whether one of the patterns stands for s, as [Match] does.
func MatchAny(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return Match(p, s) })
}

// MatchBelow is [Match] for patterns in which "/**" at the end stands for everything below what is before it. One with "**"
// elsewhere stands for nothing.
func MatchBelow(pattern, s string) bool {
	folder, below := strings.CutSuffix(pattern, "/**")
	if strings.Contains(folder, "**") {
		return false
	}
	if !below {
		return Match(pattern, s)
	}
	end := 0 // of what the folder has to stand for
	for range strings.Count(folder, "/") + 1 {
		next := strings.IndexByte(s[end:], '/')
		if next < 0 {
			return false
		}
		end += next + 1
	}
	return Match(folder, s[:end-1]) && strings.Trim(s[end:], "/") != ""
}

// Covers reports whether a pattern stands for all that another one does, as [MatchBelow] has it. Names with an empty element, which
// nothing has, do not count.
func Covers(wide, narrow string) bool {
	w, wideBelow := strings.CutSuffix(wide, "/**")
	n, narrowBelow := strings.CutSuffix(narrow, "/**")
	outer, inner := strings.Split(w, "/"), strings.Split(n, "/")
	switch {
	case wideBelow && (len(inner) > len(outer) || narrowBelow && len(inner) == len(outer)):
		inner = inner[:len(outer)]
	case wideBelow || narrowBelow:
		return false
	}
	// '*' in the inner text is a character that only a '*' of the outer pattern takes, and with it all that it stands for.
	return MatchBelow(w, strings.Join(inner, "/"))
}
