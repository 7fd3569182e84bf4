//go:build linux

// Command bench measures what the executor costs, against the plain Docker API of the same engine in the same run.
//
//	go run ./executor/bench [-only launch,idle] [-pairs 20] [-json FILE]
//
// # How it measures
//
// It starts one private Docker Engine ([enginetest]) and, for each task, the built binary as an agent's Docker containerizer
// starts it: its flags, its environment, a sandbox of its own, checkpointing on. The agent is an endpoint of the bench
// ([endpoint]) that answers SUBSCRIBE, sends LAUNCH and KILL, acknowledges updates, and notes when each call arrived.
//
// What is compared is interleaved: one launch by the executor, one by the plain API, the next pair in the other order. The
// plain side creates and starts exactly what the executor would: the Config, HostConfig and NetworkingConfig of
// task.Decide for the same TaskInfo, with a leaf cgroup of the same kind, made beforehand, as its parent. Ratios are those of
// medians; the 95 % interval is a seeded bootstrap over pairs or rounds, of which it takes five.
//
// A figure is ok or short by its point estimate. The interval says how sure that is; other load on the machine hits both
// sides of a ratio, and the figures without one directly.
//
// # What it prints
//
// On stdout one line for each figure: name, value, unit, goal, `ok` or `short`, the 95 % interval, and details; for a short
// one also what holds it back. Progress goes to stderr if that is a terminal.
//
// # What it leaves behind
//
// Nothing, also after Ctrl-C: executors are ended first, then the engine with everything it runs, then folders and cgroups.
// After a SIGKILL the kernel stops the engine, executors give up on their agent after a minute, and the folder
// mesos-docker-executor-bench-* stays in $TMPDIR (or /tmp), with cgroups of that name, and a .tmp file beside that for JSON.
//
// The exit status is 0 when everything asked for was measured, short or not, 1 when something could not be, and 2 for a
// wrong command line.
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
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"
)

const (
	exitMeasured = 0
	exitFailed   = 1
	exitUsage    = 2
)

const usage = `usage: bench [flags]

Measures the executor against the plain Docker API of a private engine. Needs root and the built binary. Each flag can be
given as a variable of the environment too, which is how make passes them on:

    make bench                                    all figures, about ten minutes
    make bench BENCH=launch BENCH_PAIRS=20        only the launch pairs, and fewer of them
    make bench BENCH=idle,size BENCH_IDLE=30s     what idle executors cost
    make bench BENCH_JSON=figures.json            the figures as JSON too

The parts: launch (time, CPU, start, exit, kill), burst, idle, life, logs, frozen (kill and exit under a frozen engine), size,
review (the policy's decision alone), gc (launches while it removes images), class (a leaf with its class), registry (a class
file of 10,000 apps).

`

func main() {
	signal.Ignore(syscall.SIGPIPE) // a reader that goes away (| head) must not end the bench before it has cleaned up
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// After the first signal the default action is back: a second Ctrl-C ends a clean-up that hangs.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// options is the command line.
type options struct {
	only      []string // parts to measure
	pairs     int
	rounds    int
	executors int // in a burst, and idle
	idle      time.Duration
	logMiB    int
	json      string
	binary    string
	recording string // stream of an agent, with a LAUNCH
	network   string // BRIDGE or NONE
}

// parts are what can be measured by itself, in the order in which it is.
var parts = [...]string{"size", "review", "launch", "life", "logs", "frozen", "burst", "idle", "gc", "class", "registry"}

// parse reads flags, whose defaults the environment may set.
func parse(args []string, getenv func(string) string, errOut io.Writer) (options, error) {
	var o options
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(errOut)
	fs.Usage = func() { fmt.Fprint(errOut, usage); fs.PrintDefaults() }
	var problems []error
	number := func(target *int, name, variable string, value int, meaning string) {
		if text := getenv(variable); text != "" {
			n, err := strconv.Atoi(text)
			if err != nil {
				problems = append(problems, fmt.Errorf("%s=%q is not a number", variable, text))
			}
			value = n
		}
		fs.IntVar(target, name, value, meaning+" ("+variable+")")
	}
	words := getenv("BENCH")
	fs.StringVar(&words, "only", words, "parts to measure, comma separated; empty for all (BENCH)")
	number(&o.pairs, "pairs", "BENCH_PAIRS", 100, "pairs of launches")
	number(&o.rounds, "rounds", "BENCH_ROUNDS", 5, "rounds of concurrent launches, and of a frozen engine")
	number(&o.executors, "executors", "BENCH_EXECUTORS", 30, "executors in a round, idle ones, and launches beside gc")
	number(&o.logMiB, "log-mib", "BENCH_LOG_MIB", 128, "MiB of output for the log throughput")
	idle := 120 * time.Second
	if text := getenv("BENCH_IDLE"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil {
			problems = append(problems, fmt.Errorf("BENCH_IDLE=%q is not a duration like 30s", text))
		}
		idle = d
	}
	fs.DurationVar(&o.idle, "idle", idle, "how long idle executors are watched (BENCH_IDLE)")
	fs.StringVar(&o.json, "json", getenv("BENCH_JSON"), "write the figures to this `FILE` as JSON too (BENCH_JSON)")
	fs.StringVar(&o.binary, "binary", "bin/mesos-docker-executor", "the executor")
	fs.StringVar(&o.recording, "recording", "testdata/recordings/drop-in/events.protobuf.recordio", "the task whose review is measured")
	fs.StringVar(&o.network, "network", "BRIDGE", "network of the tasks: BRIDGE or NONE")
	if err := fs.Parse(args); err != nil {
		return o, err
	}
	var err error
	o.binary, err = filepath.Abs(o.binary)
	problems = append(problems, err)
	o.only = parts[:]
	if words != "" {
		o.only = strings.Split(words, ",")
	}
	return o, errors.Join(append(problems, o.check(fs.Args()))...)
}

func (o options) check(rest []string) error {
	var problems []error
	for _, part := range o.only {
		if !slices.Contains(parts[:], part) {
			problems = append(problems, fmt.Errorf("part %q is unknown; the parts are %s", part, strings.Join(parts[:], ", ")))
		}
	}
	if len(rest) > 0 {
		problems = append(problems, fmt.Errorf("unexpected argument %q: only flags are taken", rest[0]))
	}
	if o.pairs < leastPairs || o.rounds < 1 || o.executors < 1 || o.logMiB < leastLogMiB || o.idle < time.Second {
		problems = append(problems, fmt.Errorf("at least %d pairs, 1 round, 1 executor, %d MiB and 1 s of idleness are needed", leastPairs, leastLogMiB))
	}
	if o.network != "BRIDGE" && o.network != "NONE" {
		problems = append(problems, fmt.Errorf("network %q: write BRIDGE or NONE", o.network))
	}
	return errors.Join(problems...)
}

// run is main without the process around it. Its result is the exit status.
func run(ctx context.Context, args []string, getenv func(string) string, out, errOut io.Writer) int {
	o, err := parse(args, getenv, errOut)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitMeasured
	case err != nil:
		fmt.Fprintln(errOut, "bench:", err)
		return exitUsage
	}
	if err := measureTo(ctx, o, newReport(out), progress{errOut, isTerminal(errOut)}); err != nil {
		fmt.Fprintln(errOut, "bench:", err)
		return exitFailed
	}
	return exitMeasured
}

// measureTo measures, and writes JSON too if that is wanted.
func measureTo(ctx context.Context, o options, r *report, notes progress) error {
	if o.json == "" {
		return measure(ctx, o, r, notes)
	}
	file, err := openJSON(o.json)
	if err != nil {
		return err
	}
	err = measure(ctx, o, r, notes)
	return errors.Join(err, file.finish(r, err))
}

var errInterrupted = errors.New("interrupted")

// orInterrupted returns err, or that the run was interrupted, if that is why it failed: whatever was under way has failed with
// an error of its own, which is of no interest.
func orInterrupted(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return errInterrupted
	}
	return err
}

// measure runs the parts that were asked for, one after the other.
func measure(ctx context.Context, o options, report *report, notes progress) (err error) {
	defer notes.clear()
	b, err := prepare(ctx, o, report, notes)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	for _, part := range parts {
		if !slices.Contains(o.only, part) {
			continue
		}
		if err := errors.Join(b.measure(ctx, part), report.broken); err != nil {
			return fmt.Errorf("%s: %w", part, orInterrupted(ctx, err))
		}
	}
	return nil
}

func (b *bench) measure(ctx context.Context, part string) error {
	switch part {
	case "size":
		return b.size()
	case "review":
		return b.review(ctx)
	case "gc":
		return b.gc(ctx)
	case "class":
		return b.class(ctx)
	case "registry":
		return b.registry(ctx)
	case "launch":
		return b.launch(ctx)
	case "burst":
		return b.burst(ctx)
	case "life":
		return b.life(ctx)
	case "logs":
		return b.logs(ctx)
	case "frozen":
		return b.frozen(ctx)
	default:
		return b.idle(ctx)
	}
}

// progress is one line that changes, on a terminal only.
type progress struct {
	to   io.Writer
	live bool
}

func (p progress) say(format string, args ...any) {
	if p.live {
		fmt.Fprintf(p.to, "\r\033[K"+format, args...)
	}
}

func (p progress) clear() { p.say("") }

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
