//go:build acceptance

// Command acceptance lets a real Mesos judge mesos-docker-executor: it registers as a framework, launches one task per
// check in each launch mode and compares what the framework was told with what the executor promises.
//
//	MESOS_MASTER=host:port go run -tags acceptance ./executor/acceptance
//
// # What it needs
//
// A Mesos master and an agent that runs on this machine with --containerizers=docker,mesos, the agent's Docker Engine, an
// image there that has sh and sleep (--image), and the built binary (--binary, by default ./bin/mesos-docker-executor). For
// drop-in mode the agent's --launcher_dir must hold the binary as well. Without MESOS_MASTER it starts the image
// mesos/mesos-mini with Docker and uses the Mesos inside.
//
// # What it leaves behind
//
// Nothing, also after Ctrl-C and on failure: tasks that still run are killed, the framework is torn down, containers that
// carry our task ids are reported as a failed check and removed, and the mini cluster is removed with its volumes. Killed
// with SIGKILL it leaves the framework to the master, which removes it and its tasks a minute later (failover timeout).
//
// # Concurrency
//
// One goroutine ([runner]) performs the checks one after the other and owns all their state. [framework] owns the
// subscription in a goroutine of its own and hands events over a channel.
//
// # What it does not check
//
// That a task survives a restart of the agent: kill -9 of an agent is not for a program to decide. By hand: launch a long
// task, kill -9 the agent, start it again within its --recovery_timeout, and see that the task stays TASK_RUNNING and that
// `docker ps` shows the same container.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Exit statuses.
const (
	exitPassed = 0
	exitFailed = 1 // a check failed, or the checks could not be run
	exitUsage  = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the default action is back: a second Ctrl-C ends a clean-up that hangs.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// options is the command line.
type options struct {
	master       string // host:port of any master; empty = start mesos-mini
	role         string
	principal    string
	user         string
	image        string
	binary       string // absolute
	modes        []mode
	agentID      string // empty = the first active agent of this machine
	engine       string // Docker host; empty = the agent's --docker_socket, or DOCKER_HOST for mesos-mini
	miniImage    string
	json         bool
	limit        time.Duration // for everything but the clean-up
	offerTimeout time.Duration
}

func parse(args []string, getenv func(string) string, errOut io.Writer) (options, error) {
	var o options
	var modes string
	fs := flag.NewFlagSet("acceptance", flag.ContinueOnError)
	fs.SetOutput(errOut)
	fs.StringVar(&o.master, "master", getenv("MESOS_MASTER"), "host:port of a Mesos master (also by MESOS_MASTER); empty starts mesos-mini with Docker")
	fs.StringVar(&o.role, "role", "*", "role of the framework")
	fs.StringVar(&o.principal, "principal", "", "principal of the framework; empty for none")
	fs.StringVar(&o.user, "user", "root", "user of the framework")
	fs.StringVar(&o.image, "image", "busybox:local", "image with sh and sleep, present on the agent's Docker Engine")
	fs.StringVar(&o.binary, "binary", "bin/mesos-docker-executor", "the executor, as the agent's machine sees it (custom mode)")
	fs.StringVar(&modes, "modes", "drop-in,custom", "launch modes to check, comma separated")
	fs.StringVar(&o.agentID, "agent", "", "id of the agent to use; empty takes the first active one of this machine")
	fs.StringVar(&o.engine, "engine", "", "the agent's Docker Engine, such as unix:///var/run/docker.sock; empty takes the agent's --docker_socket")
	fs.StringVar(&o.miniImage, "mini-image", "mesos/mesos-mini", "image to start when no master is given")
	fs.BoolVar(&o.json, "json", false, "print one JSON object per line instead of the table")
	fs.DurationVar(&o.limit, "timeout", 6*time.Minute, "limit for all checks together")
	fs.DurationVar(&o.offerTimeout, "offer-timeout", 30*time.Second, "how long to wait for a usable offer")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	if fs.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q: only flags are taken", fs.Arg(0))
	}
	if strings.Contains(o.master, "://") {
		return o, fmt.Errorf("master %q: give host:port of a master, not a URL (ZooKeeper is not asked)", o.master)
	}
	for word := range strings.SplitSeq(modes, ",") {
		m, err := parseMode(strings.TrimSpace(word))
		if err != nil {
			return o, err
		}
		o.modes = append(o.modes, m)
	}
	abs, err := filepath.Abs(o.binary)
	if err != nil {
		return o, fmt.Errorf("make --binary %q absolute: %w", o.binary, err)
	}
	o.binary = abs
	return o, nil
}

// run is main without the process around it. Its result is the exit status.
func run(ctx context.Context, args []string, getenv func(string) string, out, errOut io.Writer) int {
	o, err := parse(args, getenv, errOut)
	if errors.Is(err, flag.ErrHelp) {
		return exitPassed
	}
	if err != nil {
		fmt.Fprintln(errOut, "acceptance:", err)
		return exitUsage
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.limit, fmt.Errorf("the limit of %s for all checks is over (--timeout)", o.limit))
	defer cancel()

	report := newReport(out, o.json)
	notes := func(format string, a ...any) { fmt.Fprintf(errOut, "acceptance: "+format+"\n", a...) }
	if err := accept(ctx, o, getenv, report, notes); err != nil {
		report.add(result{Check: "set-up", Detail: err.Error()})
	}
	report.close()
	if !report.passed() {
		return exitFailed
	}
	return exitPassed
}

// accept finds (or starts) the cluster and runs every check against it. Its error says why the checks could not be run;
// what they found is in the report.
func accept(ctx context.Context, o options, getenv func(string) string, report *report, notes func(string, ...any)) error {
	if o.master == "" {
		mini, err := startMini(ctx, miniOptions{
			Engine: firstOf(o.engine, getenv("DOCKER_HOST"), defaultEngine), Image: o.miniImage, TaskImage: o.image, Binary: o.binary, Notes: notes,
		})
		if err != nil {
			return fmt.Errorf("MESOS_MASTER is not set, and a Mesos of our own could not be started: %w", err)
		}
		defer mini.stop(context.WithoutCancel(ctx), notes)
		o.master, o.binary = mini.master, mini.binary
		return checkCluster(ctx, o, &mini.agent, mini, report, notes)
	}
	a, err := findAgent(ctx, o.master, o.agentID)
	if err != nil {
		return err
	}
	machine := &localMachine{engine: firstOf(o.engine, a.engine(), defaultEngine)}
	defer machine.close()
	return checkCluster(ctx, o, a, machine, report, notes)
}

func firstOf(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}
