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

// Matches reports whether a pattern stands for s. '*' stands for any number of characters but '/', and "/**" at the end for everything
// below what is before it; a pattern with "**" elsewhere stands for nothing. Its time is at most the product of the lengths.
func Matches(pattern, s string) bool {
	folder, below := strings.CutSuffix(pattern, "/**")
	if strings.Contains(folder, "**") {
		return false
	}
	if !below {
		return matches(pattern, s)
	}
	end := 0 // of what the folder has to stand for
	for range strings.Count(folder, "/") + 1 {
		next := strings.IndexByte(s[end:], '/')
		if next < 0 {
			return false
		}
		end += next + 1
	}
	return matches(folder, s[:end-1]) && strings.Trim(s[end:], "/") != ""
}

func matchesAny(patterns []string, s string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(p, s) })
}
