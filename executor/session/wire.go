package session

import (
	"github.com/google/uuid"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

// Field numbers of mesos.v1 (include/mesos/v1/executor/executor.proto, mesos.proto) that are
// read or written here without the message types.
const (
	eventType       = 1 // Event.type
	eventLaunch     = 4 // Event.launch
	launchTask      = 1 // Event.Launch.task
	taskInfoTaskID  = 2 // TaskInfo.task_id
	callExecutorID  = 1 // Call.executor_id
	callFrameworkID = 2 // Call.framework_id
	callType        = 3 // Call.type
	callSubscribe   = 4 // Call.subscribe
	callUpdate      = 5 // Call.update
	subscribeTasks  = 1 // Call.Subscribe.unacknowledged_tasks
	subscribeUpdate = 2 // Call.Subscribe.unacknowledged_updates
	updateStatus    = 1 // Call.Update.status
	idValue         = 1 // value of every ID message

	reconnectSlaveID = 1 // ReconnectExecutorMessage.slave_id, of the agent's internal messages
)

// caller encodes calls. They are put together field by field, because the TaskInfos of
// SUBSCRIBE must leave as they came and the message types cannot carry unknown fields.
type caller struct{ executorID, frameworkID string }

func (c caller) call(kind executor.Call_Type) []byte {
	b := appendMessage(nil, callExecutorID, appendMessage(nil, idValue, []byte(c.executorID)))
	b = appendMessage(b, callFrameworkID, appendMessage(nil, idValue, []byte(c.frameworkID)))
	b = protowire.AppendTag(b, callType, protowire.VarintType)
	return protowire.AppendVarint(b, uint64(kind))
}

func (c caller) subscribe(l *ledger) []byte {
	var body []byte
	for _, t := range l.tasks {
		body = appendMessage(body, subscribeTasks, t.raw)
	}
	for _, u := range l.updates {
		body = appendMessage(body, subscribeUpdate, appendMessage(nil, updateStatus, u.status))
	}
	// The agent insists on the field even when it is empty.
	return appendMessage(c.call(executor.Call_SUBSCRIBE), callSubscribe, body)
}

func (c caller) update(u update) []byte {
	return appendMessage(c.call(executor.Call_UPDATE), callUpdate, appendMessage(nil, updateStatus, u.status))
}

func (c caller) heartbeat() []byte { return c.call(executor.Call_HEARTBEAT) }

func appendMessage(b []byte, number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, number, protowire.BytesType), value)
}

// cutTask returns the bytes of the TaskInfo inside the bytes of a LAUNCH event. False when the
// event's outer layers are damaged or hold none.
func cutTask(event []byte) ([]byte, bool) {
	launch, ok := cutMessage(event, eventLaunch)
	if !ok {
		return nil, false
	}
	return cutMessage(launch, launchTask)
}

// cutMessage returns the content of one message field. Occurrences of the same field are
// joined: protobuf defines that as merging them.
func cutMessage(b []byte, number protowire.Number) (content []byte, found bool) {
	for len(b) > 0 {
		n, kind, tag := protowire.ConsumeTag(b)
		if tag < 0 {
			return nil, false
		}
		size := protowire.ConsumeFieldValue(n, kind, b[tag:])
		if size < 0 {
			return nil, false
		}
		if n == number && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(b[tag:])
			if !found {
				content = value[:len(value):len(value)] // joining must not write into the event
			} else {
				content = append(content, value...)
			}
			found = true
		}
		b = b[tag+size:]
	}
	return content, found
}

// peek reads what can be known of an event that is not decodable, or of which only the
// beginning is there: its type (UNKNOWN when that cannot be told) and, of a LAUNCH, the
// task's id ("" likewise). Mesos writes fields in the order of their numbers, so both stand
// near the beginning.
func peek(event []byte) (kind executor.Event_Type, taskID string) {
	kind = executor.Event_Type(findVarint(event, eventType))
	launch := findPrefix(event, eventLaunch)
	task := findPrefix(launch, launchTask)
	id, complete := findMessage(task, taskInfoTaskID)
	if !complete {
		return kind, ""
	}
	value, complete := findMessage(id, idValue)
	if !complete {
		return kind, ""
	}
	return kind, string(value)
}

func findPrefix(b []byte, number protowire.Number) []byte {
	content, _ := findMessage(b, number)
	return content
}

// findMessage returns the first occurrence of a message field in bytes that may end early,
// and whether all of it is there.
func findMessage(b []byte, number protowire.Number) (content []byte, complete bool) {
	for len(b) > 0 {
		n, kind, tag := protowire.ConsumeTag(b)
		if tag < 0 {
			return nil, false
		}
		b = b[tag:]
		if n == number && kind == protowire.BytesType {
			length, size := protowire.ConsumeVarint(b)
			if size < 0 {
				return nil, false
			}
			b = b[size:]
			if length > uint64(len(b)) {
				return b, false
			}
			return b[:length], true
		}
		size := protowire.ConsumeFieldValue(n, kind, b)
		if size < 0 {
			return nil, false
		}
		b = b[size:]
	}
	return nil, false
}

func findVarint(b []byte, number protowire.Number) uint64 {
	for len(b) > 0 {
		n, kind, tag := protowire.ConsumeTag(b)
		if tag < 0 {
			return 0
		}
		if n == number && kind == protowire.VarintType {
			value, size := protowire.ConsumeVarint(b[tag:])
			if size < 0 {
				return 0
			}
			return value
		}
		size := protowire.ConsumeFieldValue(n, kind, b[tag:])
		if size < 0 {
			return 0
		}
		b = b[tag+size:]
	}
	return 0
}

// newUUID makes the UUID of an update: version 4. The agent refuses versions above 5.
func newUUID() (uuid.UUID, error) { return uuid.NewRandom() }
