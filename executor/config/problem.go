package config

import (
	"errors"
	"fmt"
	"strings"

	"mesos-docker-executor/internal/message"
)

// ErrNoAgent says that the environment holds nothing that a Mesos agent sets:
// somebody started the executor by hand.
var ErrNoAgent = errors.New("no MESOS_* variables in the environment: the executor is started by a Mesos agent; to run one task by hand use `mesos-docker-executor try TASK`")

// Error lists every problem found in one source, in the order of the source.
type Error struct {
	Source   string // "environment", "command line" or the path of a file
	Problems []Problem

	// Agent is what the section about the agent says in a config.yaml that is
	// wrong elsewhere, or that was named and is not there; nil if that is not
	// certain: nobody may be talked to then, for the file may have been meant to
	// say to whom, and how.
	Agent *AgentKeys
}

// Problem is one thing to put right.
type Problem struct {
	Line int    // line of the file, 0 where there are no lines
	Name string // the variable, flag or key; empty when it concerns the source as a whole
	Text string // what is wrong with the value and what to do
}

// maxShown is how many problems the text of an [Error] lists. It becomes the
// message of a status update, and more than that means another kind of file.
const maxShown = 20

// Error returns one line per problem, "source[:line]: [name: ]text", and after
// 20 of them a line with the number of the others.
func (e *Error) Error() string {
	shown := min(len(e.Problems), maxShown)
	lines := make([]string, shown, shown+1)
	for i, p := range e.Problems[:shown] {
		var b strings.Builder
		b.WriteString(e.Source)
		if p.Line > 0 {
			fmt.Fprintf(&b, ":%d", p.Line)
		}
		b.WriteString(": ")
		if p.Name != "" {
			b.WriteString(p.Name + ": ")
		}
		b.WriteString(p.Text)
		lines[i] = b.String()
	}
	if more := len(e.Problems) - shown; more > 0 {
		lines = append(lines, fmt.Sprintf("%s: and %d more problems", e.Source, more))
	}
	return strings.Join(lines, "\n")
}

func (e *Error) add(name, format string, args ...any) {
	e.addAt(0, name, format, args...)
}

func (e *Error) addAt(line int, name, format string, args ...any) {
	e.Problems = append(e.Problems, Problem{Line: line, Name: name, Text: fmt.Sprintf(format, args...)})
}

// orNil returns e as an error only if it holds a problem; a nil *Error in an
// error interface would not be nil.
func (e *Error) orNil() error {
	if len(e.Problems) == 0 {
		return nil
	}
	return e
}

// quote renders a value for an error message: on one line, and cut where
// nobody would read on.
func quote(s string) string { return message.Quote(s) }
