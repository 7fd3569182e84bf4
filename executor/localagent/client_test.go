package localagent_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"

	"mesos-docker-executor/executor/localagent"
)

// client is a scripted executor: it does exactly what a test says.
type client struct {
	t     *testing.T
	agent *localagent.Agent
	http  *http.Client
	clock float64
}

func start(t *testing.T, o localagent.Options) (*localagent.Agent, *client) {
	t.Helper()
	if o.Mode == "" {
		o.Mode = localagent.DropIn
	}
	if o.Task.Command == nil && o.Task.Executor == nil {
		o.Task = task()
	}
	agent, err := localagent.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	c := &client{t: t, agent: agent, http: &http.Client{Transport: &http.Transport{Proxy: nil}}}
	t.Cleanup(func() {
		c.http.CloseIdleConnections()
		if err := agent.Close(); err != nil {
			t.Errorf("close the agent: %v", err)
		}
	})
	return agent, c
}

func task() mesos.TaskInfo {
	return mesos.TaskInfo{
		Name:    "hello",
		TaskID:  mesos.TaskID{Value: "hello"},
		Command: &mesos.CommandInfo{Value: ptr("echo hello")},
		Container: &mesos.ContainerInfo{
			Type:   mesos.ContainerInfo_DOCKER.Enum(),
			Docker: &mesos.ContainerInfo_DockerInfo{Image: "busybox:local"},
		},
		Resources: []mesos.Resource{{Name: "cpus", Type: mesos.SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: 0.1}}},
	}
}

func (c *client) call(kind executor.Call_Type) *executor.Call {
	return &executor.Call{
		Type:        kind,
		ExecutorID:  mesos.ExecutorID{Value: c.agent.IDs().ExecutorID},
		FrameworkID: mesos.FrameworkID{Value: c.agent.IDs().FrameworkID},
	}
}

func (c *client) status(state mesos.TaskState) mesos.TaskStatus {
	id := uuid.New()
	c.clock++
	return mesos.TaskStatus{
		TaskID: c.agent.Task().TaskID, State: &state, UUID: id[:],
		Source: mesos.SOURCE_EXECUTOR.Enum(), Timestamp: ptr(c.clock),
	}
}

func (c *client) do(method, path, contentType, accept string, body []byte) (*http.Response, error) {
	request, err := http.NewRequestWithContext(c.t.Context(), method, strings.TrimSuffix(c.agent.URL(), "/api/v1/executor")+path, bytes.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	if accept != "" {
		request.Header.Set("Accept", accept)
	}
	return c.http.Do(request)
}

// post sends a call as protobuf and returns status code and body.
func (c *client) post(call *executor.Call) (int, string) {
	c.t.Helper()
	code, text, err := c.tryPost(call)
	if err != nil {
		c.t.Fatal(err)
	}
	return code, text
}

func (c *client) tryPost(call *executor.Call) (int, string, error) {
	body, err := call.Marshal()
	if err != nil {
		c.t.Fatal(err)
	}
	response, err := c.do(http.MethodPost, "/api/v1/executor", "application/x-protobuf", "", body)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return response.StatusCode, strings.TrimSpace(string(text)), err
}

// update sends one status and fails the test unless it is accepted.
func (c *client) update(status mesos.TaskStatus) {
	c.t.Helper()
	call := c.call(executor.Call_UPDATE)
	call.Update = &executor.Call_Update{Status: status}
	if code, text := c.post(call); code != http.StatusAccepted {
		c.t.Fatalf("update %s was answered %d %s", status.GetState(), code, text)
	}
}

// subscription reads one stream of events.
type subscription struct {
	t        *testing.T
	response *http.Response
	reader   *bufio.Reader
}

func (c *client) subscribe(updates ...mesos.TaskStatus) *subscription {
	c.t.Helper()
	return c.subscribeWith(nil, updates...)
}

func (c *client) subscribeWith(tasks []mesos.TaskInfo, updates ...mesos.TaskStatus) *subscription {
	c.t.Helper()
	s, code, text, err := c.trySubscribe(tasks, updates...)
	if err != nil || s == nil {
		c.t.Fatalf("SUBSCRIBE was answered %d %s %v", code, text, err)
	}
	return s
}

func (c *client) trySubscribe(tasks []mesos.TaskInfo, updates ...mesos.TaskStatus) (*subscription, int, string, error) {
	call := c.call(executor.Call_SUBSCRIBE)
	call.Subscribe = &executor.Call_Subscribe{UnacknowledgedTasks: tasks}
	for _, u := range updates {
		call.Subscribe.UnacknowledgedUpdates = append(call.Subscribe.UnacknowledgedUpdates, executor.Call_Update{Status: u})
	}
	body, err := call.Marshal()
	if err != nil {
		c.t.Fatal(err)
	}
	response, err := c.do(http.MethodPost, "/api/v1/executor", "application/x-protobuf", "application/x-protobuf", body)
	if err != nil {
		return nil, 0, "", err
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		text, _ := io.ReadAll(response.Body)
		return nil, response.StatusCode, strings.TrimSpace(string(text)), nil
	}
	c.t.Cleanup(func() { response.Body.Close() })
	return &subscription{c.t, response, bufio.NewReader(response.Body)}, 200, "", nil
}

// frame reads one RecordIO record.
func (s *subscription) frame() ([]byte, error) {
	line, err := s.reader.ReadString('\n')
	if err != nil {
		return nil, err
	}
	var size int
	if _, err := fmt.Sscanf(line, "%d\n", &size); err != nil || size <= 0 {
		return nil, fmt.Errorf("bad record length %q", line)
	}
	frame := make([]byte, size)
	_, err = io.ReadFull(s.reader, frame)
	return frame, err
}

func (s *subscription) event() (*executor.Event, error) {
	frame, err := s.frame()
	if err != nil {
		return nil, err
	}
	event := new(executor.Event)
	if s.response.Header.Get("Content-Type") == "application/json" {
		return event, json.Unmarshal(frame, event)
	}
	return event, event.Unmarshal(frame)
}

// expect reads events of exactly these types.
func (s *subscription) expect(types ...executor.Event_Type) []*executor.Event {
	s.t.Helper()
	var events []*executor.Event
	for _, want := range types {
		event, err := s.event()
		if err != nil {
			s.t.Fatalf("waiting for %s: %v", want, err)
		}
		if event.Type != want {
			s.t.Fatalf("got %s, want %s", event.Type, want)
		}
		events = append(events, event)
	}
	return events
}

// broken fails the test unless the stream ends with an error now.
func (s *subscription) broken() {
	s.t.Helper()
	if event, err := s.event(); err == nil {
		s.t.Fatalf("got %s on a stream that should be broken", event.Type)
	}
}

func noViolations(t *testing.T, agent *localagent.Agent) {
	t.Helper()
	for _, v := range agent.Violations() {
		t.Errorf("violation: %s", v)
	}
}

func deadline(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func ptr[T any](v T) *T { return &v }

func newSubscription(t *testing.T, response *http.Response) *subscription {
	return &subscription{t, response, bufio.NewReader(response.Body)}
}
