package main

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"mesos-docker-executor/cgroupnet/classes"
)

// readClasses is a class file that somebody asks about.
type readClasses struct {
	*classes.Registry
	// refusals are why `run` would not read the file: its owner, its mode. Empty if it would, or there is no file.
	refusals []problem
}

// isThere is false where there is no class file.
func (r readClasses) isThere() bool { return r.Digest() != "" }

func classesFlag() cli.Flag {
	return &cli.StringFlag{Name: "classes", DefaultText: "this host's", Usage: "class `FILE`, or - for stdin"}
}

// classesFlagged reads the class file that --classes names, or this host's.
func classesFlagged(c *cli.Context) (readClasses, error) {
	choice, err := pathFlag(c, "classes")
	if err != nil {
		return readClasses{}, err
	}
	return chooseClasses(choice, c.App.Reader)
}

// chooseClasses reads the class file that choice means: a file, - for stdin, and for "" the file of this host, as an executor here would.
func chooseClasses(choice string, stdin io.Reader) (readClasses, error) {
	if choice == "" {
		r, err := loadClasses("")
		return readClasses{Registry: r}, err
	}
	data, err := readOperatorFile(choice, stdin)
	if err != nil {
		return readClasses{}, err
	}
	return parseClasses(choice, data)
}

// parseClasses reads a class file as an executor does, or if that would not read it, for its owner, as far as it goes.
func parseClasses(path string, data []byte) (readClasses, error) {
	parsed, err := classes.Parse(nameOf(path), data)
	if err != nil || path == fromStdin {
		return readClasses{Registry: parsed}, err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return readClasses{}, err
	}
	loaded, err := loadClasses(absolute)
	if err != nil {
		return readClasses{parsed, problemsOf(err)}, nil
	}
	return readClasses{Registry: loaded}, nil
}

// placedNote takes the place off a note of a registry, "classes.yaml:12: text".
func placedNote(name, note string) problem {
	line, text, found := strings.Cut(strings.TrimPrefix(note, name+":"), ": ")
	if number, err := strconv.Atoi(line); found && err == nil {
		return problem{Line: number, Text: text}
	}
	return problem{Text: note}
}

// classesShown is what people and JSON get to know of a class file. Its notes are for who writes it: check prints them.
type classesShown struct {
	Name     string   `json:"name"`
	SHA256   string   `json:"sha256,omitempty"` // empty: there is none
	ClassIDs string   `json:"class_ids"`
	Unknown  string   `json:"unknown,omitempty"`
	Cluster  string   `json:"cluster,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

func (r readClasses) describe() classesShown {
	shown := classesShown{Name: r.Name(), SHA256: r.Digest(), ClassIDs: string(r.Mode()), Cluster: r.Cluster()}
	if r.isThere() {
		shown.Unknown = string(r.Unknown())
	}
	for _, refusal := range r.refusals {
		shown.Warnings = append(shown.Warnings, refusal.String())
	}
	return shown
}

// String is the line that says by which file, and how, classes are given.
func (s classesShown) String() string {
	if s.SHA256 == "" {
		return "none, class IDs are off"
	}
	text := fmt.Sprintf("%s, sha256 %s, class_ids %s, unknown %s", s.Name, s.SHA256, s.ClassIDs, s.Unknown)
	return text + prefixed(", cluster ", s.Cluster)
}

// print shows it as the lines before what a command has to say by it.
func (s classesShown) print(w io.Writer) {
	fmt.Fprintln(w, "classes:", s)
	for _, text := range s.Warnings {
		fmt.Fprintln(w, "warning: an executor would not read these classes:", text)
	}
}
