package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/executor/config"
)

func checkCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "find the mistakes in config.yaml, policy.yaml and classes.yaml",
		ArgsUsage: "[FILE...]",
		Description: "Each FILE is taken for what its keys say, whatever its name is; - is stdin. Without one it is the files of this host\n" +
			"that are in " + defaultFolder() + ". It reads nothing else but the seccomp profiles that a policy names, needs\n" +
			"no root, and works on macOS too.\n\n" +
			"Each problem has a line with the place and the key. A file whose content is right can be one that no executor would\n" +
			"read, since somebody other than root owns it or may write to it: of a FILE that is a warning, as it may be on its way\n" +
			"to a host; of a file of this host it is a problem, as no task would start. A warning is also what a policy says in vain:\n" +
			"an entry that an earlier one hides, an exception that has expired. Notes are about what is right and yet worth to know:\n" +
			"a policy that only audits, denials that break_glass lifts, an app whose class no task can get.\n\n" +
			"Exit status: 0 all are right, 1 one is not, or has a warning and --strict is given, or the output cannot be written,\n" +
			"2 usage, or a FILE cannot be read.\n\n" +
			"Examples:\n" +
			"   mesos-docker-executor check\n" +
			"   mesos-docker-executor check docs/policies/strict.yaml docs/classes/two-clusters.yaml\n" +
			"   mesos-docker-executor policy default | mesos-docker-executor check --json -",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "strict", DisableDefaultText: true, Usage: "exit with 1 if there is a warning"},
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print one JSON object"},
		},
		OnUsageError: usageError,
		Action:       check,
	}
}

func check(c *cli.Context) error {
	paths, err := arguments(c)
	if errors.Is(err, flag.ErrHelp) {
		return cli.ShowSubcommandHelp(c)
	}
	switch {
	case err != nil:
	case slices.Contains(paths, ""):
		err = errors.New("the path of a FILE is empty")
	case countOf(fromStdin, paths...) > 1:
		err = errors.New("only one FILE can be stdin")
	}
	if err != nil {
		return cli.Exit("check: "+err.Error(), exitUsage)
	}
	var list checked
	if len(paths) == 0 {
		for _, f := range defaultFiles() {
			list.Files = append(list.Files, checkDefault(f))
		}
	}
	for _, path := range paths {
		list.Files = append(list.Files, checkFile(path, c.App.Reader))
	}
	if c.Bool("json") {
		err = writeJSON(c.App.Writer, list)
	} else {
		list.print(c.App.Writer)
	}
	if err != nil {
		return cli.Exit(err.Error(), exitFail)
	}
	return cli.Exit("", list.status(c.Bool("strict")))
}

// checked is what check prints.
type checked struct {
	Files []checkedFile `json:"files"`
}

type checkedFile struct {
	File   string `json:"file"`
	Kind   string `json:"kind,omitempty"` // policy, config, classes; empty if it cannot be read
	OK     bool   `json:"ok"`
	SHA256 string `json:"sha256,omitempty"`
	// Missing is said of a file that need not be there.
	Missing  string    `json:"missing,omitempty"`
	Problems []problem `json:"problems,omitempty"`
	Warnings []problem `json:"warnings,omitempty"`
	Notes    []problem `json:"notes,omitempty"`
	unread   bool      // it cannot be read
}

// problem is one thing to put right in a file, or to know about it.
type problem struct {
	Line int    `json:"line,omitempty"` // 0: of the file as a whole
	Key  string `json:"key,omitempty"`
	Text string `json:"text"`
}

func (p problem) String() string { return strings.TrimPrefix(p.Key+": ", ": ") + p.Text }

func (f checkedFile) print(w io.Writer) {
	name := f.File
	switch {
	case f.Missing != "":
		fmt.Fprintf(w, "%s: not there: %s\n", name, f.Missing)
	case f.OK:
		fmt.Fprintf(w, "%s: ok (%s, sha256 %s)\n", name, f.Kind, f.SHA256)
	}
	for _, p := range f.Problems {
		fmt.Fprintf(w, "%s: %s\n", placeOf(name, p.Line), p)
	}
	for _, p := range f.Warnings {
		fmt.Fprintf(w, "%s: warning: %s\n", placeOf(name, p.Line), p)
	}
	for _, p := range f.Notes {
		fmt.Fprintf(w, "%s: note: %s\n", placeOf(name, p.Line), p)
	}
}

func placeOf(name string, line int) string {
	if line == 0 {
		return name
	}
	return fmt.Sprintf("%s:%d", name, line)
}

func (c checked) print(w io.Writer) {
	for _, f := range c.Files {
		f.print(w)
	}
}

func (c checked) status(strict bool) int {
	status := exitOK
	for _, f := range c.Files {
		switch {
		case f.unread:
			status = exitUsage
		case !f.OK || strict && len(f.Warnings) > 0:
			status = max(status, exitFail)
		}
	}
	return status
}

// checkFile checks a file that somebody named.
func checkFile(path string, stdin io.Reader) checkedFile {
	data, err := readOperatorFile(path, stdin)
	if err != nil {
		text := strings.TrimPrefix(err.Error(), nameOf(path)+": ")
		return checkedFile{File: nameOf(path), unread: true, Problems: []problem{{Text: text}}}
	}
	return checkContent(path, kindOf(path, data), data, isDefaultPath(path))
}

// checkDefault checks a file that executors of this host read, as what they take it for.
func checkDefault(d defaultFile) checkedFile { return d.check(d.demanded) }

// check takes demanded for what the host's config.yaml has against it that the file is missing.
func (d defaultFile) check(demanded func() error) checkedFile {
	var data []byte
	var err error
	if missing(d.path) {
		if err = demanded(); err == nil {
			return checkedFile{File: d.path, Kind: d.kind, OK: true, Missing: d.without}
		}
	} else {
		data, err = readOperatorFile(d.path, nil)
	}
	if err != nil {
		return checkedFile{File: d.path, Kind: d.kind, Problems: []problem{{Text: strings.TrimPrefix(err.Error(), d.path+": ")}}}
	}
	kind, _ := kindNamed(d.kind)
	return checkContent(d.path, kind, data, true)
}

// demanded is an error if the file, which is missing, is one that this host's config.yaml demands. What is wrong with that one is said
// where it is checked itself.
func (d defaultFile) demanded() error {
	if d.path != classes.DefaultPath {
		return nil
	}
	file, err := config.Load(config.DefaultPath, false)
	if err != nil {
		return nil
	}
	return checkClassesThere(classes.None(d.path), file)
}

// checkContent checks what was read as a file of the kind. ours says that executors of this host read it.
func checkContent(path string, kind fileKind, data []byte, ours bool) checkedFile {
	f := checkedFile{File: nameOf(path), Kind: kind.name}
	c, err := kind.read(path, data)
	switch {
	case err != nil:
		f.Problems = problemsOf(err)
		return f
	case ours:
		f.Problems = c.refusals
	default:
		for _, p := range c.refusals {
			f.Warnings = append(f.Warnings, problem{Line: p.Line, Text: "no executor would read it: " + p.String()})
		}
	}
	f.Warnings = append(f.Warnings, c.warnings...)
	f.Notes, f.SHA256, f.OK = c.notes, c.digest, len(f.Problems) == 0
	return f
}

func writeJSON(w io.Writer, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%s\n", text) // the writer keeps the error
	return nil
}
