package supervise

import (
	"fmt"
	"log/slog"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// logMessage writes down what the machine was told: the timeline that an operator reads after a bad night.
func (r *runner) logMessage(msg Message) {
	attrs := []any{slog.String("kind", fmt.Sprintf("%T", msg)[len("supervise."):])}
	if err := messageError(msg); err != nil {
		attrs = append(attrs, "error", err.Error())
	}
	switch m := msg.(type) {
	case Launched:
		attrs = append(attrs, "task", m.TaskID, "bytes", len(m.Raw))
	case KillAsked:
		attrs = append(attrs, "task", m.TaskID, "grace", m.Grace)
	case Acknowledged:
		attrs = append(attrs, "state", m.State.String())
	case InitSeen:
		attrs = append(attrs, "pid", m.PID)
		if m.Misplaced != "" {
			attrs = append(attrs, "misplaced", m.Misplaced)
		}
	case InitExited:
		attrs = append(attrs, "known", m.Known, "wait_status", uint32(m.Status), "source", m.Source)
	case InitDied:
		attrs = append(attrs, "oom_kills", m.OOM.Kills)
	case WaitEnded:
		attrs = append(attrs, "code", m.Code)
	case LeafKilled:
		attrs = append(attrs, "remaining", len(m.Alive))
	case Fired:
		attrs = append(attrs, "timer", string(m.Timer))
	}
	r.Log.Info("message", attrs...)
}

func messageError(msg Message) error {
	switch m := msg.(type) {
	case Launched:
		return m.Err
	case AgentLost:
		return m.Err
	case EngineProbed:
		return m.Err
	case ImageReady:
		return m.Err
	case Created:
		return m.Err
	case Started:
		return m.Err
	case Inspected:
		return m.Err
	case ExitInspected:
		return m.Err
	case WaitEnded:
		return m.Err
	case OutputEnded:
		return m.Err
	case Discarded:
		return m.Err
	case InitMissed:
		return m.Err
	case LeafKilled:
		return m.Err
	}
	return nil
}

func (r *runner) logUpdate(s mesos.TaskStatus) {
	attrs := []any{"state", s.GetState().String()}
	if s.Reason != nil {
		attrs = append(attrs, "reason", s.GetReason().String())
	}
	if s.GetMessage() != "" {
		attrs = append(attrs, "message", s.GetMessage())
	}
	r.Log.Info("update", attrs...)
}
