package session

import (
	"errors"
	"fmt"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

// received is one event of the agent, as far as it could be read.
type received struct {
	kind   executor.Event_Type
	body   executor.Event
	launch Launch // when kind is LAUNCH
}

// decode reads one frame. Errors: wrapping [ErrUnusableEvent] when the agent would only send
// the same again, anything else for a frame that may be the fault of this connection.
func decode(f frame) (received, error) {
	if f.tooLarge() {
		return decodeTooLarge(f)
	}
	var in received
	err := unmarshal(f.data, &in.body)
	if err != nil {
		return decodeDamaged(f.data, err)
	}
	in.kind = in.body.Type
	if missing(&in.body) {
		return received{}, fmt.Errorf("event of type %s without its content", in.kind)
	}
	if in.kind == executor.Event_LAUNCH {
		raw, ok := cutTask(f.data)
		if !ok {
			return received{}, errors.New("LAUNCH without a TaskInfo")
		}
		in.launch = Launch{Task: in.body.Launch.Task, Raw: raw}
	}
	return in, nil
}

func decodeTooLarge(f frame) (received, error) {
	kind, id := peek(f.data)
	switch kind {
	case executor.Event_LAUNCH:
		if id != "" {
			return received{kind: kind, launch: Launch{
				Task: mesos.TaskInfo{TaskID: mesos.TaskID{Value: id}},
				Err: fmt.Errorf("its LAUNCH has %d bytes and the limit is %d MiB: make the TaskInfo smaller (data, environment, labels)",
					f.size, f.limit>>20),
			}}, nil
		}
		fallthrough
	case executor.Event_SUBSCRIBED, executor.Event_LAUNCH_GROUP:
		return received{}, fmt.Errorf("%w: %s of %d bytes, and the limit is %d MiB: make the TaskInfo or ExecutorInfo smaller",
			ErrUnusableEvent, kind, f.size, f.limit>>20)
	case executor.Event_UNKNOWN:
		return received{}, fmt.Errorf("a frame of %d bytes that is no event", f.size)
	case executor.Event_KILL, executor.Event_ACKNOWLEDGED, executor.Event_SHUTDOWN, executor.Event_ERROR:
		return received{}, fmt.Errorf("%s event of %d bytes, and the limit is %d MiB", kind, f.size, f.limit>>20)
	default: // MESSAGE and what later versions may bring: not for us, at any size
		return received{kind: kind}, nil
	}
}

// decodeDamaged saves what it can of an event that does not decode: a LAUNCH whose TaskInfo
// is at fault can still be refused by its id.
func decodeDamaged(data []byte, err error) (received, error) {
	raw, ok := cutTask(data)
	kind, id := peek(data)
	if !ok || id == "" || kind != executor.Event_LAUNCH {
		return received{}, fmt.Errorf("event that does not decode: %w", err)
	}
	return received{kind: kind, launch: Launch{
		Task: mesos.TaskInfo{TaskID: mesos.TaskID{Value: id}},
		Raw:  raw,
		Err:  fmt.Errorf("the TaskInfo does not decode: %w", err),
	}}, nil
}

// unmarshal shields the session from the generated decoders of mesos-go: made before
// gogo/protobuf 1.3.2, they index out of range on some hostile lengths (CVE-2021-3121).
func unmarshal(data []byte, e *executor.Event) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("decoder failed: %v", r)
		}
	}()
	return e.Unmarshal(data)
}

func missing(e *executor.Event) bool {
	switch e.Type {
	case executor.Event_SUBSCRIBED:
		return e.Subscribed == nil
	case executor.Event_LAUNCH:
		return e.Launch == nil
	case executor.Event_LAUNCH_GROUP:
		return e.LaunchGroup == nil
	case executor.Event_KILL:
		return e.Kill == nil
	case executor.Event_ACKNOWLEDGED:
		return e.Acknowledged == nil
	default:
		return false
	}
}
