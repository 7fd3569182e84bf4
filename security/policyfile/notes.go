package policyfile

import (
	"cmp"
	"fmt"

	"mesos-docker-executor/internal/rulefile"
	"mesos-docker-executor/security"
)

// Note is a sentence about what is no error in a file.
type Note struct {
	Place string // "policy.yaml:9"; without the line if it is about the file as a whole
	Line  int    // 0 if it is about the file as a whole
	Text  string
	// Warning: something in the file does not do what it says, and is to be put right.
	Warning bool
}

// String is the note with its place.
func (n Note) String() string { return n.Place + ": " + n.Text }

func (f *File) note(line int, format string, args ...any) Note {
	n := Note{Place: f.name, Line: line, Text: fmt.Sprintf(format, args...)}
	if line > 0 {
		n.Place = rulefile.Place(f.name, line)
	}
	return n
}

func (f *File) warning(line int, format string, args ...any) Note {
	n := f.note(line, format, args...)
	n.Warning = true
	return n
}

// Notes returns what is to be said of a file before it decides: audit mode, the entries of break_glass, in force or, as warnings,
// expired, and seccomp profiles that were not read.
func (f *File) Notes() []Note {
	return f.notes(func(int) bool { return true }, func(exception) bool { return true })
}

// NotesFor is [File.Notes] without what is said of entries that are not for the identity.
func (f *File) NotesFor(id security.Identity) []Note {
	first := f.first(id)
	return f.notes(func(at int) bool { return at == first },
		func(x exception) bool { return x.match.Covers(who(id), f.appIDTrusted) })
}

func (f *File) notes(tellsOf func(at int) bool, lifts func(exception) bool) []Note {
	var notes []Note
	if f.mode == security.Audit {
		notes = append(notes, f.note(f.modeLine, "the mode is audit: what the policy would reject or change runs as it was asked for, and is "+
			"only reported. The built-in policy does not act either: tasks run that are refused without a file."))
	}
	for i, id := range f.identities {
		if id.mode != "" && id.mode != cmp.Or(f.mode, security.Enforce) && tellsOf(i) {
			n := f.note(id.modeLine, "the mode for identities[%d] (%s) is %s.", i, id.match, id.mode)
			if id.mode == security.Audit {
				n.Text += " The built-in policy does not act on these either: tasks run that are refused without a file."
			}
			notes = append(notes, n)
		}
	}
	for _, x := range f.exceptions {
		what := fmt.Sprintf("break_glass[%d] (%s; reason: %s)", x.index, x.match, x.lifts.Reason)
		switch {
		case !lifts(x):
		case x.expired:
			notes = append(notes, f.warning(x.line, "%s expired on %s and lifts nothing any more; remove it.", what, x.lasts))
		default:
			notes = append(notes, f.note(x.line, "%s is in force to the end of %s, in UTC.", what, x.lasts))
		}
	}
	if f.unread {
		notes = append(notes, f.note(0, "the seccomp profiles that it names were not read, and the digest is that of the file alone; "+
			"on its host they have a part in it."))
	}
	return notes
}
