package localagent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

const (
	typeProtobuf = "application/x-protobuf"
	typeJSON     = "application/json"

	// maxCall bounds the body of a call; a SUBSCRIBE may carry a TaskInfo with
	// large data and every unacknowledged update.
	maxCall = 256 << 20
)

// connKey finds a request's connection in its context: cutting a stream needs it.
type connKey struct{}

// Up opens the endpoint on the agent's port. It does nothing when it is open.
func (a *Agent) Up() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.server != nil || a.closed {
		return nil
	}
	listeners, err := a.listen() // doesn't block
	if err != nil {
		return fmt.Errorf("open the agent's endpoint: %w", err)
	}
	generation := a.generation
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.serve(w, r, generation) }),
		BaseContext:       func(net.Listener) context.Context { return a.life },
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, 0), // failed handshakes
	}
	a.server = server
	for _, listener := range listeners {
		a.spawnLocked(func() { _ = server.Serve(listener) }) // ends with Down: ErrServerClosed
	}
	return nil
}

// Down refuses connections and breaks the present ones, at once, as the death
// of the agent does. What the executor is told about in between is lost.
func (a *Agent) Down() {
	a.mu.Lock()
	server := a.server
	a.server = nil
	a.generation++
	a.dropStream()
	a.wake()
	a.mu.Unlock()
	if server != nil {
		_ = server.Close() // nothing to do about a listener that fails to close
	}
}

// answer is an HTTP status with its text.
type answer struct {
	code int
	text string
}

// serve answers one request in the order in which Http::executor does.
func (a *Agent) serve(w http.ResponseWriter, r *http.Request, generation int) {
	a.mu.Lock()
	a.requests++
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.requests--
		a.wake()
	}()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCall))
	if err != nil {
		return // the connection broke
	}
	call, decodeErr := decodeCall(r.Header.Get("Content-Type"), body)
	if call != nil {
		a.observe(call, generation)
	}
	if refusal := a.check(r, call, decodeErr, generation); refusal != nil {
		a.refuse(w, r, call, *refusal)
		return
	}
	switch call.Type {
	case executor.Call_SUBSCRIBE:
		a.subscribe(w, r, call, body, generation)
	case executor.Call_UPDATE:
		a.takeUpdate(w, r, call, generation)
	case executor.Call_MESSAGE, executor.Call_HEARTBEAT:
		a.logCall(call, http.StatusAccepted, "")
		w.WriteHeader(http.StatusAccepted)
	default:
		a.refuse(w, r, call, answer{http.StatusNotImplemented, "Received 'UNKNOWN' call"})
	}
}

// check returns the refusal of a call, nil when it is to be carried out.
func (a *Agent) check(r *http.Request, call *executor.Call, decodeErr error, generation int) *answer {
	unavailable := &answer{http.StatusServiceUnavailable, "Agent has not finished recovery"}
	if refusal := checkPath(r); refusal != nil {
		return refusal
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.generation != generation {
		return unavailable // the connection is about to break
	}
	if a.faults.notFound() {
		return &answer{http.StatusNotFound, "routes are not set up yet"}
	}
	if token := a.opts.Token; a.tokenRequired && r.Header.Get("Authorization") != "Bearer "+token {
		return &answer{http.StatusUnauthorized, "the bearer token is missing or wrong"}
	}
	if a.phase == recovering || a.faults.unavailable() {
		return unavailable
	}
	if r.Method != http.MethodPost {
		return &answer{http.StatusMethodNotAllowed, "Expecting one of { 'POST' }, but received '" + r.Method + "'"}
	}
	var unsupported *unsupportedType
	switch {
	case errors.As(decodeErr, &unsupported):
		return &answer{http.StatusUnsupportedMediaType, decodeErr.Error()}
	case decodeErr != nil:
		return &answer{http.StatusBadRequest, decodeErr.Error()}
	}
	if err := validateCall(call); err != nil {
		return &answer{http.StatusBadRequest, "Failed to validate Executor::Call: " + err.Error()}
	}
	return a.checkRun(r, call)
}

// checkRun is the part of check that knows the run. a.mu is held.
func (a *Agent) checkRun(r *http.Request, call *executor.Call) *answer {
	subscribing := call.Type == executor.Call_SUBSCRIBE
	switch {
	case call.Type == executor.Call_HEARTBEAT:
		return nil // answered before any id is looked up
	case subscribing && streamType(r) == "":
		return &answer{http.StatusNotAcceptable, "Expecting 'Accept' to allow '" + typeProtobuf + "' or '" + typeJSON + "'"}
	case !subscribing && a.phase == reconnecting:
		return &answer{http.StatusServiceUnavailable, "Agent has not finished recovery"}
	case a.forgotten == ForgetFramework || call.FrameworkID.Value != a.ids.FrameworkID:
		return &answer{http.StatusBadRequest, "Framework cannot be found"}
	case a.forgotten == ForgetExecutor || call.ExecutorID.Value != a.ids.ExecutorID || a.state == terminated:
		return &answer{http.StatusBadRequest, "Executor cannot be found"}
	case !subscribing && a.state == registering:
		return &answer{http.StatusForbidden, "Executor is not subscribed"}
	}
	return nil
}

// refuse answers a call that is not carried out. Answers that a correct
// executor never sees are breaches of the protocol.
func (a *Agent) refuse(w http.ResponseWriter, r *http.Request, call *executor.Call, no answer) {
	a.logCall(call, no.code, no.text)
	a.mu.Lock()
	switch no.code {
	case http.StatusMethodNotAllowed, http.StatusUnsupportedMediaType, http.StatusNotAcceptable, http.StatusNotImplemented:
		a.violate("%s %s was answered %d: %s", r.Method, r.URL.Path, no.code, no.text)
	case http.StatusBadRequest:
		if a.forgotten == ForgetNothing && a.state != terminated {
			a.violate("%s %s was answered 400: %s", r.Method, r.URL.Path, no.text)
		}
	}
	a.mu.Unlock()
	if no.code == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", http.MethodPost)
	}
	http.Error(w, no.text, no.code)
}

func (a *Agent) logCall(call *executor.Call, code int, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	name := "(unreadable)"
	if call != nil {
		name = call.Type.String()
	}
	a.record(Entry{Kind: Call, Name: name, Code: code, Text: text})
}

// streamType is the content type of a subscription: JSON wherever it is
// acceptable, "" when neither is.
func streamType(r *http.Request) string {
	for _, mediaType := range []string{typeJSON, typeProtobuf} {
		if accepts(r.Header.Values("Accept"), mediaType) {
			return mediaType
		}
	}
	return ""
}

// unsupportedType means 415: the content type is there, but not one of the two.
type unsupportedType struct{ contentType string }

func (e *unsupportedType) Error() string {
	return fmt.Sprintf("expecting 'Content-Type' of %s or %s", typeJSON, typeProtobuf)
}

// decodeCall reads a body. The content type is compared as a whole: with a
// "; charset" behind it, it is not one that an agent knows.
func decodeCall(contentType string, body []byte) (*executor.Call, error) {
	call := new(executor.Call)
	switch contentType {
	case "":
		return nil, errors.New("expecting 'Content-Type' to be present")
	case typeProtobuf:
		if err := call.Unmarshal(body); err != nil {
			return nil, fmt.Errorf("failed to parse body into Call protobuf: %w", err)
		}
	case typeJSON:
		if err := json.NewDecoder(bytes.NewReader(body)).Decode(call); err != nil {
			return nil, fmt.Errorf("failed to parse body into JSON: %w", err)
		}
	default:
		return nil, &unsupportedType{contentType}
	}
	return call, nil
}
