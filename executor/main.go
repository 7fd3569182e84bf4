// Command mesos-docker-executor runs one Mesos task as a Docker container.
//
// A Mesos agent starts it once per task, in one of two ways: as the executor of its Docker containerizer (drop-in mode,
// recognised by the containerizer's flags), or because a framework names it in TaskInfo.executor (custom mode). People
// start it as `try`, which runs a task without Mesos, `explain`, which says what would become of one, and `report`, which shows what
// became of one; those who write its files, as `check`, `policy` and `classes`; those who run the host, as `doctor` and `gc`.
//
// This package only wires: each file holds one command, and what they do is in the packages below and beside it.
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"mesos-docker-executor/executor/config"
)

// version is set by the linker (-X main.version=...).
var version = "unknown"

// Exit statuses of every command.
const (
	exitOK    = 0
	exitFail  = 1 // run: no container ran; others: the task did not do well, or a file is not right
	exitUsage = 2 // wrong flags, environment or files: nothing was begun
)

// linePrefix marks our own lines on stderr, where the task's output goes as well.
const linePrefix = "mesos-docker-executor: "

func main() {
	os.Exit(dispatch(os.Args))
}

// dispatch runs what the command line asks for and returns the exit status.
func dispatch(args []string) int {
	if config.IsDropIn(args[1:]) {
		return dropIn(args[1:])
	}
	defer catchBrokenPipe()()
	ours, words := splitWords(args)
	status := exitOK
	app, out := newApp(words, &status), newOutput(os.Stdout)
	app.Writer = out
	if err := app.Run(ours); err != nil {
		status = exitUsage
		var exit cli.ExitCoder
		if errors.As(err, &exit) {
			status = exit.ExitCode()
		}
		if err.Error() != "" {
			say(err.Error())
		}
	}
	if out.err != nil { // the library's help, for one, does not tell
		say(fmt.Sprintf("cannot write the output: %v", out.err))
		return max(status, exitFail)
	}
	return status
}

// catchBrokenPipe leaves it to the failed write to tell that nobody reads any more, as after | head -1, so that every command ends with
// its own exit status. The function that it returns ends that. Ignored, SIGPIPE would be ignored in the executor that try starts, too.
func catchBrokenPipe() (stop func()) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGPIPE)
	return func() { signal.Stop(caught) }
}

// splitWords cuts the words after "--" off: they are the task's, and no flag parser may look at them.
func splitWords(args []string) (ours, words []string) {
	if i := slices.Index(args, "--"); i >= 0 {
		return args[:i], args[i+1:]
	}
	return args, nil
}

func newApp(words []string, status *int) *cli.App {
	cli.VersionPrinter = func(c *cli.Context) { fmt.Fprintln(c.App.Writer, c.App.Name, "version", c.App.Version) }
	run := runCommand(words, status)
	return &cli.App{
		Name:            "mesos-docker-executor",
		Usage:           "run one Mesos task as a Docker container",
		Version:         version,
		HideHelpCommand: true,
		// A folder's name may have a comma.
		DisableSliceFlagSeparator: true,
		Description: "Mesos agents start it without a command (or as `run`). In drop-in mode the agent's Docker containerizer adds its\n" +
			"own flags; in custom mode the words after -- are the task's command when TaskInfo.data has none.",
		Before: func(c *cli.Context) error { return onlyTasksWords(c.Args().First(), words) },
		// The default command has run's flags as well.
		Flags:          run.Flags,
		Action:         run.Action,
		Commands:       []*cli.Command{run, tryCommand(), explainCommand(), reportCommand(), checkCommand(), policyCommand(), classesCommand(), doctorCommand(), gcCommand()},
		OnUsageError:   usageError,
		ExitErrHandler: func(*cli.Context, error) {},
	}
}

// onlyTasksWords refuses words after "--" that no task gets: `check -- FILE` would check something else, and find it right.
func onlyTasksWords(command string, words []string) error {
	if len(words) == 0 || command == "" || command == "run" {
		return nil
	}
	return cli.Exit(fmt.Sprintf("%s: what stands after -- is a task's command, for `run`; write %q without the --, or ./ before a name that begins with -",
		command, words[0]), exitUsage)
}

// usageError turns the flag parser's errors into one line.
func usageError(_ *cli.Context, err error, _ bool) error {
	return cli.Exit(dashed(err)+"; see --help", exitUsage)
}

// dashed is an error of package flag, which writes one dash before a flag, with the two that everything else here has.
func dashed(err error) string {
	oneDash := regexp.MustCompile(`^(invalid (?:boolean )?value "(?:[^"\\]|\\.)*" for (?:flag )?|flag provided but not defined: |flag needs an argument: )-`)
	return oneDash.ReplaceAllString(err.Error(), "$1--")
}

// noArguments refuses bare words.
func noArguments(c *cli.Context) error {
	if c.Args().Present() {
		var names []string
		for _, command := range c.App.Commands {
			names = append(names, command.Name)
		}
		return cli.Exit(fmt.Sprintf("%q is neither a command nor a flag; the commands are %s, each has --help; the task's own words come after --",
			c.Args().First(), strings.Join(names, ", ")), exitUsage)
	}
	return nil
}

// say writes a line of ours to stderr; a message of several lines keeps the prefix on each.
func say(message string) {
	for line := range strings.Lines(strings.TrimRight(message, "\n")) {
		fmt.Fprint(os.Stderr, linePrefix, strings.TrimRight(line, "\n"), "\n")
	}
}
