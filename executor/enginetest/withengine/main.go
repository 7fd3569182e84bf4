//go:build linux

// Command withengine runs a command with a Docker Engine that has the images of [enginetest]: DOCKER_HOST names it.
//
//	withengine -- CMD ARGS...                      a private engine, which ends with the command
//	withengine -host unix:///PATH -- CMD ARGS...   that engine; the images it lacked are removed afterwards
//	withengine -find                               print the address of the engine that already runs here
//
// SIGINT and SIGTERM are passed on to the command; the engine is stopped, or the images are removed, after it in that
// case too. Nothing but the command writes to stdout, except for the address that -find prints.
//
// The exit status is the command's, 128 + N if signal N killed it, 127 if it could not be started, 125 if the engine
// failed, and 2 for a wrong command line. -find ends with 0, with 1 when no engine answers at DOCKER_HOST (or Docker's
// default socket), and with 2 when DOCKER_HOST is no unix socket. (`go run` itself turns every failure into 1: build
// the command where the status matters.)
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"mesos-docker-executor/executor/enginetest"
)

const (
	noEngine     = 1   // of -find
	wrongUsage   = 2   //
	engineFailed = 125 // as `docker run` says that the daemon, not the command, failed
	notStarted   = 127 // as a shell says that there is no such command
)

const usage = `usage: withengine [-host unix:///PATH] -- CMD ARGS...
       withengine -find
`

func main() {
	// Registered before the start, so that no signal is lost on the way from the engine to the command.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	os.Exit(run(ctx, os.Args[1:], signals, os.Getenv, os.Stdout, os.Stderr))
}

// run is main without the process around it; the command itself gets this process's own streams.
func run(ctx context.Context, args []string, signals <-chan os.Signal, getenv func(string) string, out, errOut io.Writer) int {
	flags := flag.NewFlagSet("withengine", flag.ContinueOnError)
	flags.SetOutput(errOut)
	flags.Usage = func() { fmt.Fprint(errOut, usage) }
	host := flags.String("host", "", "use this engine")
	find := flags.Bool("find", false, "print the engine that runs here")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil: // said by Parse
		return wrongUsage
	case *find && flags.NArg() == 0:
		return printEngine(ctx, getenv("DOCKER_HOST"), out, errOut)
	case *find || flags.NArg() == 0:
		flags.Usage()
		return wrongUsage
	}

	engine, giveBack, err := provide(ctx, *host, errOut)
	if err != nil {
		fmt.Fprintln(errOut, "withengine:", err)
		return engineFailed
	}
	status := runCommand(flags.Args(), engine, signals)
	if err := giveBack(); err != nil {
		fmt.Fprintln(errOut, "withengine:", err)
		return engineFailed
	}
	return status
}

func printEngine(ctx context.Context, dockerHost string, out, errOut io.Writer) int {
	host, err := enginetest.Find(ctx, dockerHost)
	switch {
	case errors.Is(err, enginetest.ErrNoEngine):
		return noEngine
	case err != nil:
		fmt.Fprintln(errOut, "withengine:", err)
		return wrongUsage
	}
	fmt.Fprintln(out, host)
	return 0
}

// provide returns the address of an engine with all images, and what undoes it.
func provide(ctx context.Context, host string, log io.Writer) (engine string, giveBack func() error, err error) {
	if host != "" {
		giveBack, err = enginetest.Lend(ctx, host)
		return host, giveBack, err
	}
	private, err := enginetest.Start(ctx, log)
	if err != nil {
		return "", nil, err
	}
	return private.Host, private.Stop, nil
}

// runCommand runs the command to its end and returns its exit status.
func runCommand(args []string, host string, signals <-chan os.Signal) int {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+host)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "withengine:", err)
		return notStarted
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		cmd.Wait() //nolint:errcheck // ProcessState says it all
	}()
	for {
		select {
		case s := <-signals:
			// Ctrl-C reaches the command from the terminal; a second one would change its meaning.
			if s != syscall.SIGINT || !term.IsTerminal(int(os.Stdin.Fd())) {
				_ = cmd.Process.Signal(s)
			}
		case <-ended:
			status := cmd.ProcessState.Sys().(syscall.WaitStatus)
			if status.Signaled() {
				return 128 + int(status.Signal())
			}
			return status.ExitStatus()
		}
	}
}
