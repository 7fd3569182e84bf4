package session

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

var life = []mesos.TaskState{mesos.TASK_STARTING, mesos.TASK_RUNNING, mesos.TASK_KILLING, mesos.TASK_KILLED}

// subscribedSession is a session with one subscription whose owner has been told.
func subscribedSession(t *testing.T, opts func(*Options)) (*fakeAgent, *stream, *running) {
	t.Helper()
	agent := newAgent(t)
	o := options(agent.url)
	if opts != nil {
		opts(&o)
	}
	r := start(t, o)
	s := agent.subscribed()
	event[Subscribed](r)
	return agent, s, r
}

func TestUpdatesArriveInOrderOnOneOtherConnection(t *testing.T) {
	agent, s, r := subscribedSession(t, func(o *Options) { o.Token = "secret-token" })
	var remote string
	for i := range 50 {
		r.Update(status(fmt.Sprint("t", i), life[i%len(life)]))
	}
	for i := range 50 {
		c := agent.accepted()
		if c.Type != executor.Call_UPDATE || c.Update.Status.TaskID.Value != fmt.Sprint("t", i) {
			t.Fatalf("call %d: %v", i, c.Call)
		}
		if remote == "" {
			remote = c.remote
		}
		if c.remote != remote || c.remote == s.remote {
			t.Fatalf("call %d from %s, others from %s, stream from %s", i, c.remote, remote, s.remote)
		}
		if c.header.Get("Authorization") != "Bearer secret-token" {
			t.Fatal("no token")
		}
		s.send(ackEvent(c.Update.Status))
		if e := event[Acknowledged](r); e.TaskID != fmt.Sprint("t", i) || e.State != life[i%len(life)] {
			t.Fatalf("%+v", e)
		}
	}
}

func TestUpdatesFromManyGoroutinesAreSentOnce(t *testing.T) {
	agent, _, r := subscribedSession(t, nil)
	var callers sync.WaitGroup
	for g := range 4 {
		callers.Go(func() {
			for i := range 10 {
				r.Update(status(fmt.Sprint(g, "-", i), mesos.TASK_RUNNING))
			}
		})
	}
	callers.Wait()
	next := make(map[byte]byte)
	seen := make(map[string]bool)
	for range 40 {
		c := agent.accepted()
		id := c.Update.Status.TaskID.Value
		if want := '0' + next[id[0]]; id[2] != want {
			t.Errorf("update %s, want number %c", id, want)
		}
		next[id[0]]++
		seen[string(c.Update.Status.UUID)] = true
	}
	if len(seen) != 40 {
		t.Errorf("%d uuids", len(seen))
	}
}

func TestUpdateIsRepeatedUntilAccepted(t *testing.T) {
	agent, _, r := subscribedSession(t, nil)
	codes := []int{503, 404, 500, 429}
	agent.set(func() {
		agent.onCall = func(n int, _ executor.Call) (int, string) {
			if n <= 20 {
				return codes[n%len(codes)], "Agent has not finished recovery"
			}
			return 202, ""
		}
	})
	r.Update(status("t1", mesos.TASK_STARTING))
	r.Update(status("t1", mesos.TASK_RUNNING))
	var first []byte
	for range 21 {
		c := receive(t, agent.calls, "call")
		if first == nil {
			first = c.Update.Status.UUID
		}
		if c.Update.Status.GetState() != mesos.TASK_STARTING || !bytes.Equal(c.Update.Status.UUID, first) {
			t.Fatalf("%v, and STARTING was not accepted yet", c.Update.Status)
		}
	}
	if c := agent.accepted(); c.Update.Status.GetState() != mesos.TASK_RUNNING {
		t.Errorf("then %v", c.Update.Status)
	}
}

func TestUpdateIsRepeatedWhenItsConnectionBreaks(t *testing.T) {
	agent, s, r := subscribedSession(t, nil)
	var mu sync.Mutex
	var ids [][]byte
	agent.set(func() {
		agent.hijack = func(n int, c executor.Call, conn net.Conn) bool {
			mu.Lock()
			defer mu.Unlock()
			ids = append(ids, c.Update.Status.UUID)
			return n < 3 // closed without an answer: was it taken?
		}
	})
	r.Update(status("t1", mesos.TASK_RUNNING))
	c := agent.accepted()
	mu.Lock()
	defer mu.Unlock()
	if len(ids) != 3 || !bytes.Equal(ids[0], ids[1]) || !bytes.Equal(ids[0], c.Update.Status.UUID) {
		t.Errorf("uuids %x", ids)
	}
	s.send(ackEvent(c.Update.Status))
	event[Acknowledged](r)
}

func TestCallsThatAlwaysBreakLeadToANewSubscription(t *testing.T) {
	agent, s, r := subscribedSession(t, nil)
	agent.set(func() { agent.hijack = func(int, executor.Call, net.Conn) bool { return true } })
	r.Update(status("t1", mesos.TASK_RUNNING))
	s.dropped()
	again := agent.subscribed()
	event[Subscribed](r)
	if n := len(again.call.Subscribe.UnacknowledgedUpdates); n != 1 {
		t.Errorf("%d updates in SUBSCRIBE", n)
	}
}

func TestAcknowledgementBeforeTheAnswer(t *testing.T) {
	agent, s, r := subscribedSession(t, nil)
	answer := make(chan struct{})
	agent.set(func() {
		agent.onCall = func(n int, c executor.Call) (int, string) {
			if n == 1 {
				s.send(ackEvent(c.Update.Status))
				<-answer
			}
			return 202, ""
		}
	})
	r.Update(status("t1", mesos.TASK_STARTING))
	if e := event[Acknowledged](r); e.State != mesos.TASK_STARTING {
		t.Errorf("%+v", e)
	}
	r.Update(status("t1", mesos.TASK_RUNNING))
	close(answer)
	agent.accepted()
	if c := agent.accepted(); c.Update.Status.GetState() != mesos.TASK_RUNNING {
		t.Errorf("%v", c.Update.Status)
	}
}

func TestAcknowledgedUpdateIsNotRepeated(t *testing.T) {
	agent, s, r := subscribedSession(t, nil)
	agent.set(func() {
		agent.onCall = func(n int, c executor.Call) (int, string) {
			if c.Update.Status.GetState() != mesos.TASK_STARTING {
				return 202, ""
			}
			s.send(ackEvent(c.Update.Status)) // taken, in spite of the answer
			return 503, ""
		}
	})
	r.Update(status("t1", mesos.TASK_STARTING))
	event[Acknowledged](r)
	r.Update(status("t1", mesos.TASK_RUNNING))
	if c := agent.accepted(); c.Update.Status.GetState() != mesos.TASK_RUNNING {
		t.Errorf("%v", c.Update.Status)
	}
}

func TestRepeatedAndForeignAcknowledgementsAreSwallowed(t *testing.T) {
	agent, s, r := subscribedSession(t, nil)
	r.Update(status("t1", mesos.TASK_STARTING))
	c := agent.accepted()
	foreign := c.Update.Status
	foreign.UUID = bytes.Repeat([]byte{1}, 16)
	short := c.Update.Status
	short.UUID = short.UUID[:3]
	s.send(ackEvent(foreign), ackEvent(short), ackEvent(c.Update.Status), ackEvent(c.Update.Status), ackEvent(c.Update.Status))
	event[Acknowledged](r)
	s.send(launchEvent("t2"))
	event[Launch](r) // nothing in between
}

func TestUnacknowledgedUpdatesAreInTheNextSubscribe(t *testing.T) {
	agent, s, r := subscribedSession(t, nil)
	var sent []mesos.TaskStatus
	for _, state := range life {
		r.Update(status("t1", state))
		sent = append(sent, agent.accepted().Update.Status)
	}
	s.send(ackEvent(sent[1]))
	event[Acknowledged](r)
	s.close()

	again := agent.subscribed()
	event[Subscribed](r)
	var got []mesos.TaskStatus
	for _, u := range again.call.Subscribe.UnacknowledgedUpdates {
		got = append(got, u.Status)
	}
	want := []mesos.TaskStatus{sent[0], sent[2], sent[3]}
	if len(got) != len(want) {
		t.Fatalf("%d updates", len(got))
	}
	for i := range want {
		if !got[i].Equal(want[i]) {
			t.Errorf("update %d: %v, want %v", i, got[i], want[i])
		}
	}
	// They are with the agent now and do not come once more as UPDATE; new ones do.
	r.Update(status("t2", mesos.TASK_STARTING))
	if c := agent.accepted(); c.Update.Status.TaskID.Value != "t2" {
		t.Errorf("%v", c.Update.Status)
	}
}

func TestUpdateBeforeTheFirstSubscription(t *testing.T) {
	agent := newAgent(t)
	s, log := prepare(options(agent.url))
	s.Update(status("t1", mesos.TASK_STARTING))
	r := run(t, s, log)
	first := agent.subscribed()
	event[Subscribed](r)
	if n := len(first.call.Subscribe.UnacknowledgedUpdates); n != 1 {
		t.Errorf("%d updates in SUBSCRIBE", n)
	}
}

func TestUpdateThatNeedsASubscriptionLeadsToOne(t *testing.T) {
	for name, answer := range map[string]struct {
		code int
		text string
	}{
		"not subscribed":   {403, "Executor is not subscribed"},
		"token":            {401, ""},
		"unknown executor": {400, "Executor cannot be found"},
	} {
		t.Run(name, func(t *testing.T) {
			agent, s, r := subscribedSession(t, nil)
			agent.set(func() { agent.onCall = func(int, executor.Call) (int, string) { return answer.code, answer.text } })
			r.Update(status("t1", mesos.TASK_STARTING))
			s.dropped()
			again := agent.subscribed()
			event[Subscribed](r)
			if n := len(again.call.Subscribe.UnacknowledgedUpdates); n != 1 {
				t.Errorf("%d updates in SUBSCRIBE", n)
			}
		})
	}
}

func TestUpdateThatTheAgentRefusesEndsTheSession(t *testing.T) {
	agent, _, r := subscribedSession(t, nil)
	agent.set(func() {
		agent.onCall = func(int, executor.Call) (int, string) { return 400, "Failed to validate executor::Call" }
	})
	r.Update(status("t1", mesos.TASK_STARTING))
	event[Lost](r)
	var refusal *RefusedError
	if err := r.end(); !errors.As(err, &refusal) || refusal.Call != "UPDATE" || refusal.Status != http.StatusBadRequest {
		t.Errorf("error %v", err)
	}
}

func TestUpdateThatCannotBeSentIsDropped(t *testing.T) {
	agent, _, r := subscribedSession(t, nil)
	r.Update(mesos.TaskStatus{TaskID: mesos.TaskID{Value: "t1"}})
	r.logged("status update dropped")
	r.Update(status("t1", mesos.TASK_RUNNING))
	if c := agent.accepted(); c.Update.Status.GetState() != mesos.TASK_RUNNING {
		t.Errorf("%v", c.Update.Status)
	}
}

func TestStatusMayChangeAfterUpdate(t *testing.T) {
	agent, _, r := subscribedSession(t, nil)
	in := status("t1", mesos.TASK_RUNNING)
	in.Data = []byte("before")
	r.Update(in)
	copy(in.Data, "after!")
	*in.State = mesos.TASK_LOST
	if c := agent.accepted(); string(c.Update.Status.Data) != "before" || c.Update.Status.GetState() != mesos.TASK_RUNNING {
		t.Errorf("%v", c.Update.Status)
	}
}
