package task

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// problem is something about an encoded message that keeps it from being read faithfully.
type problem struct {
	path    string // "container.docker", "" for the message itself
	message string // full sentence
}

func (p problem) String() string {
	if p.path == "" {
		return p.message
	}
	return p.path + ": " + p.message
}

// problems collects what is wrong with one encoded message, up to a bound: the input may be 64 MiB of nonsense.
type problems struct {
	list []problem
	// broken is set when the rest cannot be read at all.
	broken bool
}

const maxProblems = 50

func (p *problems) add(path, format string, args ...any) {
	if len(p.list) < maxProblems {
		p.list = append(p.list, problem{path, fmt.Sprintf(format, args...)})
	}
}

func (p *problems) fail(path, format string, args ...any) {
	p.add(path, format, args...)
	p.broken = true
}

func (p *problems) full() bool { return p.broken || len(p.list) >= maxProblems }

// quote bounds and quotes a value of the task for a message.
func quote(s string) string { return fmt.Sprintf("%q", shorten(s)) }

func shorten(s string) string {
	const limit = 80 // runes
	s = strings.ToValidUTF8(s, "\uFFFD")
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit]) + "..."
}

func join(path, name string) string {
	if path == "" || name == "" {
		return path + name
	}
	return path + "." + name
}
