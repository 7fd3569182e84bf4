package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/urfave/cli/v2"

	"mesos-docker-executor/executor/report"
)

const frozenReport = "../testdata/reports/frozen-engine.json"

// reported runs the command and returns what it prints, its exit status and its complaint.
func reported(stdin io.Reader, args ...string) (out string, status int, complaint string) {
	var b bytes.Buffer
	app := newApp(nil, new(int))
	app.Writer, app.Reader = &b, stdin
	err := app.Run(append([]string{"x", "report"}, args...))
	var exit cli.ExitCoder
	if errors.As(err, &exit) {
		return b.String(), exit.ExitCode(), err.Error()
	}
	return b.String(), exitOK, ""
}

func TestReportIsFoundInASandboxOrOnStdin(t *testing.T) {
	text, err := os.ReadFile(frozenReport)
	if err != nil {
		t.Fatal(err)
	}
	sandbox := t.TempDir()
	latest := filepath.Join(t.TempDir(), "latest") // as the agent makes it
	path := filepath.Join(sandbox, report.FileName)
	if err := errors.Join(os.WriteFile(path, text, 0o600), os.Symlink(sandbox, latest)); err != nil {
		t.Fatal(err)
	}
	for _, arg := range []string{frozenReport, path, sandbox, latest, "-"} {
		out, status, complaint := reported(bytes.NewReader(text), arg)
		if status != exitOK || !strings.HasPrefix(out, "TASK_KILLED: web_front.7d1f after ") || strings.Contains(out, "\x1b") {
			t.Errorf("%s: %d %s\n%s", arg, status, complaint, out)
		}
		for _, args := range [][]string{{"--json", arg}, {arg, "--json"}} {
			if out, status, complaint := reported(bytes.NewReader(text), args...); status != exitOK || out != string(text) {
				t.Errorf("%s: %d %s\n%s", args, status, complaint, out)
			}
		}
	}
}

func TestReportThatCannotBeShown(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, text := range map[string]string{"empty": "", "half": `{"version": 1, "sta`, "newer": `{"version": 2}`, "large": strings.Repeat(" ", report.MaxSize+1)} {
		if err := os.WriteFile(in(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := errors.Join(os.Symlink("/etc/shadow", in("link")), syscall.Mkfifo(in("fifo"), 0o600),
		os.Mkdir(in("sandbox"), 0o700), os.Symlink("/etc/shadow", in("sandbox/"+report.FileName)), os.Mkdir(in("bare"), 0o700))
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args   []string
		status int
		want   string
	}{
		{nil, exitUsage, "report needs a file, a sandbox, or - for stdin; see --help"},
		{[]string{"a", "b"}, exitUsage, `report: it takes one FILE, and "b" is one more; see --help`},
		{[]string{"--wide", "a"}, exitUsage, "flag provided but not defined: --wide; see --help"},
		{[]string{in("missing")}, exitFail, in("missing") + ": there is no such file; a report is in the sandbox of each task that ended other than by TASK_FINISHED"},
		{[]string{in("bare")}, exitFail, in("bare/"+report.FileName) + ": there is no such file; a report is in the sandbox of each task that ended other than by TASK_FINISHED"},
		{[]string{in("half/x")}, exitFail, in("half/x") + ": cannot be opened: not a directory"},
		{[]string{in("link")}, exitFail, in("link") + ": is a symbolic link, which a task's user may have made; name the file that it leads to"},
		{[]string{in("sandbox")}, exitFail, in("sandbox/"+report.FileName) + ": is a symbolic link, which a task's user may have made; name the file that it leads to"},
		{[]string{in("fifo")}, exitFail, in("fifo") + ": is not a regular file, so no executor wrote it; use - to read from a pipe"},
		{[]string{in("empty")}, exitFail, in("empty") + ": is empty; copy it again, or read mesos-docker-executor.log beside it"},
		{[]string{in("half")}, exitFail, in("half") + ": is not whole: it ends within the report, after 19 bytes; copy it again, or read mesos-docker-executor.log beside it"},
		{[]string{in("newer")}, exitFail, in("newer") + ": is of format version 2, and this program reads version 1; use the mesos-docker-executor that wrote it"},
		{[]string{in("large")}, exitFail, in("large") + ": is no report: it has more than 1 MiB; name a sandbox, or the file " + report.FileName + " in it"},
		{[]string{"-"}, exitFail, "stdin: is no report: it is no JSON object; name a sandbox, or the file " + report.FileName + " in it"},
	} {
		out, status, complaint := reported(strings.NewReader("garbage"), tc.args...)
		if out != "" || status != tc.status || complaint != tc.want {
			t.Errorf("%q: %d %s\n%s\nwant %d %s", tc.args, status, complaint, out, tc.status, tc.want)
		}
	}
}

func TestHelpOfReportHasAnExampleThatRuns(t *testing.T) {
	out, status, complaint := reported(nil, "--help")
	if status != exitOK {
		t.Fatal(complaint)
	}
	ran := 0
	_, examples, _ := strings.Cut(out, "Examples:\n")
	for line := range strings.Lines(examples) {
		args, found := strings.CutPrefix(strings.TrimSpace(line), "mesos-docker-executor report ")
		if !found || strings.HasPrefix(args, "/var/lib") {
			continue
		}
		words := strings.Fields(strings.ReplaceAll(args, "testdata/", "../testdata/"))
		if out, status, complaint := reported(nil, words...); status != exitOK || out == "" {
			t.Errorf("%s: %d %s", words, status, complaint)
		}
		ran++
	}
	if ran != 2 {
		t.Errorf("%d examples in\n%s", ran, out)
	}
}

func TestReportIsColouredOnATerminalOnly(t *testing.T) {
	if width, color := screen(new(bytes.Buffer), ""); width != 0 || color {
		t.Errorf("%d, %v", width, color)
	}
	if width, color := screen(newOutput(os.Stdin), "1"); color {
		t.Errorf("%d, %v with NO_COLOR", width, color)
	}
}

// A task's user can put a FIFO in the place of the report, and keep its other end open, between the look and the opening.
func TestReportThatBecomesAFIFOIsNotWaitedFor(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	holds, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer holds.Close()
	if f, err := openRegular(fifo); err == nil {
		f.Close()
		t.Error("it is opened")
	}
}
