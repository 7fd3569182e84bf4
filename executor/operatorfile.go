package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"

	"mesos-docker-executor/executor/report"
	"mesos-docker-executor/security/policyfile"
)

// largestFile is the size in bytes beyond which a file is none of the operator's.
const largestFile = 4 << 20

// fromStdin is the word for standard input in the place of a file, builtInWord the one for the built-in policy.
const (
	fromStdin   = "-"
	builtInWord = "built-in"
)

// readOperatorFile reads a file for somebody who looks at it, wherever it lies and whosever it is: `run` is stricter. An error
// names the file.
func readOperatorFile(path string, stdin io.Reader) ([]byte, error) {
	shown, from := report.Printable(path), stdin
	if path == fromStdin {
		shown = "stdin"
	} else {
		f, err := openAnyRegular(path)
		if err != nil {
			return nil, cannotOpen(shown, err)
		}
		defer f.Close()
		from = f
	}
	data, err := io.ReadAll(io.LimitReader(from, largestFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: cannot be read: %w", shown, err)
	}
	if len(data) > largestFile {
		return nil, fmt.Errorf("%s: has more than %d MiB; name another file", shown, largestFile>>20)
	}
	return data, nil
}

// openAnyRegular opens a regular file, through links too, and waits for nobody: opening a FIFO would wait for a writer.
func openAnyRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case info.IsDir():
		err = errors.New("it is a folder; name a file in it")
	case !info.Mode().IsRegular():
		err = errors.New("it is not a regular file; use - to read from a pipe")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// readPolicy is a policy that somebody asks about.
type readPolicy struct {
	*policyfile.File
	// refusals are why `run` would not read the file, which decides what may become root on a host: its owner, its mode, its
	// profiles. Empty if it would, or there is no file.
	refusals []problem
}

// describe is what people and JSON get to know of it, with these of its notes.
func (p readPolicy) describe(notes []policyfile.Note) policyShown {
	shown := policyShown{Name: p.Name(), SHA256: p.Digest()}
	for _, n := range notes {
		shown.Notes = append(shown.Notes, n.String())
	}
	for _, r := range p.refusals {
		shown.Warnings = append(shown.Warnings, r.String())
	}
	return shown
}

// allNotes are for who writes the policy.
func (p readPolicy) allNotes() []policyfile.Note { return append(p.Notes(), p.Warnings()...) }

type policyShown struct {
	Name string `json:"name"`
	// File as it was named, by which two of one name can be told apart; only of policy diff.
	File     string   `json:"file,omitempty"`
	SHA256   string   `json:"sha256"`
	Notes    []string `json:"notes,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

// choosePolicy reads the policy that choice means: a file, the word built-in, - for stdin, and for "" the file of this host, as
// an executor here would: without one, the built-in policy.
func choosePolicy(choice string, stdin io.Reader) (readPolicy, error) {
	switch choice {
	case "":
		f, err := loadPolicy("")
		return readPolicy{File: f}, err
	case builtInWord:
		return readPolicy{File: policyfile.BuiltIn()}, nil
	}
	data, err := readOperatorFile(choice, stdin)
	if err != nil {
		return readPolicy{}, err
	}
	return parsePolicy(choice, data)
}

// parsePolicy reads a policy as an executor does, or if that would not read it, for its owner or its profiles, as far as it goes.
func parsePolicy(path string, data []byte) (readPolicy, error) {
	parsed, err := policyfile.Parse(nameOf(path), data, time.Now())
	if err != nil || path == fromStdin {
		return readPolicy{File: parsed}, err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return readPolicy{}, err
	}
	loaded, err := loadPolicy(absolute)
	if err != nil {
		return readPolicy{parsed, problemsOf(err)}, nil
	}
	return readPolicy{File: loaded}, nil
}

// policyFlag reads the policy that --policy names, or this host's.
func policyFlag(c *cli.Context) (readPolicy, error) {
	choice, err := pathFlag(c, "policy")
	if err != nil {
		return readPolicy{}, err
	}
	return choosePolicy(choice, c.App.Reader)
}

// nameOf is what messages about the content of a file call it.
func nameOf(path string) string {
	if path == fromStdin {
		return "stdin"
	}
	return report.Printable(path)
}

// isDefaultPath reports whether executors of this host read the file without being told.
func isDefaultPath(path string) bool {
	absolute, err := filepath.Abs(path)
	return err == nil && slices.ContainsFunc(defaultFiles(), func(f defaultFile) bool { return f.path == absolute })
}

// missing reports whether there is nothing at the path.
func missing(path string) bool {
	_, err := os.Lstat(path)
	return errors.Is(err, fs.ErrNotExist)
}
