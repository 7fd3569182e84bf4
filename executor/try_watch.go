package main

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/enginefault"
	"mesos-docker-executor/executor/localagent"
)

const (
	// exitLimit is how long an executor may live on after the terminal update, whose acknowledgement it has: it ends at
	// once, or 60 s later when it missed the acknowledgement.
	exitLimit = 75 * time.Second
	// destroyLimit is the time for the executor's own end after SIGTERM; then it is killed.
	destroyLimit = 15 * time.Second
	// unsaid is how long an executor may live on after the terminal update without a word about it; that it may live for lingerLimit is for
	// the rest of the output and the removal of the container, of which an engine that hangs does neither (package supervise).
	unsaid      = 2 * time.Second
	lingerLimit = 20 * time.Second
	// sameInterrupt is how soon after an interrupt another one is the same: behind a program that passes signals on, one
	// Ctrl-C arrives from the terminal and from there.
	sameInterrupt = 300 * time.Millisecond
)

// outcome is how the run ended.
type outcome struct {
	state   mesos.TaskState
	ended   bool   // there is a state
	reason  string // of the terminal status, and so is the message
	message string
	problem string // what no status told
	left    string // what could not be cleaned up, and why
	status  int    // exit status
}

// leave notes what could not be cleaned up. What became of the task stays.
func (o *outcome) leave(err error) {
	if err == nil {
		return
	}
	if o.left != "" {
		o.left += "; "
	}
	o.left += strings.ReplaceAll(err.Error(), "\n", "; ")
	o.status = exitFail
}

// why says in short what kept the run from doing well.
func (o outcome) why() string {
	var parts []string
	switch {
	case o.problem != "":
		parts = append(parts, o.problem)
	case o.reason != "":
		parts = append(parts, o.reason+": "+firstProblem(o.message))
	case o.message != "":
		parts = append(parts, firstProblem(o.message))
	}
	if o.left != "" {
		parts = append(parts, "clean-up not done: "+o.left)
	}
	return strings.Join(parts, "; ")
}

// watch shows the run until the executor's process has ended and its output is read.
func (t *trial) watch(ctx context.Context, agent *localagent.Agent, sick *sickEngine, from interruptions) outcome {
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
	go passOn(following, agent.Next, entries)
	var faultEvents chan []enginefault.Event
	if sick != nil {
		faultEvents = make(chan []enginefault.Event)
		go passOn(following, sick.Next, faultEvents)
	}

	w := watcher{trial: t, agent: agent, sick: sick, ctx: ctx}
	defer w.close()
	if t.timeout > 0 {
		w.timeout = time.After(t.timeout)
	}
	unread := t.out.failed
	for lines != nil || w.seen < len(agent.Timeline()) {
		select {
		case batch := <-entries:
			w.entries(batch)
		case batch := <-faultEvents:
			w.faultEvents(batch)
		case line, open := <-lines:
			if !open {
				lines = nil
				break
			}
			w.line(line)
		case <-from.people:
			if now := time.Now(); now.Sub(w.interruptedAt) >= sameInterrupt {
				w.interruptedAt = now
				w.interrupt()
			}
		case <-from.hangup:
			w.shutDownOnce()
		case <-unread:
			unread = nil
			w.shutDownOnce()
		case <-w.kill:
			w.kill, w.killed = nil, true
			t.show.note("--kill-after is over: kill the task")
			agent.Kill(nil)
		case <-w.timeout:
			w.timeout, w.timedOut = nil, true
			t.show.note("--timeout is over: shut the executor down")
			agent.Shutdown()
		case <-w.linger:
			w.linger = nil
			t.show.note(fmt.Sprintf("the task has ended; its executor waits up to %.0f s for the engine, for the rest of the output and to remove the container", lingerLimit.Seconds()))
		case <-w.exit:
			w.exit = nil
			t.show.note(fmt.Sprintf("the executor still lives %v after the terminal update: destroy it", exitLimit))
			w.destroy()
		}
	}
	w.lastFaultEvents()
	return w.outcome()
}

// passOn hands on what happens, in order, until there is no next or ctx ends. next returns what came after so many.
func passOn[T any](ctx context.Context, next func(context.Context, int) ([]T, error), to chan<- []T) {
	for seen := 0; ; {
		batch, err := next(ctx, seen)
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
	sick  *sickEngine // nil without faults
	ctx   context.Context

	seen          int // entries shown
	faultsSeen    int // events of the sick engine
	subscribed    bool
	interrupts    int
	interruptedAt time.Time // the last one that counted
	killed        bool      // --kill-after fired
	timedOut      bool
	kill          <-chan time.Time
	timeout       <-chan time.Time
	linger        <-chan time.Time // these two are set by the terminal update
	exit          <-chan time.Time
	lastLines     []string // of stderr

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
		case e.Kind == localagent.Event && e.Name == "LAUNCH" && w.killAfter > 0 && w.kill == nil && !w.killed:
			w.kill = time.After(time.Until(e.At.Add(w.killAfter)))
		case e.Kind == localagent.Status && w.exit == nil && hasEnded(e.Status.GetState()):
			w.linger, w.exit = time.After(unsaid), time.After(exitLimit)
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
		w.show.note(fmt.Sprintf("interrupted: shutting down; the agent gives the executor %.0f s to end the task, and the clean-up up to %.0f s more if the engine hangs; Ctrl-C again destroys at once",
			w.agent.ShutdownGrace().Seconds(), (lingerLimit + askLimit).Seconds()))
		w.agent.Shutdown()
	case 2:
		w.show.note("interrupted again: destroy the executor")
		w.destroy()
	default:
		w.close()
	}
}

// shutDownOnce is for a run that nobody watches any more.
func (w *watcher) shutDownOnce() {
	if w.interrupts == 0 {
		w.interrupt()
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
		if hasEnded(s.GetState()) {
			o.ended, o.state, o.message = true, s.GetState(), s.GetMessage()
			o.reason = reasonOf(&s)
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

func hasEnded(s mesos.TaskState) bool {
	switch s {
	case mesos.TASK_STAGING, mesos.TASK_STARTING, mesos.TASK_RUNNING, mesos.TASK_KILLING:
		return false
	}
	return true
}
