package session

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mesos/mesos-go/api/v1/lib/encoding/codecs"
	"github.com/mesos/mesos-go/api/v1/lib/encoding/framing"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
	"github.com/mesos/mesos-go/api/v1/lib/recordio"
)

// recorded is what both encodings of a recording must agree in.
type recorded struct {
	Type   executor.Event_Type
	TaskID string
	UUID   bool
}

func summary(e *executor.Event) recorded {
	r := recorded{Type: e.Type}
	switch e.Type {
	case executor.Event_LAUNCH:
		r.TaskID = e.Launch.Task.TaskID.Value
	case executor.Event_KILL:
		r.TaskID = e.Kill.TaskID.Value
	case executor.Event_ACKNOWLEDGED:
		r.TaskID, r.UUID = e.Acknowledged.TaskID.Value, len(e.Acknowledged.UUID) == 16
	}
	return r
}

// The two recordings of a folder are two runs of the same task: the ids end differently.
func sameRun(events []recorded) []recorded {
	for i := range events {
		if events[i].TaskID != "" {
			events[i].TaskID = "task"
		}
	}
	return events
}

func TestRecordingsDecodeAlikeInBothEncodings(t *testing.T) {
	const s, l, a = executor.Event_SUBSCRIBED, executor.Event_LAUNCH, executor.Event_ACKNOWLEDGED
	for folder, want := range map[string][]executor.Event_Type{
		"drop-in":         {s, l, a, a, executor.Event_KILL, a},
		"custom":          {s, l, a, a, a},
		"custom-shutdown": {s, l, a, a, executor.Event_SHUTDOWN},
	} {
		t.Run(folder, func(t *testing.T) {
			ours := readProtobuf(t, recording(t, folder, "events.protobuf.recordio"))
			theirs := readJSON(t, recording(t, folder, "events.json.recordio"))
			var types []executor.Event_Type
			for _, e := range ours {
				types = append(types, e.Type)
			}
			if diff := cmp.Diff(want, types); diff != "" {
				t.Errorf("event types (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(sameRun(theirs), sameRun(ours)); diff != "" {
				t.Errorf("protobuf and JSON differ (-json +protobuf):\n%s", diff)
			}
		})
	}
}

func recording(t *testing.T, folder, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "testdata", "recordings", folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func readProtobuf(t *testing.T, stream []byte) (events []recorded) {
	t.Helper()
	frames := newFrameReader(bytes.NewReader(stream), MaxFrame)
	for {
		f, err := frames.next()
		if err == io.EOF {
			return events
		}
		if err != nil {
			t.Fatal(err)
		}
		in, err := decode(f)
		if err != nil {
			t.Fatal(err)
		}
		if in.kind == executor.Event_LAUNCH {
			if in.launch.Err != nil || !bytes.Contains(f.data, in.launch.Raw) || len(in.launch.Raw) != in.launch.Task.Size() {
				t.Errorf("LAUNCH cut badly: %d bytes, error %v", len(in.launch.Raw), in.launch.Err)
			}
		}
		events = append(events, summary(&in.body))
	}
}

func readJSON(t *testing.T, stream []byte) (events []recorded) {
	t.Helper()
	reader := recordio.NewReader(bytes.NewReader(stream))
	decoder := codecs.ByMediaType[codecs.MediaTypeJSON].NewDecoder(func() framing.Reader { return reader })
	for {
		var e executor.Event
		err := decoder.Decode(&e)
		if errors.Is(err, io.EOF) {
			return events
		}
		if err != nil {
			t.Fatal(err)
		}
		events = append(events, summary(&e))
	}
}

// A session fed with a recording tells its owner what the recording says.
func TestSessionReplaysRecording(t *testing.T) {
	agent := newAgent(t)
	opts := options(agent.url)
	opts.AgentID = ""
	r := start(t, opts)
	agent.stream().write(recording(t, "drop-in", "events.protobuf.recordio"))

	sub := event[Subscribed](r)
	if sub.Framework.GetPrincipal() != "marathon" || sub.ContainerID == "" || sub.Again {
		t.Errorf("subscribed: %+v", sub)
	}
	launch := event[Launch](r)
	kill := event[Kill](r) // the acknowledgements are for updates that this session never made
	if kill.TaskID != launch.Task.TaskID.Value || kill.Grace == nil || *kill.Grace <= 0 {
		t.Errorf("kill: %+v", kill)
	}
}
