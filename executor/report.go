package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"mesos-docker-executor/executor/report"
)

func reportCommand() *cli.Command {
	return &cli.Command{
		Name:      "report",
		Usage:     "show what happened to a task that did not finish",
		ArgsUsage: "FILE",
		Description: "FILE is a " + report.FileName + ", or the sandbox that it is in, or - for stdin. An executor writes\n" +
			"one into the sandbox at every end of a task other than TASK_FINISHED. It is shown as a timeline, with the calls to the\n" +
			"Docker daemon (! marks what was slow or odd, !! what failed), what each witness of the end said and the last lines of\n" +
			"output. Nothing in it acts on the terminal; NO_COLOR switches the colours off.\n\n" +
			"Exit status: 0 shown, 1 it cannot be read, is damaged or of another version, or the output cannot be written, 2 usage.\n\n" +
			"Examples:\n" +
			"   mesos-docker-executor report testdata/reports/frozen-engine.json\n" +
			"   mesos-docker-executor report /var/lib/mesos/slaves/AGENT/frameworks/FRAMEWORK/executors/TASK/runs/latest\n" +
			"   mesos-docker-executor report --json testdata/reports/frozen-engine.json",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print the report, checked, as one JSON object"},
		},
		OnUsageError: usageError,
		Action:       showReport,
	}
}

func showReport(c *cli.Context) error {
	if c.NArg() == 0 {
		return cli.Exit("report needs a file, a sandbox, or - for stdin; see --help", exitUsage)
	}
	path, err := onlyArgument(c)
	if errors.Is(err, flag.ErrHelp) {
		return cli.ShowSubcommandHelp(c)
	}
	if err != nil {
		return cli.Exit("report: "+err.Error(), exitUsage)
	}
	r, err := readReport(path, c.App.Reader)
	if err != nil {
		return cli.Exit(err.Error(), exitFail)
	}
	if c.Bool("json") {
		text, err := report.Encode(r)
		if err != nil {
			return cli.Exit(fmt.Sprintf("report: %v", err), exitFail)
		}
		c.App.Writer.Write(text) // the writer keeps the error
		return nil
	}
	width, color := screen(c.App.Writer, os.Getenv("NO_COLOR"))
	report.Render(c.App.Writer, r, width, color) // as above
	return nil
}

// screen is how wide the output may be (0: as it likes), and whether it is coloured (no-color.org).
func screen(w io.Writer, noColor string) (width int, color bool) {
	if !isTerminal(w) {
		return 0, false
	}
	width, _, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		width = 0
	}
	return width, noColor == ""
}

// readReport reads the report at path, or in the folder there, or from stdin. An error names the file.
func readReport(path string, stdin io.Reader) (report.Report, error) {
	if path == "-" {
		r, err := report.Read(stdin)
		return r, wrap("stdin", err)
	}
	f, err := openReport(path)
	if err != nil {
		return report.Report{}, err
	}
	defer f.Close()
	r, err := report.Read(f)
	return r, wrap(report.Printable(f.Name()), err)
}

// openReport opens a report for reading. It may lie in a sandbox, which belongs to the task's user: what is no regular file is
// not opened, and no link is followed.
func openReport(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if err == nil && info.IsDir() {
		path = filepath.Join(path, report.FileName)
	}
	shown := report.Printable(path)
	info, err = os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: there is no such file; a report is in the sandbox of each task that ended other than by TASK_FINISHED", shown)
	case err != nil:
		return nil, cannotOpen(shown, err)
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, fmt.Errorf("%s: is a symbolic link, which a task's user may have made; name the file that it leads to", shown)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: is not a regular file, so no executor wrote it; use - to read from a pipe", shown)
	}
	f, err := openRegular(path)
	if err != nil {
		return nil, cannotOpen(shown, err)
	}
	return f, nil
}

// openRegular neither waits nor follows a link, even if the file was exchanged after the look at it; nor will reading wait, as it
// would for who has a FIFO open at its other end.
func openRegular(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("was exchanged for what is not a regular file")
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func cannotOpen(shown string, err error) error {
	var file *fs.PathError
	if errors.As(err, &file) {
		err = file.Err // without the path, which is shown
	}
	remedy := ""
	if errors.Is(err, fs.ErrPermission) {
		remedy = "; read it as root or as its owner"
	}
	return fmt.Errorf("%s: cannot be opened: %w%s", shown, err, remedy)
}
