package session

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// fakeAgent serves the executor endpoint and does what the test says.
type fakeAgent struct {
	t       *testing.T
	url     string
	server  *http.Server
	streams chan *stream // one for each SUBSCRIBE that was accepted
	calls   chan call    // every other call, and with what it was answered

	mu          sync.Mutex
	subscribes  int
	updates     int
	onSubscribe func(n int) (status int, text string)            // nil: 200; n counts from 1
	onCall      func(n int, c executor.Call) (int, string)       // nil: 202
	hijack      func(n int, c executor.Call, conn net.Conn) bool // true: handled
}

type call struct {
	executor.Call
	header http.Header
	remote string
	status int
}

// stream is the answer to one SUBSCRIBE.
type stream struct {
	agent  *fakeAgent
	call   executor.Call
	raw    []byte
	header http.Header
	remote string
	out    chan []byte
	gone   <-chan struct{} // the executor has dropped it
	end    chan struct{}
	once   sync.Once
}

func newAgent(t *testing.T) *fakeAgent {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveAgent(t, l, "http://"+l.Addr().String()+"/api/v1/executor")
}

func serveAgent(t *testing.T, l net.Listener, url string) *fakeAgent {
	a := &fakeAgent{t: t, url: url, streams: make(chan *stream, 1000), calls: make(chan call, 1000)}
	a.server = &http.Server{Handler: a, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, 0)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		a.server.Serve(l)
	}()
	t.Cleanup(func() {
		a.stop()
		<-served
	})
	return a
}

// stop breaks every connection, as the death of an agent does.
func (a *fakeAgent) stop() { a.server.Close() }

func (a *fakeAgent) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

func (a *fakeAgent) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	raw, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	var c executor.Call
	if err := c.Unmarshal(raw); err != nil {
		a.t.Errorf("call does not decode: %v", err)
	}
	for header, want := range map[string]string{"Content-Type": mediaType, "Accept": mediaType} {
		if got := req.Header.Get(header); got != want {
			a.t.Errorf("%s of %s: %q", header, c.Type, got)
		}
	}
	if c.Type == executor.Call_SUBSCRIBE {
		a.serveSubscribe(w, req, c, raw)
		return
	}
	a.serveCall(w, req, c)
}

func (a *fakeAgent) serveSubscribe(w http.ResponseWriter, req *http.Request, c executor.Call, raw []byte) {
	a.mu.Lock()
	a.subscribes++
	n, script := a.subscribes, a.onSubscribe
	a.mu.Unlock()
	if script != nil {
		if status, text := script(n); status != http.StatusOK {
			http.Error(w, text, status)
			return
		}
	}
	w.Header().Set("Content-Type", mediaType)
	w.WriteHeader(http.StatusOK)
	w.(http.Flusher).Flush()
	s := &stream{agent: a, call: c, raw: raw, header: req.Header, remote: req.RemoteAddr, out: make(chan []byte),
		gone: req.Context().Done(), end: make(chan struct{})}
	a.streams <- s
	for {
		select {
		case data := <-s.out:
			w.Write(data)
			w.(http.Flusher).Flush()
		case <-s.end:
			return
		case <-s.gone:
			return
		}
	}
}

func (a *fakeAgent) serveCall(w http.ResponseWriter, req *http.Request, c executor.Call) {
	a.mu.Lock()
	a.updates++
	n, script, hijack := a.updates, a.onCall, a.hijack
	a.mu.Unlock()
	if hijack != nil {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			a.t.Error(err)
			return
		}
		defer conn.Close()
		if hijack(n, c, conn) {
			return
		}
		fmt.Fprint(conn, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		a.calls <- call{c, req.Header, req.RemoteAddr, http.StatusAccepted}
		return
	}
	status, text := http.StatusAccepted, ""
	if script != nil {
		status, text = script(n, c)
	}
	a.calls <- call{c, req.Header, req.RemoteAddr, status}
	w.WriteHeader(status)
	io.WriteString(w, text)
}

// stream waits for the next accepted SUBSCRIBE.
func (a *fakeAgent) stream() *stream {
	a.t.Helper()
	return receive(a.t, a.streams, "SUBSCRIBE")
}

// subscribed waits for it and answers with SUBSCRIBED.
func (a *fakeAgent) subscribed() *stream {
	a.t.Helper()
	s := a.stream()
	s.send(subscribedEvent())
	return s
}

// accepted waits for the next call that got a 202.
func (a *fakeAgent) accepted() call {
	a.t.Helper()
	for {
		if c := receive(a.t, a.calls, "call"); c.status == http.StatusAccepted {
			return c
		}
	}
}

func (a *fakeAgent) attempts() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.subscribes
}

func (s *stream) send(events ...*executor.Event) {
	s.agent.t.Helper()
	for _, e := range events {
		s.record(encode(s.agent.t, e))
	}
}

func (s *stream) record(data []byte) { s.write(fmt.Appendf(nil, "%d\n%s", len(data), data)) }

func (s *stream) write(data []byte) {
	select {
	case s.out <- data:
	case <-s.gone:
	}
}

func (s *stream) close() { s.once.Do(func() { close(s.end) }) }

func (s *stream) dropped() {
	s.agent.t.Helper()
	select {
	case <-s.gone:
	case <-time.After(patience):
		s.agent.t.Fatal("the stream is still open")
	}
}

func receive[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v, ok := <-c:
		if !ok {
			t.Fatalf("no more: %s", what)
		}
		return v
	case <-time.After(patience):
		t.Fatalf("timed out waiting for: %s", what)
	}
	panic("unreachable")
}

func encode(t *testing.T, e *executor.Event) []byte {
	t.Helper()
	data, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// running is a session under test.
type running struct {
	*Session
	t      *testing.T
	stop   context.CancelFunc
	result chan error
	log    *safeBuffer
}

type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func options(url string) Options {
	return Options{
		URL: url, FrameworkID: "framework", ExecutorID: "executor", AgentID: "agent-S0",
		Checkpoint: true, RecoveryTimeout: time.Minute, BackoffMax: 20 * time.Millisecond,
	}
}

// prepare makes a session that does everything sooner than a real one.
func prepare(opts Options) (*Session, *safeBuffer) {
	log := new(safeBuffer)
	opts.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	s := New(opts)
	s.pace.retryMin, s.pace.retryMax = time.Millisecond, 5*time.Millisecond
	s.pace.stable = 50 * time.Millisecond
	s.pace.freshAttempt = 50 * time.Millisecond
	return s, log
}

// start runs a session and, at the end of the test, checks that nothing of it is left.
func start(t *testing.T, opts Options) *running {
	t.Helper()
	s, log := prepare(opts)
	return run(t, s, log)
}

func run(t *testing.T, s *Session, log *safeBuffer) *running {
	t.Helper()
	base := runtime.NumGoroutine()
	ctx, stop := context.WithCancel(t.Context())
	r := &running{Session: s, t: t, stop: stop, result: make(chan error, 1), log: log}
	go func() { r.result <- s.Run(ctx) }()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(log.String())
		}
		stop()
		for range s.Events() {
		}
		receive(t, r.result, "end of Run")
		r.result <- nil
		// The fake agent's goroutines for our connections end soon after them.
		eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= base })
	})
	return r
}

func (r *running) end() error {
	r.t.Helper()
	err := receive(r.t, r.result, "end of Run")
	r.result <- err
	return err
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); {
		if time.Now().After(deadline) {
			stacks := make([]byte, 1<<16)
			t.Fatalf("timed out waiting for %s\n%s", what, stacks[:runtime.Stack(stacks, true)])
		}
		time.Sleep(time.Millisecond)
	}
}

// event waits for the next event, which must be of type E.
func event[E Event](r *running) E {
	r.t.Helper()
	e := receive(r.t, r.Events(), fmt.Sprintf("event %T", *new(E)))
	got, ok := e.(E)
	if !ok {
		r.t.Fatalf("event %#v, want a %T", e, got)
	}
	return got
}

func (r *running) silent(d time.Duration) {
	r.t.Helper()
	select {
	case e := <-r.Events():
		r.t.Fatalf("unexpected event %#v", e)
	case <-time.After(d):
	}
}

func (r *running) logged(text string) {
	r.t.Helper()
	eventually(r.t, "log line "+text, func() bool { return strings.Contains(r.log.String(), text) })
}

func subscribedEvent() *executor.Event {
	return &executor.Event{Type: executor.Event_SUBSCRIBED, Subscribed: &executor.Event_Subscribed{
		ExecutorInfo:  mesos.ExecutorInfo{ExecutorID: mesos.ExecutorID{Value: "executor"}},
		FrameworkInfo: mesos.FrameworkInfo{User: "root", Name: "test"},
		AgentInfo:     mesos.AgentInfo{Hostname: "host", ID: &mesos.AgentID{Value: "agent-S0"}},
		ContainerID:   &mesos.ContainerID{Value: "container"},
	}}
}

func taskInfo(id string) mesos.TaskInfo {
	return mesos.TaskInfo{Name: id, TaskID: mesos.TaskID{Value: id}, AgentID: mesos.AgentID{Value: "agent-S0"}}
}

func launchEvent(id string) *executor.Event {
	return &executor.Event{Type: executor.Event_LAUNCH, Launch: &executor.Event_Launch{Task: taskInfo(id)}}
}

func ackEvent(s mesos.TaskStatus) *executor.Event {
	return &executor.Event{Type: executor.Event_ACKNOWLEDGED,
		Acknowledged: &executor.Event_Acknowledged{TaskID: s.TaskID, UUID: s.UUID}}
}

func status(id string, state mesos.TaskState) mesos.TaskStatus {
	return mesos.TaskStatus{TaskID: mesos.TaskID{Value: id}, State: &state}
}
