package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"go.yaml.in/yaml/v3"

	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/localagent"
	"mesos-docker-executor/executor/task"
)

const (
	// exitLimit is how long an executor may live on after the terminal update, whose acknowledgement it has: it ends at
	// once, or 60 s later when it missed the acknowledgement.
	exitLimit = 75 * time.Second
	// destroyLimit is the time for the executor's own end after SIGTERM; then it is killed.
	destroyLimit = 15 * time.Second
	// leftoverLimit bounds the calls that look for a container that was left.
	leftoverLimit = 30 * time.Second
)

// run runs the task and returns the exit status. The goroutine that calls it does all the printing.
func (t *trial) run(ctx context.Context) int {
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	defer signal.Stop(signals)

	work, err := os.MkdirTemp("", "mesos-docker-executor-try-")
	if err != nil {
		err = fmt.Errorf("cannot make a work directory: %w", err)
	}
	o := outcome{status: exitFail}
	if err == nil {
		o, err = t.runIn(ctx, work, signals)
		err = errors.Join(err, t.removeWork(work))
	}
	if err != nil {
		o.problem, o.status = err.Error(), exitFail
	}
	t.show.result(o)
	return o.status
}

// runIn runs the task in a work directory. With an error, something could not be begun or not be cleaned up.
func (t *trial) runIn(ctx context.Context, work string, signals <-chan os.Signal) (outcome, error) {
	agent, err := t.startAgent(ctx, work)
	if err != nil {
		return outcome{status: exitFail}, err
	}
	o := t.watch(ctx, agent, signals)
	err = errors.Join(agent.Close(), t.removeLeftovers(ctx, agent))
	if err != nil {
		err = fmt.Errorf("could not clean up: %w", err)
	}
	return o, err
}

// startAgent opens the agent and forks the executor.
func (t *trial) startAgent(ctx context.Context, work string) (*localagent.Agent, error) {
	configFile := filepath.Join(work, "config.yaml")
	if err := writeConfig(configFile, t.file); err != nil {
		return nil, err
	}
	options := localagent.Options{
		Mode:          localagent.Mode(t.mode),
		Task:          t.task,
		Framework:     &t.framework,
		NoCheckpoint:  !t.framework.GetCheckpoint(),
		WorkDir:       filepath.Join(work, "agent"),
		Executable:    t.executable,
		DockerSocket:  strings.TrimPrefix(t.file.Engine.Host, "unix://"),
		EnforceCFS:    t.file.Container.EnforceCFS,
		StopContainer: t.removeContainer,
	}
	if t.mode == task.Custom {
		options.Arguments = []string{"run", "--config", configFile}
	} else {
		options.Arguments = []string{"--config=" + configFile}
	}
	if err := os.Mkdir(options.WorkDir, 0o755); err != nil {
		return nil, err
	}
	agent, err := localagent.Start(ctx, options)
	if err != nil {
		return nil, err
	}
	t.show.begin(fmt.Sprintf("%s in %s mode, engine %s", agent.Task().TaskID.Value, t.mode, t.file.Engine.Host))
	if err := agent.StartExecutor(); err != nil {
		return nil, errors.Join(err, agent.Close())
	}
	return agent, nil
}

// writeConfig writes a config.yaml that the executor trusts: root's, and private.
func writeConfig(path string, file config.File) error {
	raw, err := yaml.Marshal(file)
	keys := map[string]any{}
	if err == nil {
		err = yaml.Unmarshal(raw, keys)
	}
	if err == nil {
		keys["log_level"] = strings.ToLower(file.LogLevel.String()) // slog prints it in capitals
		raw, err = yaml.Marshal(keys)
	}
	if err == nil {
		err = os.WriteFile(path, raw, 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot write the executor's configuration: %w", err)
	}
	return nil
}

// outcome is how the run ended.
type outcome struct {
	state   mesos.TaskState
	ended   bool   // there is a state
	message string // of the terminal status
	problem string // what no status told
	status  int    // exit status
}

// watch shows the run until the executor's process has ended and its output is read.
func (t *trial) watch(ctx context.Context, agent *localagent.Agent, signals <-chan os.Signal) outcome {
	lines := make(chan logLine)
	exited := agent.Exited()
	var readers sync.WaitGroup
	for _, name := range []string{"stdout", "stderr"} {
		readers.Go(func() { follow(filepath.Join(agent.Sandbox(), name), name, exited, lines) })
	}
	go func() { readers.Wait(); close(lines) }()

	following, stop := context.WithCancel(ctx)
	defer stop()
	entries := make(chan []localagent.Entry)
	go followTimeline(following, agent, entries)

	w := watcher{trial: t, agent: agent, ctx: ctx}
	defer w.close()
	if t.timeout > 0 {
		w.timeout = time.After(t.timeout)
	}
	for lines != nil || w.seen < len(agent.Timeline()) {
		select {
		case batch := <-entries:
			w.entries(batch)
		case line, open := <-lines:
			if !open {
				lines = nil
				break
			}
			w.line(line)
		case <-signals:
			w.interrupt()
		case <-w.kill:
			w.kill, w.killed = nil, true
			t.show.note("--kill-after is over: kill the task")
			agent.Kill(nil)
		case <-w.timeout:
			w.timeout, w.timedOut = nil, true
			t.show.note("--timeout is over: shut the executor down")
			agent.Shutdown()
		case <-w.exit:
			w.exit = nil
			t.show.note(fmt.Sprintf("the executor still lives %v after the terminal update: destroy it", exitLimit))
			w.destroy()
		}
	}
	return w.outcome()
}

// followTimeline passes the agent's entries on, in order.
func followTimeline(ctx context.Context, agent *localagent.Agent, to chan<- []localagent.Entry) {
	for seen := 0; ; {
		batch, err := agent.Next(ctx, seen)
		if err != nil {
			return
		}
		seen += len(batch)
		select {
		case to <- batch:
		case <-ctx.Done():
			return
		}
	}
}

// watcher is what the loop of watch remembers.
type watcher struct {
	*trial
	agent *localagent.Agent
	ctx   context.Context

	seen       int // entries shown
	subscribed bool
	interrupts int
	killed     bool // --kill-after fired
	timedOut   bool
	kill       <-chan time.Time
	timeout    <-chan time.Time
	exit       <-chan time.Time
	lastLines  []string // of stderr

	destroying     sync.WaitGroup
	cancelDestroys []context.CancelFunc
}

func (w *watcher) entries(batch []localagent.Entry) {
	for _, e := range batch {
		w.seen++
		w.show.entry(e)
		switch {
		case e.Kind == localagent.Event && e.Name == "SUBSCRIBED":
			w.subscribed = true
		case e.Kind == localagent.Event && e.Name == "LAUNCH" && w.killAfter != nil && w.kill == nil && !w.killed:
			w.kill = time.After(time.Until(e.At.Add(*w.killAfter)))
		case e.Kind == localagent.Status && w.exit == nil && isTerminal(e.Status.GetState()):
			w.exit = time.After(exitLimit)
		}
	}
}

func (w *watcher) line(l logLine) {
	w.show.line(l)
	if l.source != "stdout" {
		w.lastLines = append(w.lastLines, l.text)
		w.lastLines = w.lastLines[max(0, len(w.lastLines)-5):]
	}
}

// interrupt escalates: shutdown, destroy, kill.
func (w *watcher) interrupt() {
	w.interrupts++
	switch w.interrupts {
	case 1:
		w.show.note("interrupted: shut the executor down; interrupt again to destroy it")
		w.agent.Shutdown()
	case 2:
		w.show.note("interrupted again: destroy the executor")
		w.destroy()
	default:
		w.close()
	}
}

// destroy runs beside the loop, which goes on showing what happens.
func (w *watcher) destroy() {
	ctx, cancel := context.WithTimeout(w.ctx, destroyLimit)
	w.cancelDestroys = append(w.cancelDestroys, cancel)
	w.destroying.Go(func() {
		_ = w.agent.Destroy(ctx) // Close does what is left, and reports
	})
}

// close ends the patience of destroys that still run.
func (w *watcher) close() {
	for _, cancel := range w.cancelDestroys {
		cancel()
	}
	w.destroying.Wait()
}

// outcome judges the run after its end.
func (w *watcher) outcome() outcome {
	o := outcome{status: exitFail}
	for _, s := range w.agent.Statuses() {
		if isTerminal(s.GetState()) {
			o.ended, o.state, o.message = true, s.GetState(), s.GetMessage()
			break
		}
	}
	switch {
	case !w.subscribed:
		o.problem = "the executor ended without subscribing to the agent"
		if len(w.lastLines) > 0 {
			o.problem += "; its last lines were:\n" + strings.Join(w.lastLines, "\n")
		}
	case w.timedOut:
		o.problem = "--timeout was over before the task had ended"
	case o.state == mesos.TASK_FINISHED, o.state == mesos.TASK_KILLED && w.killed:
		o.status = exitOK
	}
	return o
}

func isTerminal(s mesos.TaskState) bool {
	switch s {
	case mesos.TASK_STAGING, mesos.TASK_STARTING, mesos.TASK_RUNNING, mesos.TASK_KILLING:
		return false
	}
	return true
}

// removeWork removes the work directory, or says where it is.
func (t *trial) removeWork(work string) error {
	if t.keep {
		t.show.note("kept " + work)
		return nil
	}
	return os.RemoveAll(work)
}

// removeLeftovers removes what an executor that was killed leaves behind. Ids are unique to this run.
func (t *trial) removeLeftovers(ctx context.Context, agent *localagent.Agent) error {
	name := agent.ContainerName()
	if t.mode == task.Custom {
		name = t.file.Container.NamePrefix + "-" + agent.IDs().ContainerID
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leftoverLimit)
	defer cancel()
	leases, err := filepath.Glob(filepath.Join(start{file: t.file}.leaseDir(), agent.IDs().ContainerID+".*"))
	for _, lease := range leases { // first: without it, a late start fails
		err = errors.Join(err, os.Remove(lease))
	}
	return errors.Join(err, t.removeContainer(ctx, name), removeLeaf(t.mode, t.file.Cgroup.Root, agent.IDs().ContainerID))
}

// removeContainer stops and removes a container. An engine that does not answer cannot be asked; without one no
// container was made.
func (t *trial) removeContainer(ctx context.Context, name string) error {
	docker, err := engine.Open(t.file.Engine.Host, engine.Limits(t.file.Engine.Limits))
	if err != nil {
		return err
	}
	defer docker.Close()
	if _, err := docker.Probe(ctx); err != nil {
		if engine.OutcomeOf(err) == engine.Refused {
			return nil
		}
		return fmt.Errorf("cannot tell whether container %s is left: %w", name, err)
	}
	return docker.Remove(ctx, name)
}
