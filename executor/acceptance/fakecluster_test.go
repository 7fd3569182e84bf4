//go:build acceptance

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/scheduler"
)

const (
	fakeAgentID     = "f6f32de2-abd7-4c7e-9a46-05e2bc44d7e7-S0"
	fakeFrameworkID = "f6f32de2-abd7-4c7e-9a46-05e2bc44d7e7-0007"
)

// fakeCluster is a master and its agent behind one HTTP server: it checks calls as the real master does, launches nothing,
// and lets a script play the executor.
type fakeCluster struct {
	t      *testing.T
	server *httptest.Server
	play   player            // the executor's part
	flags  map[string]string // of the agent

	mu         sync.Mutex
	stream     chan *scheduler.Event // of the current subscription, nil without one
	streamID   string
	hangUp     chan struct{} // closed to cut the current subscription
	subscribed int           // how often
	calls      []scheduler.Call
	info       mesos.FrameworkInfo
	suppressed bool
	offer      string // outstanding offer, "" = none
	offers     int
	running    map[string]*fakeTask
	unacked    map[string]mesos.TaskStatus // by uuid
	sent       []string                    // uuids, oldest first: the agent sends again in this order
	torndown   bool

	silent    atomic.Bool // no events any more, not even heartbeats
	noOffers  bool
	refuse    string // ERROR event instead of SUBSCRIBED
	resend    bool   // every update comes twice, as after a lost acknowledgement
	cutOnce   bool   // cut the stream at the first launch
	resources []mesos.Resource
}

type fakeTask struct {
	info mesos.TaskInfo
	kill chan *mesos.KillPolicy
}

// player plays the executor for one task: it sends statuses until the task is over. kill delivers the KILL.
type player func(task mesos.TaskInfo, kill <-chan *mesos.KillPolicy, send func(mesos.TaskStatus))

func newFakeCluster(t *testing.T, play player) *fakeCluster {
	c := &fakeCluster{
		t: t, play: play, running: map[string]*fakeTask{}, unacked: map[string]mesos.TaskStatus{},
		flags: map[string]string{"containerizers": "docker,mesos", "launcher_dir": "/usr/libexec/mesos", "work_dir": "/var/lib/mesos/agent", "docker_socket": "/var/run/docker.sock"},
	}
	c.resources = offeredResources("*")
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+schedulerPath, c.scheduler)
	mux.HandleFunc("GET /slaves", c.slaves)
	mux.HandleFunc("GET /slave(1)/flags", func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(map[string]any{"flags": c.flags})
	})
	c.server = httptest.NewServer(mux)
	t.Cleanup(func() {
		c.cut()
		c.server.Close()
	})
	return c
}

func (c *fakeCluster) host() string { return strings.TrimPrefix(c.server.URL, "http://") }

func (c *fakeCluster) slaves(w http.ResponseWriter, _ *http.Request) {
	json.NewEncoder(w).Encode(map[string]any{"slaves": []any{map[string]any{
		"id": fakeAgentID, "pid": "slave(1)@" + c.host(), "hostname": "localhost", "active": true, "resources": map[string]any{"cpus": 2.0, "ports": "[31000-32000]"},
	}}})
}

func (c *fakeCluster) scheduler(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var call scheduler.Call
	if err == nil {
		err = call.Unmarshal(body)
	}
	switch {
	case err != nil:
		http.Error(w, "Failed to parse body into Call protobuf", http.StatusBadRequest)
	case r.Header.Get("Content-Type") != "application/x-protobuf":
		http.Error(w, "Expecting 'Content-Type' of application/json or application/x-protobuf", http.StatusUnsupportedMediaType)
	case call.Type == scheduler.Call_SUBSCRIBE:
		c.subscribe(w, r, &call)
	default:
		if code, message := c.accept(r.Header.Get("Mesos-Stream-Id"), call); code != http.StatusAccepted {
			http.Error(w, message, code)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}
}

func (c *fakeCluster) subscribe(w http.ResponseWriter, r *http.Request, call *scheduler.Call) {
	info := call.GetSubscribe().GetFrameworkInfo()
	if info.GetID().GetValue() != call.GetFrameworkID().GetValue() {
		http.Error(w, "'framework_id' differs from 'subscribe.framework_info.id'", http.StatusBadRequest)
		return
	}
	stream, hangUp, streamID := make(chan *scheduler.Event, 64), make(chan struct{}), uuid.NewString()
	c.mu.Lock()
	c.subscribed++
	c.stream, c.hangUp, c.streamID, c.info, c.suppressed, c.offer = stream, hangUp, streamID, *info, false, ""
	interval := 0.2
	switch {
	case c.refuse != "":
		stream <- &scheduler.Event{Type: scheduler.Event_ERROR, Error: &scheduler.Event_Error{Message: c.refuse}}
	case !c.silent.Load():
		stream <- &scheduler.Event{Type: scheduler.Event_SUBSCRIBED, Subscribed: &scheduler.Event_Subscribed{
			FrameworkID: &mesos.FrameworkID{Value: fakeFrameworkID}, HeartbeatIntervalSeconds: &interval,
		}}
		for _, id := range c.sent {
			if s, ok := c.unacked[id]; ok {
				stream <- &scheduler.Event{Type: scheduler.Event_UPDATE, Update: &scheduler.Event_Update{Status: s}}
			}
		}
		c.makeOffer()
	}
	c.mu.Unlock()

	w.Header().Set("Content-Type", "application/x-protobuf")
	w.Header().Set("Mesos-Stream-Id", streamID)
	w.WriteHeader(http.StatusOK)
	flush := w.(http.Flusher).Flush
	flush()
	beat := time.NewTicker(100 * time.Millisecond)
	defer beat.Stop()
	for {
		e := &scheduler.Event{Type: scheduler.Event_HEARTBEAT}
		select {
		case e = <-stream:
		case <-beat.C:
			if c.silent.Load() {
				continue
			}
		case <-hangUp:
			return
		case <-r.Context().Done():
			return
		}
		b, err := e.Marshal()
		if err != nil {
			c.t.Errorf("marshal %s: %v", e.Type, err)
			return
		}
		fmt.Fprintf(w, "%d\n%s", len(b), b)
		flush()
	}
}

// cut ends the current subscription.
func (c *fakeCluster) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stream != nil {
		close(c.hangUp)
		c.stream = nil
	}
}

// send puts an event on the stream; the lock is held.
func (c *fakeCluster) send(e *scheduler.Event) {
	if c.stream != nil {
		c.stream <- e
	}
}

// makeOffer offers everything that no task holds, unless an offer is out; the lock is held.
func (c *fakeCluster) makeOffer() {
	if c.noOffers || c.suppressed || c.offer != "" || c.torndown {
		return
	}
	c.offers++
	c.offer = fmt.Sprintf("%s-O%d", fakeFrameworkID, c.offers)
	c.send(&scheduler.Event{Type: scheduler.Event_OFFERS, Offers: &scheduler.Event_Offers{Offers: []mesos.Offer{{
		ID: mesos.OfferID{Value: c.offer}, FrameworkID: mesos.FrameworkID{Value: fakeFrameworkID}, AgentID: mesos.AgentID{Value: fakeAgentID},
		Hostname: "localhost", Resources: c.resources,
	}}}})
}

// accept takes any call but SUBSCRIBE.
func (c *fakeCluster) accept(streamID string, call scheduler.Call) (int, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case call.GetFrameworkID().GetValue() == "":
		return http.StatusBadRequest, "Expecting 'framework_id' to be present"
	case c.stream == nil || c.torndown:
		return http.StatusForbidden, "Framework is not subscribed"
	case streamID != c.streamID:
		return http.StatusBadRequest, "The stream ID included in this request didn't match the stream ID currently associated with framework ID"
	}
	c.calls = append(c.calls, call)
	switch call.Type {
	case scheduler.Call_REVIVE:
		c.suppressed = false
		c.makeOffer()
	case scheduler.Call_SUPPRESS:
		c.suppressed = true
	case scheduler.Call_DECLINE:
		c.offer = ""
	case scheduler.Call_ACCEPT:
		c.launch(call.GetAccept())
	case scheduler.Call_ACKNOWLEDGE:
		c.acknowledge(call.GetAcknowledge())
	case scheduler.Call_KILL:
		c.kill(call.GetKill())
	case scheduler.Call_TEARDOWN:
		c.torndown = true
		close(c.hangUp)
		c.stream = nil
	}
	return http.StatusAccepted, ""
}

func (c *fakeCluster) acknowledge(a *scheduler.Call_Acknowledge) {
	s, ok := c.unacked[string(a.UUID)]
	if !ok || s.TaskID != a.TaskID || a.AgentID.Value != fakeAgentID {
		c.t.Errorf("ACKNOWLEDGE of an update that was not sent: %v", a)
	}
	if !c.resend {
		delete(c.unacked, string(a.UUID))
	}
	if isTerminal(s.GetState()) {
		delete(c.running, s.TaskID.Value)
	}
}

func (c *fakeCluster) kill(k *scheduler.Call_Kill) {
	if task := c.running[k.TaskID.Value]; task != nil {
		select {
		case task.kill <- k.KillPolicy:
		default: // it has one already
		}
		return
	}
	c.masterSays(k.TaskID, mesos.TASK_UNKNOWN, mesos.REASON_RECONCILIATION, "Attempted to kill an unknown task")
}

func (c *fakeCluster) masterSays(id mesos.TaskID, state mesos.TaskState, reason mesos.TaskStatus_Reason, message string) {
	c.send(&scheduler.Event{Type: scheduler.Event_UPDATE, Update: &scheduler.Event_Update{Status: mesos.TaskStatus{
		TaskID: id, State: &state, Source: mesos.SOURCE_MASTER.Enum(), Reason: &reason, Message: &message,
	}}})
}

func (c *fakeCluster) launch(a *scheduler.Call_Accept) {
	if len(a.OfferIDs) != 1 || a.OfferIDs[0].Value != c.offer {
		c.t.Errorf("ACCEPT of %v, outstanding is %q", a.OfferIDs, c.offer)
		return
	}
	c.offer = ""
	for _, op := range a.Operations {
		for _, task := range op.GetLaunch().GetTaskInfos() {
			if why := c.validate(task); why != "" {
				c.masterSays(task.TaskID, mesos.TASK_ERROR, mesos.REASON_TASK_INVALID, why)
				continue
			}
			running := &fakeTask{info: task, kill: make(chan *mesos.KillPolicy, 1)}
			c.running[task.TaskID.Value] = running
			go c.play(task, running.kill, func(s mesos.TaskStatus) { c.update(task, s) })
			if c.cutOnce {
				c.cutOnce = false
				close(c.hangUp)
				c.stream = nil
			}
		}
	}
}

// update sends what the executor said, as the agent forwards it.
func (c *fakeCluster) update(task mesos.TaskInfo, s mesos.TaskStatus) {
	id := uuid.New()
	s.TaskID, s.UUID, s.AgentID = task.TaskID, id[:], &mesos.AgentID{Value: fakeAgentID}
	if s.Source == nil {
		s.Source = mesos.SOURCE_EXECUTOR.Enum()
	}
	e := &scheduler.Event{Type: scheduler.Event_UPDATE, Update: &scheduler.Event_Update{Status: s}}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.unacked[string(s.UUID)] = s
	c.sent = append(c.sent, string(s.UUID))
	c.send(e)
	if c.resend {
		c.send(e)
	}
}

// validate refuses what the real master refuses (src/master/validation.cpp).
func (c *fakeCluster) validate(t mesos.TaskInfo) string {
	if _, known := c.running[t.TaskID.Value]; known {
		return "Task has duplicate ID: " + t.TaskID.Value
	}
	if strings.ContainsAny(t.TaskID.Value, "/\\") || t.TaskID.Value == "" || strings.ContainsFunc(t.TaskID.Value, func(r rune) bool { return r <= ' ' }) {
		return "'" + t.TaskID.Value + "' contains invalid characters"
	}
	if t.AgentID.Value != fakeAgentID {
		return "Task uses invalid agent " + t.AgentID.Value
	}
	if (t.Executor == nil) == (t.Command == nil) {
		return "Task should have at least one (but not both) of CommandInfo or ExecutorInfo present"
	}
	if len(t.Resources) == 0 {
		return "Task uses no resources"
	}
	total := slices.Clone(t.Resources)
	if e := t.Executor; e != nil {
		if why := validateExecutor(e); why != "" {
			return why
		}
		total = append(total, e.Resources...)
	}
	if t.Container == nil || t.Container.Type == nil || t.Container.GetType() == mesos.ContainerInfo_DOCKER && t.Container.Docker == nil {
		return "DockerInfo 'docker' is not set for DOCKER typed ContainerInfo"
	}
	for _, p := range t.Container.Docker.Parameters {
		if p.Key == "name" {
			return "Parameter in DockerInfo must not be 'name'"
		}
	}
	for _, r := range total {
		if r.GetAllocationInfo().GetRole() != c.info.Roles[0] {
			return "Invalid task resources: The resources are not allocated to a single role"
		}
	}
	return c.contains(total)
}

// contains compares with everything that is offered; no two tasks run at once here.
func (c *fakeCluster) contains(total []mesos.Resource) string {
	wanted := map[string]float64{}
	for _, r := range total {
		wanted[r.Name] += r.GetScalar().GetValue()
		for _, p := range r.GetRanges().GetRange() {
			if p.Begin < 31000 || p.End > 32000 || p.Begin > p.End {
				return fmt.Sprintf("ports [%d-%d] are not offered", p.Begin, p.End)
			}
		}
	}
	for _, r := range c.resources {
		if wanted[r.Name] > r.GetScalar().GetValue() {
			return "Total resources required by task and its executor is more than available"
		}
	}
	return ""
}

func validateExecutor(e *mesos.ExecutorInfo) string {
	switch {
	case e.Type != mesos.ExecutorInfo_CUSTOM:
		return "'ExecutorInfo.type' must be 'CUSTOM'"
	case e.Command == nil:
		return "'ExecutorInfo.command' must be set for 'CUSTOM' executor"
	case e.GetFrameworkID().GetValue() != fakeFrameworkID:
		return "ExecutorInfo has an invalid FrameworkID"
	case e.ExecutorID.Value == "" || strings.Contains(e.ExecutorID.Value, "/"):
		return "invalid executor id"
	}
	return ""
}

// called returns the calls of one type so far.
func (c *fakeCluster) called(kind scheduler.Call_Type) []scheduler.Call {
	c.mu.Lock()
	defer c.mu.Unlock()
	var found []scheduler.Call
	for _, call := range c.calls {
		if call.Type == kind {
			found = append(found, call)
		}
	}
	return found
}
