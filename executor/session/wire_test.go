package session

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
	"google.golang.org/protobuf/encoding/protowire"
)

// withUnknown is the encoded TaskInfo with a field of a later Mesos.
func withUnknown(t *testing.T, task mesos.TaskInfo) []byte {
	t.Helper()
	data, err := task.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return appendMessage(data, 1000, []byte("of a later version"))
}

// rawLaunch is a LAUNCH event around any bytes.
func rawLaunch(task []byte) []byte {
	event := protowire.AppendTag(nil, eventType, protowire.VarintType)
	event = protowire.AppendVarint(event, uint64(executor.Event_LAUNCH))
	return appendMessage(event, eventLaunch, appendMessage(nil, launchTask, task))
}

func framed(data []byte) frame {
	return frame{data: data, size: int64(len(data)), limit: MaxFrame}
}

func TestCallsAreWhatTheAgentReads(t *testing.T) {
	s := New(options("http://localhost/"))
	u, err := s.encode(status("t1", mesos.TASK_RUNNING))
	if err != nil {
		t.Fatal(err)
	}
	var l ledger
	task := withUnknown(t, taskInfo("t1"))
	l.launch("t1", task)
	l.add(u)
	header := executor.Call{ExecutorID: mesos.ExecutorID{Value: "executor"}, FrameworkID: mesos.FrameworkID{Value: "framework"}}

	var sent mesos.TaskStatus
	if err := sent.Unmarshal(u.status); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		kind executor.Call_Type
		data []byte
		want func(*executor.Call)
	}{
		{executor.Call_SUBSCRIBE, s.caller.subscribe(new(ledger)), func(c *executor.Call) { c.Subscribe = new(executor.Call_Subscribe) }},
		{executor.Call_SUBSCRIBE, s.caller.subscribe(&l), func(c *executor.Call) {
			c.Subscribe = &executor.Call_Subscribe{
				UnacknowledgedTasks:   []mesos.TaskInfo{taskInfo("t1")},
				UnacknowledgedUpdates: []executor.Call_Update{{Status: sent}},
			}
		}},
		{executor.Call_UPDATE, s.caller.update(u), func(c *executor.Call) { c.Update = &executor.Call_Update{Status: sent} }},
		{executor.Call_HEARTBEAT, s.caller.heartbeat(), func(*executor.Call) {}},
	} {
		want := header
		want.Type = test.kind
		test.want(&want)
		var got executor.Call
		if err := got.Unmarshal(test.data); err != nil {
			t.Fatalf("%s: %v", test.kind, err)
		}
		if !got.Equal(want) {
			t.Errorf("%s: %v, want %v", test.kind, got, want)
		}
	}
	if !bytes.Contains(s.caller.subscribe(&l), task) {
		t.Error("SUBSCRIBE does not hold the TaskInfo as it came")
	}
}

func TestUpdateHasWhatTheAgentChecks(t *testing.T) {
	s := New(options("http://localhost/"))
	in := status("t1", mesos.TASK_RUNNING)
	in.UUID = []byte("not ours")
	in.Source = mesos.SOURCE_MASTER.Enum()
	in.AgentID = &mesos.AgentID{Value: "other"}
	u, err := s.encode(in)
	if err != nil {
		t.Fatal(err)
	}
	var got mesos.TaskStatus
	if err := got.Unmarshal(u.status); err != nil {
		t.Fatal(err)
	}
	if u.id.Version() != 4 || !bytes.Equal(got.UUID, u.id[:]) {
		t.Errorf("uuid %x, version %d", got.UUID, u.id.Version())
	}
	if got.GetSource() != mesos.SOURCE_EXECUTOR || got.ExecutorID.Value != "executor" || got.AgentID != nil || got.GetTimestamp() <= 0 {
		t.Errorf("status %v", got)
	}
	for name, bad := range map[string]mesos.TaskStatus{
		"no state": {TaskID: mesos.TaskID{Value: "t1"}},
		"staging":  status("t1", mesos.TASK_STAGING),
	} {
		if _, err := s.encode(bad); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestLaunchIsCutOutOfTheEvent(t *testing.T) {
	task := withUnknown(t, taskInfo("t1"))
	event := rawLaunch(task)
	in, err := decode(framed(event))
	if err != nil || in.launch.Err != nil {
		t.Fatal(err, in.launch.Err)
	}
	if !bytes.Equal(in.launch.Raw, task) || in.launch.Task.TaskID.Value != "t1" {
		t.Errorf("raw %q", in.launch.Raw)
	}
	// Protobuf lets a message come in pieces.
	name, err := (&mesos.TaskInfo{Name: "first"}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	pieces := appendMessage(rawLaunch(name), eventLaunch, appendMessage(nil, launchTask, task))
	before := bytes.Clone(pieces)
	in, err = decode(framed(pieces))
	if err != nil || in.launch.Task.TaskID.Value != "t1" || !bytes.Equal(in.launch.Raw, append(name, task...)) {
		t.Errorf("in pieces: %v, raw %q", err, in.launch.Raw)
	}
	if !bytes.Equal(pieces, before) {
		t.Error("the event was written to")
	}
}

func TestDamagedEvents(t *testing.T) {
	task, err := (&mesos.TaskInfo{Name: "n", TaskID: mesos.TaskID{Value: "t1"}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	broken := append(task, 0x22, 0x7f) // field 4, 127 bytes that are not there
	hostile := append(bytes.Clone(task), 0x9a, 0x6, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f)
	for name, test := range map[string]struct {
		data   []byte
		refuse string // task id of a LAUNCH to be refused
		bad    bool
	}{
		"empty record is an unknown event": {nil, "", false},
		"garbage":                          {[]byte("garbage"), "", true},
		"LAUNCH without content":           {[]byte{8, 2}, "", true},
		"LAUNCH without task":              {[]byte{8, 2, 0x22, 0}, "", true},
		"SUBSCRIBED without content":       {[]byte{8, 1}, "", true},
		"ACKNOWLEDGED without content":     {[]byte{8, 4}, "", true},
		"KILL without content":             {[]byte{8, 3}, "", true},
		"LAUNCH_GROUP without content":     {[]byte{8, 8}, "", true},
		"unknown type":                     {[]byte{8, 99}, "", false},
		"broken TaskInfo":                  {rawLaunch(broken), "t1", false},
		"hostile length in TaskInfo":       {rawLaunch(hostile), "t1", false},
		"broken TaskInfo without id":       {rawLaunch(broken[len(task):]), "", true},
		"event cut short":                  {rawLaunch(task)[:8], "", true},
	} {
		t.Run(name, func(t *testing.T) {
			in, err := decode(framed(test.data))
			if (err != nil) != test.bad {
				t.Fatalf("error %v", err)
			}
			if got := in.launch.Task.TaskID.Value; got != test.refuse || (in.launch.Err != nil) != (test.refuse != "") {
				t.Errorf("launch of %q, %v", got, in.launch.Err)
			}
		})
	}
}

func TestOversizedEvents(t *testing.T) {
	long := strings.Repeat("x", 2*headSize)
	nameless, err := (&mesos.TaskInfo{Name: long, TaskID: mesos.TaskID{Value: "t1"}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		data   []byte
		refuse string
		final  bool
		bad    bool
	}{
		"LAUNCH":                   {rawLaunch(withUnknown(t, mesos.TaskInfo{TaskID: mesos.TaskID{Value: "t1"}, Data: []byte(long)})), "t1", false, false},
		"LAUNCH with its id late":  {rawLaunch(nameless), "", true, true},
		"SUBSCRIBED":               {appendMessage([]byte{8, 1}, 2, []byte(long)), "", true, true},
		"LAUNCH_GROUP":             {appendMessage([]byte{8, 8}, 8, []byte(long)), "", true, true},
		"MESSAGE":                  {appendMessage([]byte{8, 5}, 6, []byte(long)), "", false, false},
		"type of a later version":  {appendMessage([]byte{8, 99}, 99, []byte(long)), "", false, false},
		"ERROR":                    {appendMessage([]byte{8, 6}, 7, []byte(long)), "", false, true},
		"something else than that": {[]byte(long), "", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			f := frame{data: test.data[:headSize], size: int64(len(test.data)), limit: headSize}
			in, err := decode(f)
			if (err != nil) != test.bad || errors.Is(err, ErrUnusableEvent) != test.final {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(test.refuse, in.launch.Task.TaskID.Value); diff != "" || in.launch.Raw != nil {
				t.Errorf("launch %s", diff)
			}
			if test.refuse != "" && in.launch.Err == nil {
				t.Error("no reason to refuse it")
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	task, err := (&mesos.TaskInfo{Name: "n", TaskID: mesos.TaskID{Value: "t1"}}).Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte{})
	f.Add([]byte{8, 9})
	f.Add(rawLaunch(task))
	f.Add(rawLaunch(append(task, 0x22, 0x7f)))
	f.Add(appendMessage(rawLaunch(task), eventLaunch, appendMessage(nil, launchTask, task)))
	f.Fuzz(func(t *testing.T, data []byte) {
		before := bytes.Clone(data)
		in, err := decode(framed(data))
		if !bytes.Equal(before, data) {
			t.Fatal("the event was written to")
		}
		if err != nil || in.kind != executor.Event_LAUNCH || in.launch.Err != nil {
			return
		}
		// What is sent back must mean to the agent what the owner was told.
		var again mesos.TaskInfo
		if err := again.Unmarshal(in.launch.Raw); err != nil {
			t.Fatalf("raw TaskInfo does not decode: %v", err)
		}
		if !again.Equal(in.launch.Task) {
			t.Fatalf("raw TaskInfo is %v, delivered was %v", again, in.launch.Task)
		}
	})
}

func FuzzPeek(f *testing.F) {
	f.Add([]byte{8, 2, 0x22, 6, 0x0a, 4, 0x12, 2, 0x0a, 0})
	f.Fuzz(func(t *testing.T, data []byte) { peek(data) })
}
