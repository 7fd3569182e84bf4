package supervise

import (
	"context"
	"fmt"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/executor/process"
	"mesos-docker-executor/executor/report"
)

// reportLimit is how long Run waits for the report to be written; the sandbox may be on a disk that hangs.
const reportLimit = 2 * time.Second

// noteMessage keeps a message for the report.
func (r *runner) noteMessage(msg Message) {
	if fired, ok := msg.(Fired); ok && r.machine.timers[fired.Timer] != fired.Seq {
		return // it was disarmed, or armed anew
	}
	if kind, text, severity := describe(msg); kind != "" {
		r.events.Add(time.Now(), kind, severity, text)
	}
}

// noteUpdate keeps an update, and the terminal one as the report's head.
func (r *runner) noteUpdate(s mesos.TaskStatus) {
	severity := report.Info
	switch s.GetState() {
	case mesos.TASK_FAILED, mesos.TASK_ERROR:
		severity = report.Error
	case mesos.TASK_KILLED, mesos.TASK_KILLING:
		severity = report.Warn
	}
	text := s.GetState().String()
	if s.GetMessage() != "" {
		text += ": " + s.GetMessage()
	}
	r.events.Add(time.Now(), "state", severity, text)
	if isTerminal(s.GetState()) && s.TaskID.Value == r.machine.taskID {
		r.terminal = &s
		r.ended = time.Now()
	}
}

// writeReport writes what happened into the sandbox, unless the task finished. It is done right after the terminal update, as the
// agent may end this process soon, and again at the very end, with the clean-up.
func (r *runner) writeReport() {
	if r.terminal == nil || r.terminal.GetState() == mesos.TASK_FINISHED {
		return
	}
	whole := r.report()
	before := r.written
	written := make(chan struct{})
	r.written = written
	go func() {
		defer close(written)
		if before != nil {
			<-before
		}
		if err := report.Write(r.Sandbox, whole); err != nil {
			r.Log.Error("the report was not written", "error", err)
		}
	}()
}

// waitForReport gives up on a sandbox that hangs.
func (r *runner) waitForReport() {
	if r.written == nil {
		return
	}
	limit, stop := context.WithTimeout(context.WithoutCancel(r.ctx), reportLimit)
	defer stop()
	select {
	case <-r.written:
	case <-limit.Done():
		r.Log.Warn("the report is not written yet; the sandbox's file system hangs")
	}
}

// report gathers what is known now.
func (r *runner) report() report.Report {
	s := r.terminal
	whole := report.Report{
		Version:     report.Version,
		Executor:    r.About.Version,
		Mode:        string(r.Mode),
		TaskID:      s.TaskID.Value,
		ContainerID: r.ContainerID,
		AgentID:     r.About.AgentID,
		FrameworkID: r.About.FrameworkID,
		State:       s.GetState().String(),
		Message:     s.GetMessage(),
		Began:       r.began,
		Ended:       r.ended,
		Witnesses:   witnesses(r.machine.proof),
		Output:      report.Output{Stdout: stream(r.Stdout), Stderr: stream(r.Stderr)},
	}
	if s.Reason != nil {
		whole.Reason = s.GetReason().String()
	}
	if plan := r.machine.plan; plan != nil {
		whole.ContainerName, whole.Image, whole.Review = plan.Spec.Name, plan.Spec.Image, plan.Notes
	}
	if r.container != nil {
		whole.DockerID = r.container.id
	}
	whole.Class = r.reportClass()
	if r.machine.proc.survivors != "" {
		whole.Processes = []string{r.machine.proc.survivors}
	}
	whole.Events, whole.Dropped = r.events.Events()
	r.reportEngine(&whole)
	return whole
}

func (r *runner) reportClass() report.Class {
	plan := r.machine.plan
	if plan == nil {
		return report.Class{}
	}
	class := report.Class{Team: plan.Class.Team, App: plan.Class.App, Untagged: plan.Class.Reason}
	if id := classes.ID(r.machine.classID()); id != 0 {
		class.ID, class.Untagged = id.String(), ""
	} else if r.machine.untagged != "" {
		class.Untagged = r.machine.untagged
	}
	if r.container != nil {
		class.Lost = r.container.lost.Load()
	}
	return class
}

func (r *runner) reportEngine(whole *report.Report) {
	if r.Engine == nil {
		return
	}
	whole.Engine.Host = r.Engine.Host()
	whole.Engine.Condition, _ = r.Engine.Standstill()
	if info := r.info.Load(); info != nil {
		whole.Engine.Version, whole.Engine.APIVersion = info.ServerVersion, info.APIVersion
		whole.Engine.StorageDriver, whole.Engine.CgroupDriver = info.Driver, info.CgroupDriver
		whole.Engine.LiveRestore = &info.LiveRestoreEnabled
	}
	calls := r.Engine.History()
	for _, one := range calls {
		call := report.Call{At: one.Began, TookMS: report.Milliseconds(one.Took), Call: one.Call, Error: one.Error, Running: one.Running}
		if !one.Running {
			call.Outcome = one.Outcome.String()
		}
		whole.Calls = append(whole.Calls, call)
	}
	total := 0
	for _, figures := range r.Engine.Summary() {
		total += figures.Count + figures.Running
	}
	whole.CallsDropped = max(total-len(calls), 0)
}

// witnessName is what a report calls a source of the kernel's.
func witnessName(source string) string {
	if source == process.SourceZombie {
		return "zombie"
	}
	return "pidfd"
}

func stream(s *Sink) report.Stream {
	written, dropped := s.Counts()
	return report.Stream{Bytes: written, Dropped: dropped, Last: s.Last()}
}

// witnesses lists what each said, and which of them the verdict rests on.
func witnesses(e Evidence) []report.Witness {
	var all []report.Witness
	believed := Judge(e).Source
	add := func(name, said, source string) {
		all = append(all, report.Witness{Name: name, Said: said, Believed: believed != "" && believed == source})
	}
	if i := e.Init; i != nil {
		switch {
		case !i.Known:
			add("kernel", "dead, its status is not known", "")
		default:
			add(witnessName(i.Source), "the init "+describeStatus(i.Status), i.Source)
		}
	}
	if s := e.Shim; s != nil {
		add("shim", errorOr(s.Err, fmt.Sprintf("status %d", s.Code)), sourceShim)
	}
	if w := e.Wait; w != nil {
		said := strings.TrimPrefix(errorOr(w.Err, fmt.Sprintf("status %d", w.Code)), "docker wait: ")
		if ownEnd(w.Err) {
			said = "no answer"
		}
		add("docker wait", said, sourceDocker)
	}
	if i := e.Inspect; i != nil {
		c := i.Container
		add("docker inspect", errorOr(i.Err, fmt.Sprintf("%s, status %d, error %q, finished at %s", c.Status, c.ExitCode, c.Error, c.FinishedAt.Format(time.RFC3339Nano))), sourceDocker)
	}
	return all
}
