package localagent

import (
	"bytes"
	"encoding/binary"
	"net/http"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

// subscribe carries out a SUBSCRIBE as Slave::subscribe does (Mesos'
// src/slave/slave.cpp): the new stream replaces the old one, replayed updates
// are taken, SUBSCRIBED is sent, then the waiting task.
func (a *Agent) subscribe(w http.ResponseWriter, r *http.Request, call *executor.Call, body []byte, generation int) {
	s := newStream(r)
	a.mu.Lock()
	if a.generation != generation {
		a.mu.Unlock()
		return // the connection breaks with the agent
	}
	unacknowledged := call.Subscribe.UnacknowledgedTasks
	a.checkReplay(call.Subscribe, body)
	a.dropStream()
	a.streams++
	a.stream = s
	a.newest = -1
	a.record(Entry{Kind: Call, Name: call.Type.String(), Code: http.StatusOK, Text: describeReplay(call.Subscribe)})
	if a.state == terminating {
		a.send(&executor.Event{Type: executor.Event_SHUTDOWN})
		s.finish = true
		a.mu.Unlock()
		a.write(w, r, s)
		return
	}
	a.disarm()
	a.state = running
	actions := a.due(moment{kind: atSubscribe, n: a.streams})
	a.mu.Unlock()

	a.run(actions)
	a.welcome(s, call.Subscribe, unacknowledged)
	a.write(w, r, s)
}

// welcome sends what a fresh subscription is owed.
func (a *Agent) welcome(s *stream, subscribe *executor.Call_Subscribe, tasks []mesos.TaskInfo) {
	a.mu.Lock()
	if a.stream != s {
		a.mu.Unlock()
		return
	}
	silent := len(a.updates) == 0 && len(subscribe.UnacknowledgedUpdates) == 0
	if a.sent && silent && !a.knows(tasks) && !a.ended {
		// The task got lost between the agent that sent it and the executor.
		a.agentStatus(mesos.TASK_DROPPED, mesos.REASON_AGENT_RESTARTED, "Task was not delivered to the executor")
	}
	if !a.queued && (!a.sent || (a.ended && silent)) {
		a.shutdown() // it never got a task and has none waiting
		a.mu.Unlock()
		return
	}
	a.send(&executor.Event{Type: executor.Event_SUBSCRIBED, Subscribed: &executor.Event_Subscribed{
		ExecutorInfo:  a.executor,
		FrameworkInfo: a.framework,
		AgentInfo:     a.agentInfo,
		ContainerID:   &mesos.ContainerID{Value: a.ids.ContainerID},
	}})
	var actions []Action
	for i := range subscribe.UnacknowledgedUpdates {
		status := &subscribe.UnacknowledgedUpdates[i].Status
		actions = append(actions, a.due(moment{kind: atState, state: status.GetState()})...)
		a.learn(status, true)
	}
	if a.queued {
		actions = append(actions, a.due(moment{kind: beforeLaunch})...)
	}
	a.mu.Unlock()

	a.run(actions)
	a.deliver(s)
}

// deliver sends LAUNCH if the task still waits.
func (a *Agent) deliver(s *stream) {
	a.mu.Lock()
	if a.stream != s || !a.queued {
		a.mu.Unlock()
		return
	}
	a.queued, a.sent = false, true
	if s.contentType == typeProtobuf {
		a.sendPayload(executor.Event_LAUNCH.String(), a.task.TaskID.Value, false, launchFrame(a.taskBytes))
	} else {
		a.send(&executor.Event{Type: executor.Event_LAUNCH, Launch: &executor.Event_Launch{Task: a.task}})
	}
	after := a.due(moment{kind: afterLaunch})
	a.mu.Unlock()
	a.run(after)
}

// knows tells whether the executor reported the task as unacknowledged.
func (a *Agent) knows(tasks []mesos.TaskInfo) bool {
	for i := range tasks {
		if tasks[i].TaskID == a.task.TaskID {
			return true
		}
	}
	return false
}

// checkReplay compares what SUBSCRIBE carries with what is still owed: every
// update seen and not acknowledged, in the order of its first appearance, and
// a task's bytes unchanged. a.mu is held.
func (a *Agent) checkReplay(subscribe *executor.Call_Subscribe, body []byte) {
	replayed := make(map[string]bool)
	last := -1
	for i := range subscribe.UnacknowledgedUpdates {
		status := &subscribe.UnacknowledgedUpdates[i].Status
		if err := validateUUID(status.UUID); err != nil {
			a.violate("SUBSCRIBE replays %s: %v", status.GetState(), err)
			continue
		}
		replayed[string(status.UUID)] = true
		if known := a.find(status.UUID); known.index >= 0 {
			if known.index < last {
				a.violate("SUBSCRIBE replays %s out of order", status.GetState())
			}
			last = max(last, known.index)
		}
	}
	for _, u := range a.updates {
		// An update may cross with a SUBSCRIBE that was written before it, when
		// the executor subscribes anew although its stream still lives.
		crossing := a.stream != nil && time.Since(u.first) < time.Second
		if !u.acked && !u.swallowed && !replayed[string(u.status.UUID)] && !crossing {
			a.violate("SUBSCRIBE lacks the unacknowledged update %s", u.status.GetState())
		}
	}
	for _, task := range unacknowledgedTasks(body) {
		if len(a.opts.TaskBytes) > 0 && !bytes.Equal(task, a.opts.TaskBytes) {
			a.violate("SUBSCRIBE carries %d bytes for a task that was launched with %d other ones", len(task), len(a.opts.TaskBytes))
		}
	}
}

// unacknowledgedTasks cuts the raw TaskInfos out of a protobuf SUBSCRIBE
// (fields 4 of Call and 1 of Subscribe, mesos/v1/executor/executor.proto).
// Decoding them would drop the fields that this build does not know.
func unacknowledgedTasks(body []byte) [][]byte {
	var tasks [][]byte
	for _, subscribe := range fields(body, 4) {
		tasks = append(tasks, fields(subscribe, 1)...)
	}
	return tasks
}

// fields returns the length-delimited fields of a number in a message; a
// malformed one, or JSON, has none.
func fields(message []byte, number uint64) [][]byte {
	var found [][]byte
	for len(message) > 0 {
		tag, n := binary.Uvarint(message)
		if n <= 0 {
			return nil
		}
		message = message[n:]
		size, skip := uint64(0), 0
		switch tag & 7 {
		case 0: // varint
			_, skip = binary.Uvarint(message)
		case 1:
			skip = 8
		case 2:
			size, skip = binary.Uvarint(message)
		case 5:
			skip = 4
		default:
			return nil
		}
		if skip <= 0 || skip > len(message) || size > uint64(len(message)-skip) {
			return nil
		}
		if tag&7 == 2 && tag>>3 == number {
			found = append(found, message[skip:skip+int(size)])
		}
		message = message[skip+int(size):]
	}
	return found
}

func appendUvarint(b []byte, n int) []byte { return binary.AppendUvarint(b, uint64(n)) }
