package supervise

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/executor/process"
	"mesos-docker-executor/executor/report"
)

// describe says in a few words what a message told, for the report; kind is "" for what nobody misses there.
func describe(msg Message) (kind, text string, severity report.Severity) {
	switch msg := msg.(type) {
	case Subscribed, Launched, GroupLaunched, KillAsked, ShutdownAsked, AgentLost, AgentGone, Acknowledged:
		return describeAgent(msg)
	case SignalReceived:
		return "signal", msg.Name, report.Warn
	case Fired:
		return "timer", describeTimer(msg.Timer), report.Info
	case InitSeen:
		if msg.Misplaced != "" {
			return "kernel", fmt.Sprintf("the container's init is process %d; %s", msg.PID, msg.Misplaced), report.Error
		}
		return "kernel", fmt.Sprintf("the container's init is process %d", msg.PID), report.Info
	case InitMissed:
		return "kernel", errorOr(msg.Err, "no init process was found"), report.Warn
	case InitDied:
		return "kernel", describeDeath(msg), report.Info
	case InitExited:
		if !msg.Known {
			return "kernel", "the init's status is not known", report.Warn
		}
		return "kernel", "the init " + describeStatus(msg.Status) + ", says " + msg.Source, report.Info
	case ShimTold:
		return "shim", errorOr(msg.Err, fmt.Sprintf("the init's status is %d", msg.Code)), worse(msg.Err)
	case LeafKilled:
		return "kill", describeLeaf(msg), worse(msg.Err)
	}
	return describeEngine(msg)
}

func describeAgent(msg Message) (kind, text string, severity report.Severity) {
	switch msg := msg.(type) {
	case Subscribed:
		return "agent", "subscribed", report.Info
	case Launched:
		return "agent", errorOr(msg.Err, fmt.Sprintf("LAUNCH of task %s (%d bytes)", msg.TaskID, len(msg.Raw))), worse(msg.Err)
	case GroupLaunched:
		return "agent", "LAUNCH_GROUP", report.Warn
	case KillAsked:
		if msg.Grace != nil {
			return "agent", fmt.Sprintf("KILL of task %s with a grace of %s", msg.TaskID, *msg.Grace), report.Warn
		}
		return "agent", "KILL of task " + msg.TaskID, report.Warn
	case ShutdownAsked:
		return "agent", "SHUTDOWN", report.Warn
	case AgentLost:
		return "agent", "lost: " + errorOr(msg.Err, "no reason"), report.Error
	case AgentGone:
		return "agent", "nothing can be sent any more", report.Error
	case Acknowledged:
		return "agent", "ACKNOWLEDGED " + msg.State.String(), report.Info
	}
	return "", "", ""
}

func describeEngine(msg Message) (kind, text string, severity report.Severity) {
	said := func(err error, text string) (string, string, report.Severity) {
		return "engine", errorOr(err, text), worse(err)
	}
	switch msg := msg.(type) {
	case EngineProbed:
		return said(msg.Err, "fit for a launch")
	case ImageReady:
		return said(msg.Err, "the image is there: "+msg.Image.ID)
	case Created:
		if msg.Untagged != "" && msg.Err == nil {
			return "engine", "the container is created; " + msg.Untagged, report.Warn
		}
		return said(msg.Err, "the container is created")
	case Started:
		return said(msg.Err, "the container is started")
	case Inspected:
		if len(msg.Exceeds) > 0 || msg.Misplaced != "" {
			return "kernel", strings.TrimSpace(strings.Join(msg.Exceeds, " ") + " " + msg.Misplaced), report.Error
		}
		return said(msg.Err, "its rights are within what was decided; inspected: "+msg.Container.Status)
	case WaitEnded:
		if ownEnd(msg.Err) {
			return said(nil, "the exit is not listened to any more")
		}
		return said(msg.Err, fmt.Sprintf("the container's exit: %d", msg.Code))
	case ExitInspected:
		return said(msg.Err, fmt.Sprintf("inspected: %s, status %d", msg.Container.Status, msg.Container.ExitCode))
	case OutputEnded:
		if ownEnd(msg.Err) {
			return said(nil, "the output is not listened to any more")
		}
		return said(msg.Err, "end of the output")
	case Reattached:
		return said(msg.Err, "it is back; output and exit are listened to again")
	case Discarded:
		return said(msg.Err, "container, cgroup and lease are removed")
	}
	return "", "", ""
}

// describeTimer says what a clock that has run out means.
func describeTimer(t Timer) string {
	switch t {
	case TimerCompletion:
		return "max_completion_time is reached"
	case TimerGrace:
		return "the grace is over"
	case TimerLadder:
		return "SIGKILL has not ended everything yet"
	case TimerSettle:
		return "no more answers about the exit are waited for"
	case TimerRecheck:
		return "the engine is asked for the exit again"
	case TimerWedge:
		return "time for the shim to notice the exit is over"
	case TimerUnkillable:
		return "time for SIGKILL to take effect is over"
	case TimerDrain:
		return "the terminal update waits for the output no longer"
	case TimerOutput:
		return "the rest of the output is given up"
	case TimerAck:
		return "no acknowledgement is waited for any more"
	case TimerDiscard:
		return "the clean-up is left to a later executor"
	}
	return string(t)
}

func describeDeath(msg InitDied) string {
	text := "the container's init died"
	if msg.EngineDown != "" {
		text += "; the Docker daemon is " + msg.EngineDown
	}
	if msg.ShimGone {
		text += "; its shim is gone"
	}
	if msg.OOM.Kills > 0 {
		text += "; " + msg.OOM.String()
	}
	return text
}

func describeStatus(status unix.WaitStatus) string {
	if status.Signaled() {
		return "was ended by " + process.SignalName(status.Signal())
	}
	return fmt.Sprintf("exited with %d", status.ExitStatus())
}

func describeLeaf(msg LeafKilled) string {
	if msg.Err == nil && len(msg.Alive) == 0 {
		return "nothing is alive in the task's cgroup"
	}
	text := fmt.Sprintf("%d processes in the task's cgroup", len(msg.Alive))
	if msg.Err != nil {
		text += ": " + msg.Err.Error()
	}
	return text
}

// describeCommand says what was done about it; "" for what the messages tell as well.
func describeCommand(c Command) (kind, text string) {
	switch c := c.(type) {
	case StopInit:
		return "kill", "stop signal to the init, if it is the task's program already"
	case SignalInit:
		return "kill", process.SignalName(c.Signal) + " to the init"
	case SignalByEngine:
		if c.Signal == "" {
			return "kill", "stop signal by the engine"
		}
		return "kill", c.Signal + " by the engine"
	case KillLeaf:
		return "kill", "SIGKILL to everything in the task's cgroup"
	case KillShim:
		return "kill", "SIGKILL to the container's shim, which does not reap the init"
	case RevokeLease:
		return "kill", "the lease is revoked: nothing can start any more"
	case GiveUpOutput:
		return "engine", "the rest of the output is missing"
	case Reattach:
		return "engine", "the connection broke; waiting for the engine to come back"
	case Arm:
		if c.Timer == TimerGrace {
			return "kill", fmt.Sprintf("grace until SIGKILL: %s", c.After.Round(time.Millisecond))
		}
	}
	return "", ""
}

// ownEnd reports whether it was the executor that ended a connection.
func ownEnd(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, net.ErrClosed)
}

func errorOr(err error, text string) string {
	if err != nil {
		return err.Error()
	}
	return text
}

func worse(err error) report.Severity {
	if err != nil {
		return report.Warn
	}
	return report.Info
}
