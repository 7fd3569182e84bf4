//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

const (
	mediaType = "application/x-protobuf"
	maxCall   = 16 << 20
)

// endpoint is an agent's executor endpoint for any number of executors, reduced to what a measurement needs: it checks
// nothing, delays nothing, and notes when each call arrived. (The embedded agent, package localagent, checks everything, and
// cannot hold LAUNCH back.)
type endpoint struct {
	address string // ip:port
	server  *http.Server
	served  chan struct{}

	mu    sync.Mutex
	peers map[string]*peer // by executor id
}

// openEndpoint serves on a loopback port until close.
func openEndpoint(ctx context.Context) (*endpoint, error) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &endpoint{address: listener.Addr().String(), served: make(chan struct{}), peers: map[string]*peer{}}
	e.server = &http.Server{
		Handler:     e,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	go func() {
		defer close(e.served)
		_ = e.server.Serve(listener) // until close
	}()
	return e, nil
}

func (e *endpoint) close() {
	_ = e.server.Close()
	<-e.served
}

// arrival is one status update and when its call arrived.
type arrival struct {
	at     time.Time
	status mesos.TaskStatus
}

// peer is the agent's side of one executor.
type peer struct {
	hello  []byte      // the SUBSCRIBED event
	frames chan []byte // events to send

	mu         sync.Mutex
	subscribed time.Time // arrival of the first SUBSCRIBE
	updates    []arrival
	changed    chan struct{} // closed at each change, and replaced
}

// expect adds a peer before its executor starts.
func (e *endpoint) expect(executorID string, hello *executor.Event) (*peer, error) {
	frame, err := hello.Marshal()
	if err != nil {
		return nil, err
	}
	p := &peer{hello: frame, frames: make(chan []byte, 64), changed: make(chan struct{})}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.peers[executorID] = p
	return p, nil
}

// ServeHTTP takes a call. The time of its arrival is that of its headers.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxCall))
	if err != nil {
		return
	}
	var call executor.Call
	if err := call.Unmarshal(body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	p := e.peers[call.ExecutorID.Value]
	e.mu.Unlock()
	switch {
	case p == nil:
		http.Error(w, "Executor cannot be found", http.StatusBadRequest)
	case call.Type == executor.Call_SUBSCRIBE:
		p.note(func() {
			if p.subscribed.IsZero() {
				p.subscribed = at
			}
		})
		p.stream(w, r)
	case call.Type == executor.Call_UPDATE:
		w.WriteHeader(http.StatusAccepted)
		p.update(at, call.Update.Status)
	default:
		w.WriteHeader(http.StatusAccepted)
	}
}

// stream writes events until the executor hangs up.
func (p *peer) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", mediaType)
	flusher := http.NewResponseController(w)
	frame := p.hello
	for {
		record := append(strconv.AppendInt(nil, int64(len(frame)), 10), '\n')
		if _, err := w.Write(append(record, frame...)); err != nil || flusher.Flush() != nil {
			return
		}
		select {
		case frame = <-p.frames:
		case <-r.Context().Done():
			return
		}
	}
}

// update notes a status and acknowledges it.
func (p *peer) update(at time.Time, status mesos.TaskStatus) {
	p.note(func() { p.updates = append(p.updates, arrival{at, status}) })
	// An event that cannot be encoded would show as an executor that never ends.
	_ = p.send(&executor.Event{Type: executor.Event_ACKNOWLEDGED, Acknowledged: &executor.Event_Acknowledged{
		TaskID: status.TaskID, UUID: status.UUID,
	}})
}

func (p *peer) send(event *executor.Event) error {
	frame, err := event.Marshal()
	if err != nil {
		return err
	}
	p.frames <- frame
	return nil
}

func (p *peer) note(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
	close(p.changed)
	p.changed = make(chan struct{})
}

// await waits until found, which runs with the peer locked, is true.
func (p *peer) await(ctx context.Context, what string, found func() bool) error {
	for {
		p.mu.Lock()
		ok, changed := found(), p.changed
		p.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("waited for %s: %w", what, context.Cause(ctx))
		}
	}
}

// awaitSubscribe waits for the first SUBSCRIBE and returns when it arrived.
func (p *peer) awaitSubscribe(ctx context.Context) (at time.Time, err error) {
	err = p.await(ctx, "SUBSCRIBE", func() bool { at = p.subscribed; return !at.IsZero() })
	return at, err
}

// awaitState waits for an update of one of these states. Another terminal one is an error that says why.
func (p *peer) awaitState(ctx context.Context, states ...mesos.TaskState) (arrival, error) {
	var got arrival
	err := p.await(ctx, fmt.Sprint(states), func() bool {
		for _, u := range p.updates {
			state := u.status.GetState()
			for _, s := range states {
				if s == state {
					got = u
					return true
				}
			}
			if terminal(state) {
				got = u
				return true
			}
		}
		return false
	})
	for _, s := range states {
		if got.status.GetState() == s {
			return got, err
		}
	}
	if err == nil {
		err = fmt.Errorf("the task ended with %s (%s) instead of %v", got.status.GetState(), got.status.GetMessage(), states)
	}
	return got, err
}

// classID is the network class in the latest update, 0 if it has none.
func (p *peer) classID() uint32 {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.updates) == 0 {
		return 0
	}
	last := p.updates[len(p.updates)-1].status
	return last.GetContainerStatus().GetCgroupInfo().GetNetCLS().GetClassID()
}

func terminal(s mesos.TaskState) bool {
	switch s {
	case mesos.TASK_STAGING, mesos.TASK_STARTING, mesos.TASK_RUNNING, mesos.TASK_KILLING:
		return false
	}
	return true
}
