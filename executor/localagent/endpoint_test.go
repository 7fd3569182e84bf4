package localagent_test

import (
	"encoding/json"
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

const (
	protobuf = "application/x-protobuf"
	jsonType = "application/json"
)

// The table follows executor_http_api_tests.cpp in Mesos' src/tests.
func TestRequestsThatAnAgentRefuses(t *testing.T) {
	encode := func(c *client, edit func(*executor.Call)) []byte {
		call := c.call(executor.Call_SUBSCRIBE)
		call.Subscribe = &executor.Call_Subscribe{}
		edit(call)
		body, err := call.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		return body
	}
	same := func(*executor.Call) {}
	for _, tt := range []struct {
		name, method, path, contentType, accept string
		edit                                    func(*executor.Call)
		body                                    string
		code                                    int
		text                                    string
	}{
		{name: "no content type", contentType: "", edit: same, code: 400, text: "'Content-Type' to be present"},
		{name: "unknown content type", contentType: "application/unknown", edit: same, code: 415},
		{name: "content type with charset", contentType: jsonType + "; charset=utf-8", edit: same, code: 415},
		{name: "malformed protobuf", contentType: protobuf, body: "MALFORMED_PROTOBUF", code: 400},
		{name: "malformed json", contentType: jsonType, body: "{", code: 400},
		{name: "GET", method: "GET", contentType: protobuf, edit: same, code: 405},
		{name: "other path", path: "/api/v1", contentType: protobuf, edit: same, code: 404},
		{name: "unacceptable", contentType: protobuf, accept: "foo", edit: same, code: 406},
		{name: "forbidden by q=0", contentType: protobuf, accept: "application/json;q=0", edit: same, code: 406},
		{name: "other framework", contentType: protobuf, edit: func(c *executor.Call) { c.FrameworkID.Value = "x" }, code: 400, text: "Framework cannot be found"},
		{name: "other executor", contentType: protobuf, edit: func(c *executor.Call) { c.ExecutorID.Value = "x" }, code: 400, text: "Executor cannot be found"},
		{name: "no subscribe", contentType: protobuf, edit: func(c *executor.Call) { c.Subscribe = nil }, code: 400},
		{name: "no update", contentType: protobuf, edit: func(c *executor.Call) { c.Type = executor.Call_UPDATE }, code: 400},
		{name: "no message", contentType: protobuf, edit: func(c *executor.Call) { c.Type = executor.Call_MESSAGE }, code: 400},
		{name: "message before subscription", contentType: protobuf, edit: func(c *executor.Call) {
			c.Type, c.Message = executor.Call_MESSAGE, &executor.Call_Message{Data: []byte("x")}
		}, code: 403, text: "Executor is not subscribed"},
		{name: "heartbeat of anyone", contentType: protobuf, edit: func(c *executor.Call) {
			c.Type, c.FrameworkID.Value = executor.Call_HEARTBEAT, "x"
		}, code: 202},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, c := start(t, localagent.Options{})
			body := []byte(tt.body)
			if tt.edit != nil {
				body = encode(c, tt.edit)
			}
			if tt.method == "" {
				tt.method = http.MethodPost
			}
			if tt.path == "" {
				tt.path = "/slave(1)/api/v1/executor"
			}
			response, err := c.do(tt.method, tt.path, tt.contentType, tt.accept, body)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			text, _ := io.ReadAll(response.Body)
			if response.StatusCode != tt.code || !strings.Contains(string(text), tt.text) {
				t.Errorf("got %d %q, want %d %q", response.StatusCode, text, tt.code, tt.text)
			}
			if tt.code == 405 && response.Header.Get("Allow") != "POST" {
				t.Errorf("405 without Allow: POST")
			}
		})
	}
}

func TestUpdatesThatAnAgentRefuses(t *testing.T) {
	for _, tt := range []struct {
		name string
		edit func(*mesos.TaskStatus)
	}{
		{"no uuid", func(s *mesos.TaskStatus) { s.UUID = nil }},
		{"short uuid", func(s *mesos.TaskStatus) { s.UUID = s.UUID[:15] }},
		{"uuid of version 7", func(s *mesos.TaskStatus) { id, _ := uuid.NewV7(); s.UUID = id[:] }},
		{"other executor", func(s *mesos.TaskStatus) { s.ExecutorID = &mesos.ExecutorID{Value: "x"} }},
		{"no source", func(s *mesos.TaskStatus) { s.Source = nil }},
		{"source agent", func(s *mesos.TaskStatus) { s.Source = mesos.SOURCE_AGENT.Enum() }},
		{"staging", func(s *mesos.TaskStatus) { s.State = mesos.TASK_STAGING.Enum() }},
		{"check status without type", func(s *mesos.TaskStatus) { s.CheckStatus = &mesos.CheckStatusInfo{} }},
		{"check status without its part", func(s *mesos.TaskStatus) {
			s.CheckStatus = &mesos.CheckStatusInfo{Type: mesos.CheckInfo_TCP.Enum()}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			agent, c := start(t, localagent.Options{})
			c.subscribe().expect(executor.Event_SUBSCRIBED, executor.Event_LAUNCH)
			call := c.call(executor.Call_UPDATE)
			call.Update = &executor.Call_Update{Status: c.status(mesos.TASK_STARTING)}
			tt.edit(&call.Update.Status)
			if code, text := c.post(call); code != 400 {
				t.Errorf("got %d %q, want 400", code, text)
			}
			if len(agent.Violations()) != 1 {
				t.Errorf("violations %q, want the one", agent.Violations())
			}
			if len(agent.Statuses()) != 0 {
				t.Errorf("the framework was told %v", agent.Statuses())
			}
		})
	}
}

func TestSubscriptionStreamsSubscribedThenLaunchThenHeartbeat(t *testing.T) {
	for _, tt := range []struct{ contentType, accept, stream string }{
		{protobuf, protobuf, protobuf},
		{protobuf, "", jsonType},
		{protobuf, "*/*", jsonType},
		{jsonType, "application/json;q=0, application/x-protobuf;q=0.5", protobuf},
		{jsonType, jsonType, jsonType},
	} {
		t.Run(tt.contentType+" accept "+tt.accept, func(t *testing.T) {
			agent, c := start(t, localagent.Options{HeartbeatEvery: 50 * time.Millisecond})
			call := c.call(executor.Call_SUBSCRIBE)
			call.Subscribe = &executor.Call_Subscribe{}
			body, err := call.Marshal()
			if tt.contentType == jsonType {
				body, err = json.Marshal(call)
			}
			if err != nil {
				t.Fatal(err)
			}
			response, err := c.do(http.MethodPost, "/api/v1/executor", tt.contentType, tt.accept, body)
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			if response.StatusCode != 200 || response.Header.Get("Content-Type") != tt.stream {
				t.Fatalf("got %s %q, want 200 %q", response.Status, response.Header.Get("Content-Type"), tt.stream)
			}
			if len(response.TransferEncoding) != 1 || response.TransferEncoding[0] != "chunked" {
				t.Errorf("transfer encoding %q, want chunked", response.TransferEncoding)
			}
			s := newSubscription(t, response)
			events := s.expect(executor.Event_SUBSCRIBED, executor.Event_LAUNCH, executor.Event_HEARTBEAT)
			if got := events[0].Subscribed.ContainerID.GetValue(); got != agent.IDs().ContainerID {
				t.Errorf("container id %q, want %q", got, agent.IDs().ContainerID)
			}
			if got := events[1].Launch.Task.TaskID.Value; got != "hello" {
				t.Errorf("launched %q", got)
			}
			noViolations(t, agent)
		})
	}
}

func TestBearerTokenIsDemanded(t *testing.T) {
	agent, c := start(t, localagent.Options{Token: "secret"})
	if code, _ := c.post(c.call(executor.Call_HEARTBEAT)); code != 401 {
		t.Errorf("without a token: %d, want 401", code)
	}
	request, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, agent.URL(), nil)
	request.Header.Set("Authorization", "Bearer secret")
	response, err := c.http.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 405 {
		t.Errorf("with the token: %d, want the next check's 405", response.StatusCode)
	}
}

func TestUpdateOfAnotherAgentIsSwallowed(t *testing.T) {
	agent, c := start(t, localagent.Options{})
	s := c.subscribe()
	s.expect(executor.Event_SUBSCRIBED, executor.Event_LAUNCH)
	foreign := c.status(mesos.TASK_STARTING)
	foreign.AgentID = &mesos.AgentID{Value: "another"}
	c.update(foreign)
	own := c.status(mesos.TASK_STARTING)
	c.update(own)
	ack := s.expect(executor.Event_ACKNOWLEDGED)[0]
	if string(ack.Acknowledged.UUID) != string(own.UUID) {
		t.Errorf("the foreign update was acknowledged")
	}
	if len(agent.Statuses()) != 1 || len(agent.Violations()) != 1 {
		t.Errorf("statuses %v, violations %q", agent.Statuses(), agent.Violations())
	}
}

func TestLaunchCarriesAnyBytes(t *testing.T) {
	raw, err := (&mesos.TaskInfo{Name: "x", TaskID: mesos.TaskID{Value: "x"}}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	raw = append(raw, 0xfa, 0x3f, 3, 'n', 'e', 'w') // field 1023, unknown to every build
	agent, c := start(t, localagent.Options{TaskBytes: raw})
	s := c.subscribe()
	s.expect(executor.Event_SUBSCRIBED)
	frame, err := s.frame()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(string(frame), string(raw)) {
		t.Errorf("LAUNCH does not carry the task's bytes")
	}
	event := new(executor.Event)
	if err := event.Unmarshal(frame); err != nil || event.Launch.Task.Name != "x" {
		t.Errorf("LAUNCH decodes to %v, %v", event, err)
	}
	// A task that lost a field on its way back is noticed.
	c.subscribeWith([]mesos.TaskInfo{event.Launch.Task})
	if v := agent.Violations(); len(v) != 1 || !strings.Contains(v[0], "bytes") {
		t.Errorf("violations %q", v)
	}
}
