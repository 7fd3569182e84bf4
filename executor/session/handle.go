package session

import (
	"fmt"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

// handle acts on one event of the stream. It returns an error when the stream cannot be
// trusted or used any further.
func (s *Session) handle(in received, sub *subscription) error {
	switch in.kind {
	case executor.Event_SUBSCRIBED:
		s.handleSubscribed(in.body.Subscribed, sub)
	case executor.Event_LAUNCH:
		s.handleLaunch(in.launch)
	case executor.Event_LAUNCH_GROUP:
		var group LaunchGroup
		for _, t := range in.body.LaunchGroup.TaskGroup.Tasks {
			group.TaskIDs = append(group.TaskIDs, t.TaskID.Value)
		}
		s.queue.push(group)
	case executor.Event_KILL:
		s.queue.push(Kill{TaskID: in.body.Kill.TaskID.Value, Grace: grace(in.body.Kill.KillPolicy)})
	case executor.Event_ACKNOWLEDGED:
		s.mu.Lock()
		u, ok := s.ledger.acknowledge(in.body.Acknowledged.UUID)
		s.mu.Unlock()
		if ok {
			s.queue.push(Acknowledged{TaskID: u.taskID, State: u.state})
		}
	case executor.Event_SHUTDOWN:
		sub.dismissed()
		if !s.shutdown {
			s.shutdown = true
			s.queue.push(Shutdown{})
		}
	case executor.Event_ERROR:
		text := "no text"
		if in.body.Error != nil {
			text = printable(in.body.Error.Message)
		}
		return fmt.Errorf("the agent sent ERROR: %s", text)
	default:
		// HEARTBEAT and MESSAGE ask for nothing; types of later versions are not ours to judge.
		s.log.Debug("event ignored", "type", int32(in.kind))
	}
	return nil
}

func (s *Session) handleSubscribed(e *executor.Event_Subscribed, sub *subscription) {
	if got := e.AgentInfo.ID.GetValue(); s.opts.AgentID != "" && got != "" && got != s.opts.AgentID {
		// Updates name no agent (see encode), so it takes them all the same.
		s.log.Error("the agent has another id than the environment says: check the agent's endpoint",
			"agent", got, "expected", s.opts.AgentID)
	}
	id := s.opts.ContainerID
	if e.ContainerID != nil {
		id = e.ContainerID.Value
	}
	s.subscriptions++
	s.queue.push(Subscribed{
		ContainerID: id,
		Framework:   e.FrameworkInfo,
		Executor:    e.ExecutorInfo,
		Agent:       e.AgentInfo,
		Again:       s.subscriptions > 1,
	})
	sub.established()
}

func (s *Session) handleLaunch(l Launch) {
	s.mu.Lock()
	fresh := s.ledger.launch(l.Task.TaskID.Value, l.Raw)
	s.mu.Unlock()
	if !fresh {
		s.log.Info("LAUNCH of a known task ignored", "task", l.Task.TaskID.Value)
		return
	}
	s.queue.push(l)
}

func grace(policy *mesos.KillPolicy) *time.Duration {
	if policy == nil || policy.GracePeriod == nil {
		return nil
	}
	d := max(0, time.Duration(policy.GracePeriod.Nanoseconds))
	return &d
}
