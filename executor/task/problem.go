package task

import (
	"fmt"

	"mesos-docker-executor/security"
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

// Bounds of one encoded message, which may be 64 MiB of nonsense.
const (
	// maxProblems is how many problems are worth reading.
	maxProblems = 50
	// maxValues is how many values a message may hold, at all depths: several times what a task with everything at the
	// bounds of limits.go has. It bounds the time for reading them.
	maxValues = 250_000
)

// problems collects what is wrong with one encoded message.
type problems struct {
	list []problem
	// broken is set when the rest cannot be read, or was not. What is broken must not be decoded: nobody has checked it.
	broken bool
	values int
}

func (p *problems) add(path, format string, args ...any) {
	if p.broken {
		return
	}
	if len(p.list) == maxProblems {
		path, format, args = "", "There are too many problems; the rest was not read.", nil
		p.broken = true
	}
	p.list = append(p.list, problem{path, fmt.Sprintf(format, args...)})
}

func (p *problems) fail(path, format string, args ...any) {
	p.add(path, format, args...)
	p.broken = true
}

// visit counts a value that is about to be checked.
func (p *problems) visit(path string) {
	if p.values++; p.values > maxValues {
		p.fail(path, "The message holds more than %d values, and the rest was not read; make the task smaller.", maxValues)
	}
}

// quote bounds and quotes a value of the task for a message.
func quote(s string) string { return fmt.Sprintf("%q", security.Shorten(s)) }

func join(path, name string) string {
	if path == "" || name == "" {
		return path + name
	}
	return path + "." + name
}
