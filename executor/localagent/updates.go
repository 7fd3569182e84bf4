package localagent

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

// update is one status update of the executor, known by its UUID from the
// moment it was first seen, even in a call that was answered 503.
type update struct {
	status    mesos.TaskStatus
	index     int       // order of first sight; -1 for an unknown one
	first     time.Time // of first sight
	taken     bool      // the agent has it
	acked     bool      // an ACKNOWLEDGED was put on a stream
	swallowed bool      // never acknowledged: it names another agent
}

// exchange is an UPDATE call that is being answered.
type exchange struct {
	ctx     context.Context // of the request: ends when the caller gives up
	overlap bool            // another UPDATE arrived meanwhile
}

// find returns the update of a UUID, or one with index -1. a.mu is held.
func (a *Agent) find(uuid []byte) *update {
	for _, u := range a.updates {
		if string(u.status.UUID) == string(uuid) {
			return u
		}
	}
	return &update{index: -1}
}

// observe remembers an update before the call that carries it is judged: an
// executor stores before it sends, so from now on it is owed in SUBSCRIBE.
func (a *Agent) observe(call *executor.Call, generation int) {
	if call.Type != executor.Call_UPDATE || validateCall(call) != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.generation == generation && a.forgotten == ForgetNothing && call.ExecutorID.Value == a.ids.ExecutorID {
		a.meet(&call.Update.Status)
	}
}

// meet returns the record of an update, made if it is new. a.mu is held.
func (a *Agent) meet(status *mesos.TaskStatus) *update {
	u := a.find(status.UUID)
	if u.index < 0 {
		id := status.AgentID
		u = &update{status: *status, index: len(a.updates), first: time.Now(), swallowed: id != nil && id.Value != a.ids.AgentID}
		a.updates = append(a.updates, u)
	} else if !u.status.Equal(status) {
		a.violate("update %s was sent again with the same uuid and other contents", status.GetState())
	}
	return u
}

// takeUpdate carries out an UPDATE.
func (a *Agent) takeUpdate(w http.ResponseWriter, r *http.Request, call *executor.Call, generation int) {
	status := &call.Update.Status
	a.mu.Lock()
	if a.generation != generation {
		a.mu.Unlock()
		return
	}
	mine := &exchange{ctx: r.Context()}
	if a.sending != nil {
		a.sending.overlap = true
	}
	a.sending = mine
	a.record(Entry{Kind: Call, Name: call.Type.String(), Code: http.StatusAccepted, Text: status.GetState().String()})
	if index := a.find(status.UUID).index; index < a.newest {
		a.violate("update %s was sent after a later one", status.GetState())
	} else {
		a.newest = index
	}
	a.answered++
	actions := append(a.due(moment{kind: atUpdate, n: a.answered}), a.due(moment{kind: atState, state: status.GetState()})...)
	a.mu.Unlock()

	a.run(actions) // before the acknowledgement: a cut stream loses it

	a.mu.Lock()
	if a.generation == generation {
		a.learn(status, false)
	}
	delay := a.faults.acceptDelay
	a.mu.Unlock()
	if delay > 0 {
		sleep(r.Context(), delay)
	}
	a.mu.Lock()
	if a.sending == mine {
		a.sending = nil
	}
	// A caller that gave up before it sent the next update kept the order.
	if mine.overlap && r.Context().Err() == nil {
		a.violate("two UPDATE calls were in flight at once: %s was not answered yet", status.GetState())
	}
	a.mu.Unlock()
	w.WriteHeader(http.StatusAccepted)
}

// learn hands an update to the agent's status update manager: recorded once,
// checked against those before it, acknowledged every time. a.mu is held.
func (a *Agent) learn(status *mesos.TaskStatus, replayed bool) {
	if validateUUID(status.UUID) != nil {
		return // a violation already; a real agent may crash here
	}
	u := a.find(status.UUID)
	if replayed || u.index < 0 { // the one of an UPDATE call was met by observe
		u = a.meet(status)
	}
	if u.swallowed {
		a.violate("update %s names the agent %q: it is ignored and never acknowledged", status.GetState(), status.AgentID.Value)
		return
	}
	entry := Entry{Kind: Status, Name: status.GetState().String(), Text: status.GetMessage(), Status: &u.status, Duplicate: u.taken}
	if !u.taken {
		u.taken = true
		a.checkOrder(u)
		if terminal(status.GetState()) {
			entry.Duplicate = a.ended // dropped, but acknowledged
			a.ended = true
		}
	}
	if !entry.Duplicate || !replayed {
		a.record(entry)
	}
	for range a.opts.Acks(*status) {
		if a.faults.withholdAcks {
			break
		}
		a.acknowledge(u)
	}
}

func (a *Agent) acknowledge(u *update) {
	a.send(&executor.Event{Type: executor.Event_ACKNOWLEDGED, Acknowledged: &executor.Event_Acknowledged{
		TaskID: u.status.TaskID, UUID: u.status.UUID,
	}})
	if a.stream != nil {
		u.acked = true
	}
}

// checkOrder holds a new update against the ones that were taken before it.
// a.mu is held.
func (a *Agent) checkOrder(u *update) {
	state := u.status.GetState()
	if u.status.TaskID != a.task.TaskID {
		return // an answer to a second LAUNCH, say
	}
	for _, before := range a.updates {
		if before == u || !before.taken || before.status.TaskID != u.status.TaskID {
			continue
		}
		earlier := before.status.GetState()
		switch {
		case terminal(earlier) && terminal(state):
			a.violate("a second terminal update: %s after %s", state, earlier)
		case terminal(earlier):
			a.violate("update %s after the terminal %s", state, earlier)
		case rank(state) < rank(earlier):
			a.violate("update %s after %s", state, earlier)
		case before.status.GetTimestamp() > u.status.GetTimestamp():
			a.violate("update %s is dated before %s, which was sent earlier", state, earlier)
		}
	}
}

// rank orders the states that a task passes.
func rank(s mesos.TaskState) int {
	switch s {
	case mesos.TASK_STAGING, mesos.TASK_STARTING:
		return 0
	case mesos.TASK_RUNNING:
		return 1
	case mesos.TASK_KILLING:
		return 2
	}
	return 3
}

func describeReplay(subscribe *executor.Call_Subscribe) string {
	var parts []string
	if n := len(subscribe.UnacknowledgedTasks); n > 0 {
		parts = append(parts, fmt.Sprintf("%d unacknowledged task(s)", n))
	}
	for i := range subscribe.UnacknowledgedUpdates {
		parts = append(parts, subscribe.UnacknowledgedUpdates[i].Status.GetState().String())
	}
	return strings.Join(parts, ", ")
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) {
	if d <= 0 {
		return
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
