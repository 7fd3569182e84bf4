package session

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"google.golang.org/protobuf/encoding/protowire"
)

func TestUnacknowledgedTaskGoesBackByteForByte(t *testing.T) {
	agent, s, r := subscribedSession(t, nil)
	task := withUnknown(t, taskInfo("t1"))
	s.record(rawLaunch(task))
	if e := event[Launch](r); !bytes.Equal(e.Raw, task) || e.Err != nil {
		t.Errorf("raw %q, %v", e.Raw, e.Err)
	}
	r.Update(status("t1", mesos.TASK_STARTING))
	starting := agent.accepted()
	r.Update(status("t1", mesos.TASK_RUNNING))
	agent.accepted()
	s.close()

	s = agent.subscribed()
	event[Subscribed](r)
	if !bytes.Contains(s.raw, appendMessage(nil, subscribeTasks, task)) {
		t.Error("SUBSCRIBE does not hold the TaskInfo as it came")
	}
	s.send(ackEvent(starting.Update.Status)) // any acknowledgement proves that the agent knows the task
	event[Acknowledged](r)
	s.close()

	s = agent.subscribed()
	event[Subscribed](r)
	if n := len(s.call.Subscribe.UnacknowledgedTasks); n != 0 || len(s.call.Subscribe.UnacknowledgedUpdates) != 1 {
		t.Errorf("SUBSCRIBE %v", s.call.Subscribe)
	}
}

func TestRepeatedLaunchIsDeliveredOnce(t *testing.T) {
	agent, s, r := subscribedSession(t, nil)
	s.send(launchEvent("t1"), launchEvent("t1"))
	event[Launch](r)
	r.Update(status("t1", mesos.TASK_FINISHED))
	s.send(ackEvent(agent.accepted().Update.Status))
	event[Acknowledged](r)
	s.close()
	s = agent.subscribed()
	event[Subscribed](r)
	s.send(launchEvent("t1"), launchEvent("t2"))
	if e := event[Launch](r); e.Task.TaskID.Value != "t2" {
		t.Errorf("%+v", e)
	}
	s.close()
	if tasks := agent.stream().call.Subscribe.UnacknowledgedTasks; len(tasks) != 1 || tasks[0].TaskID.Value != "t2" {
		t.Errorf("unacknowledged %v", tasks)
	}
}

func TestLargeTask(t *testing.T) {
	_, s, r := subscribedSession(t, nil)
	task := taskInfo("t1")
	task.Data = bytes.Repeat([]byte("0123456789abcdef"), 6<<20/16) // above mesos-go's 4 MiB
	raw := withUnknown(t, task)
	s.record(rawLaunch(raw))
	if e := event[Launch](r); !bytes.Equal(e.Raw, raw) || !bytes.Equal(e.Task.Data, task.Data) {
		t.Errorf("%d bytes", len(e.Raw))
	}
}

const taskInfoData = 6 // TaskInfo.data

func TestTaskAboveTheLimitCanBeRefused(t *testing.T) {
	agent, s, r := subscribedSession(t, nil)
	task := taskInfo("t1")
	begin, err := task.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	const chunk = 1 << 20
	begin = protowire.AppendVarint(protowire.AppendTag(begin, taskInfoData, protowire.BytesType), MaxFrame)
	launch := protowire.AppendTag(nil, launchTask, protowire.BytesType)
	launch = append(protowire.AppendVarint(launch, uint64(len(begin)+MaxFrame)), begin...)
	head := protowire.AppendTag([]byte{8, 2}, eventLaunch, protowire.BytesType)
	head = append(protowire.AppendVarint(head, uint64(len(launch)+MaxFrame)), launch...)
	s.write(fmt.Appendf(nil, "%d\n%s", len(head)+MaxFrame, head))
	for range MaxFrame / chunk {
		s.write(make([]byte, chunk))
	}
	e := event[Launch](r)
	if e.Task.TaskID.Value != "t1" || e.Raw != nil || e.Err == nil || !strings.Contains(e.Err.Error(), "64 MiB") {
		t.Errorf("launch of %q, error %v", e.Task.TaskID.Value, e.Err)
	}
	// The stream goes on, and the refusal reaches the agent.
	r.Update(status("t1", mesos.TASK_ERROR))
	s.send(ackEvent(agent.accepted().Update.Status))
	event[Acknowledged](r)
	s.close()
	if n := len(agent.stream().call.Subscribe.UnacknowledgedTasks); n != 0 {
		t.Errorf("%d unacknowledged tasks", n)
	}
}

func TestSubscribedAboveTheLimitEndsTheSession(t *testing.T) {
	agent := newAgent(t)
	s, log := prepare(options(agent.url))
	s.pace.maxFrame = 1 << 10
	r := run(t, s, log)
	e := subscribedEvent()
	e.Subscribed.ExecutorInfo.Data = make([]byte, 2<<10)
	agent.stream().send(e)
	lost := event[Lost](r)
	if err := r.end(); !errors.Is(err, ErrUnusableEvent) || err != lost.Err {
		t.Errorf("error %v, lost %v", err, lost.Err)
	}
}

func TestUndecodableTaskCanBeRefused(t *testing.T) {
	_, s, r := subscribedSession(t, nil)
	raw, err := (&mesos.TaskInfo{TaskID: mesos.TaskID{Value: "t1"}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	raw = append(raw, 0x22, 0x7f)
	s.record(rawLaunch(raw))
	if e := event[Launch](r); e.Err == nil || e.Task.TaskID.Value != "t1" || !bytes.Equal(e.Raw, raw) {
		t.Errorf("%+v", e)
	}
	s.send(launchEvent("t2"))
	event[Launch](r)
}
