package localagent

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"

	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

// stream is one subscription: a queue that the goroutine of its request writes
// out. All fields but conn and contentType are guarded by Agent.mu.
type stream struct {
	conn        net.Conn
	contentType string
	frames      [][]byte
	cutNext     bool          // write half of the next frame, then break the connection
	finish      bool          // end the response properly once the queue is empty
	ready       chan struct{} // buffered: frames, finish or gone changed
	gone        bool          // replaced, cut or down
}

func newStream(r *http.Request) *stream {
	conn, _ := r.Context().Value(connKey{}).(net.Conn)
	return &stream{conn: conn, contentType: streamType(r), ready: make(chan struct{}, 1)}
}

func (s *stream) signal() {
	select {
	case s.ready <- struct{}{}:
	default: // one is pending
	}
}

// write runs in the request's goroutine until the stream is over.
func (a *Agent) write(w http.ResponseWriter, r *http.Request, s *stream) {
	flusher := http.NewResponseController(w)
	w.Header().Set("Content-Type", s.contentType)
	w.WriteHeader(http.StatusOK)
	if flusher.Flush() != nil {
		return
	}
	for {
		a.mu.Lock()
		frames, cut, finish, gone := s.frames, s.cutNext, s.finish, s.gone
		s.frames = nil
		a.mu.Unlock()
		for _, frame := range frames {
			if cut {
				_, _ = w.Write(frame[:(len(frame)+1)/2]) // the connection is closed next
				_ = flusher.Flush()
				s.conn.Close()
				return
			}
			if _, err := w.Write(frame); err != nil || flusher.Flush() != nil {
				return
			}
		}
		if gone || (finish && len(frames) == 0) {
			return
		}
		select {
		case <-s.ready:
		case <-r.Context().Done():
			return
		}
	}
}

// dropStream takes the current subscription away. a.mu is held.
func (a *Agent) dropStream() {
	if a.stream == nil {
		return
	}
	a.stream.gone = true
	a.stream.signal()
	a.stream = nil
}

// send encodes an event for the present stream. a.mu is held.
func (a *Agent) send(event *executor.Event) {
	name, text := event.Type.String(), describeEvent(event)
	duplicate := event.Type == executor.Event_ACKNOWLEDGED && a.find(event.Acknowledged.UUID).acked
	if a.stream == nil {
		a.sendPayload(name, text, duplicate, nil)
		return
	}
	payload, err := encodeEvent(a.stream.contentType, event)
	if err != nil {
		a.record(Entry{Kind: Note, Name: name, Text: "not sent: " + err.Error()})
		return
	}
	a.sendPayload(name, text, duplicate, payload)
}

// sendPayload queues one frame; with no live stream it is lost. a.mu is held.
func (a *Agent) sendPayload(name, text string, duplicate bool, payload []byte) {
	if a.stream == nil {
		a.record(Entry{Kind: Note, Name: name, Text: "lost: no subscription"})
		return
	}
	frame := append(strconv.AppendInt(nil, int64(len(payload)), 10), '\n')
	a.stream.frames = append(a.stream.frames, append(frame, payload...))
	a.record(Entry{Kind: Event, Name: name, Text: text, Duplicate: duplicate})
	a.stream.signal()
}

func encodeEvent(contentType string, event *executor.Event) ([]byte, error) {
	if contentType == typeJSON {
		return json.Marshal(event)
	}
	return event.Marshal()
}

// launchFrame is a LAUNCH around bytes that need not be a TaskInfo. The field
// numbers are those of mesos/v1/executor/executor.proto.
func launchFrame(task []byte) []byte {
	const typeField, launchField, taskField = 1 << 3, 4<<3 | 2, 1<<3 | 2
	launch := append([]byte{taskField}, appendUvarint(nil, len(task))...)
	launch = append(launch, task...)
	frame := append([]byte{typeField, byte(executor.Event_LAUNCH), launchField}, appendUvarint(nil, len(launch))...)
	return append(frame, launch...)
}

func describeEvent(event *executor.Event) string {
	switch event.Type {
	case executor.Event_LAUNCH:
		return event.Launch.Task.TaskID.Value
	case executor.Event_KILL:
		if policy := event.Kill.KillPolicy; policy != nil && policy.GracePeriod != nil {
			return fmt.Sprintf("%s, grace %v", event.Kill.TaskID.Value, nanoseconds(policy.GracePeriod))
		}
		return event.Kill.TaskID.Value
	case executor.Event_ERROR:
		return event.Error.Message
	}
	return ""
}
