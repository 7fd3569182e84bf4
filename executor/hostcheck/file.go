package hostcheck

import "fmt"

// Operator is what the operator's files say.
type Operator struct {
	Files    []File
	ClassIDs ClassIDs
}

// Lines have one for each file.
func (o Operator) Lines() Lines {
	var all Lines
	for _, f := range o.Files {
		all = append(all, f.Line())
	}
	return all
}

// File is one of the operator's files, as `check` found it.
type File struct {
	Kind     string // "config", "policy", "classes"
	Path     string
	Without  string // what holds without the file, if it is not there and need not be
	SHA256   string
	Problems []string // why executors do not take it
	Warnings []string
}

// Line says whether executors take the file.
func (f File) Line() Line {
	l := lines{subject: "files"}
	const shortHash = 12 // hex digits that tell two files apart by eye
	see := "mesos-docker-executor check " + f.Path + " shows all"
	switch {
	case len(f.Problems) > 0:
		l.fail(f.Kind, fmt.Sprintf("%s: %s; no task starts", f.Path, first(f.Problems)), "correct it; "+see)
	case f.Without != "":
		l.ok(f.Kind, fmt.Sprintf("no %s: %s", f.Path, f.Without))
	case len(f.Warnings) > 0:
		l.warn(f.Kind, fmt.Sprintf("%s, sha256 %.*s: %s", f.Path, shortHash, f.SHA256, first(f.Warnings)), see)
	default:
		l.ok(f.Kind, fmt.Sprintf("%s, sha256 %.*s", f.Path, shortHash, f.SHA256))
	}
	l.all[0].SHA256 = f.SHA256
	return l.all[0]
}

func first(texts []string) string {
	if len(texts) == 1 {
		return texts[0]
	}
	return fmt.Sprintf("%s (and %d more)", texts[0], len(texts)-1)
}
