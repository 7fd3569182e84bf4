//go:build linux

// Command withengine runs a command with a private Docker Engine: DOCKER_HOST names it.
//
//	go run ./executor/enginetest/withengine -- CMD ARGS...
//
// The engine is stopped when the command has ended. SIGINT and SIGTERM are passed on to the command;
// the engine is stopped after it in that case too. The exit status is the command's, 128 + N if signal N
// killed it, 125 if the engine failed. (`go run` itself turns every failure into 1: build the
// command where the status matters.)
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"mesos-docker-executor/executor/enginetest"
)

const engineFailed = 125 // as `docker run` says that the daemon, not the command, failed

func main() {
	args := os.Args[1:]
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	if len(args) == 0 {
		fmt.Fprintln(os.Stderr, "usage: withengine -- CMD ARGS...")
		os.Exit(2)
	}
	os.Exit(run(args))
}

func run(args []string) int {
	// Registered before the start, so that no signal is lost on the way from the engine to the command.
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()

	engine, err := enginetest.Start(ctx, os.Stderr)
	if err != nil {
		fmt.Fprintln(os.Stderr, "withengine:", err)
		return engineFailed
	}
	status := runCommand(args, engine.Host, signals)
	if err := engine.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "withengine:", err)
		return engineFailed
	}
	return status
}

// runCommand runs the command to its end and returns its exit status.
func runCommand(args []string, host string, signals <-chan os.Signal) int {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+host)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(os.Stderr, "withengine:", err)
		return 127
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
