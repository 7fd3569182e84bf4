package localagent

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/mesos/mesos-go/api/v1/lib/executor"
)

// closeLimit bounds what Close waits for: a drop-in executor may take its
// time to end after SIGTERM, and is killed when this has passed.
const closeLimit = 30 * time.Second

// phase is how far the agent is, as its answers show it.
type phase int

const (
	recovering   phase = iota // every call: 503
	reconnecting              // SUBSCRIBE is answered, other calls get 503
	serving
)

// executorState is the agent's idea of the executor (Executor::State in
// Mesos' src/slave/slave.hpp).
type executorState int

const (
	registering executorState = iota
	running
	terminating
	terminated
)

// Agent is one agent with one run. See the package comment.
type Agent struct {
	opts      Options
	ids       IDs
	task      mesos.TaskInfo
	taskBytes []byte
	framework mesos.FrameworkInfo
	executor  mesos.ExecutorInfo
	agentInfo mesos.AgentInfo
	ownsWork  bool     // the work directory is ours to remove
	newRoots  []string // cgroup roots that were not there at the start
	port      *port

	life context.Context // ends with Close; owns every goroutine below
	end  context.CancelFunc
	work sync.WaitGroup // goroutines started by spawn

	mu      sync.Mutex // guards everything below
	changed chan struct{}
	closed  bool

	entries    []Entry
	violations []string

	tokenRequired bool         // calls without the token are answered 401
	server        *http.Server // nil while down
	requests      int          // being served
	generation    int          // raised whenever the endpoint goes down
	phase         phase
	forgotten     Forget
	state         executorState
	stream        *stream
	streams       int // subscriptions so far
	script        []Rule

	queued    bool // the task waits for its executor
	sent      bool // LAUNCH was put on a stream at least once
	updates   []*update
	ended     bool // a terminal status was recorded
	sending   *exchange
	answered  int // updates answered 202, resends included
	newest    int // highest index answered in this subscription
	faults    faults
	process   *process
	lifeTimer *time.Timer // registration, re-registration or shutdown limit
}

// Start completes the task as master and agent do and opens the endpoint.
// The agent's goroutines end with ctx or Close, whichever is first; only Close
// cleans up.
func Start(ctx context.Context, o Options) (*Agent, error) {
	o, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	a := &Agent{opts: o, changed: make(chan struct{}), phase: serving, queued: true, script: o.Script, tokenRequired: o.Token != "" && !o.TokenOptional}
	if err := errors.Join(a.describe(), a.checkIDs()); err != nil {
		return nil, err
	}
	if a.opts.WorkDir == "" {
		if a.opts.WorkDir, err = os.MkdirTemp("", "localagent-"); err != nil {
			return nil, fmt.Errorf("make the agent's work directory: %w", err)
		}
		a.ownsWork = true
	}
	// Containerizers resolve the work directory; ids are taken from the path.
	if a.opts.WorkDir, err = filepath.EvalSymlinks(a.opts.WorkDir); err == nil {
		err = a.makeDirectories()
	}
	if err == nil {
		err = a.lookForRoots()
	}
	if err == nil {
		a.port, err = reservePort()
	}
	if err == nil {
		a.agentInfo.Port = ptr(int32(a.port.number))
		a.life, a.end = context.WithCancel(ctx)
		if err = a.Up(); err != nil {
			a.end()
			a.port.release()
		}
	}
	if err != nil {
		return nil, errors.Join(err, a.removeWork())
	}
	a.spawn(a.heartbeats)
	return a, nil
}

// IDs returns the run's ids.
func (a *Agent) IDs() IDs { return a.ids }

// URL is the executor endpoint.
func (a *Agent) URL() string {
	scheme := "http"
	if a.opts.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + a.Endpoint() + "/api/v1/executor"
}

// Endpoint is the agent's ip:port; it stays the same while the agent is down.
func (a *Agent) Endpoint() string { return fmt.Sprintf("127.0.0.1:%d", a.port.number) }

// Task is the task as LAUNCH carries it.
func (a *Agent) Task() mesos.TaskInfo { return a.task }

// Kill delivers a framework's kill; a grace overrides the task's kill policy.
// A task that was not delivered yet is taken off the queue by the agent
// itself: TASK_KILLED, and SHUTDOWN for the executor when it subscribes. With
// no live stream the KILL is lost, as it is with a real agent.
func (a *Agent) Kill(grace *time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.queued {
		a.queued = false
		a.agentStatus(mesos.TASK_KILLED, mesos.REASON_TASK_KILLED_DURING_LAUNCH, "Killed before delivery to the executor")
		if a.stream != nil {
			a.shutdown()
		}
		return
	}
	kill := &executor.Event_Kill{TaskID: a.task.TaskID}
	if grace != nil {
		kill.KillPolicy = &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: grace.Nanoseconds()}}
	}
	a.send(&executor.Event{Type: executor.Event_KILL, Kill: kill})
}

// Shutdown tells the executor to end and destroys it when it has not done so
// after its shutdown grace period.
func (a *Agent) Shutdown() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.shutdown()
}

func (a *Agent) shutdown() {
	if a.state == terminating || a.state == terminated {
		return
	}
	a.state = terminating
	a.queued = false
	a.send(&executor.Event{Type: executor.Event_SHUTDOWN})
	a.destroyAfter(a.ShutdownGrace(), mesos.REASON_EXECUTOR_TERMINATED, "Executor did not end within its shutdown grace period")
}

func (a *Agent) heartbeats() {
	ticker := time.NewTicker(a.opts.HeartbeatEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			a.mu.Lock()
			if a.stream != nil {
				a.send(&executor.Event{Type: executor.Event_HEARTBEAT})
			}
			a.mu.Unlock()
		case <-a.life.Done():
			return
		}
	}
}

// RequireToken demands the executor's token from now on, as an agent does that
// was restarted with --authenticate_http_executors. It does not touch what is
// open; Restart does.
func (a *Agent) RequireToken() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tokenRequired = true
}

// agentStatus records a status that the agent makes itself, for a task that
// has not ended. a.mu is held.
func (a *Agent) agentStatus(state mesos.TaskState, reason mesos.TaskStatus_Reason, message string) {
	if a.ended {
		return
	}
	a.ended = terminal(state)
	a.record(Entry{Kind: Status, Name: state.String(), Text: message, Status: &mesos.TaskStatus{
		TaskID: a.task.TaskID, State: &state, Reason: &reason, Message: &message,
		Source: mesos.SOURCE_AGENT.Enum(), AgentID: &mesos.AgentID{Value: a.ids.AgentID},
		Timestamp: ptr(float64(time.Now().UnixNano()) / 1e9),
	}})
}

// destroyAfter arms the one limit on the executor's life; the previous one is
// disarmed. a.mu is held.
func (a *Agent) destroyAfter(d time.Duration, reason mesos.TaskStatus_Reason, message string) {
	a.disarm()
	if a.process == nil || a.closed {
		return
	}
	generation := a.generation
	a.lifeTimer = time.AfterFunc(d, func() {
		a.spawn(func() {
			a.mu.Lock()
			stale := a.generation != generation || a.state == terminated
			if !stale {
				a.agentStatus(mesos.TASK_FAILED, reason, message)
			}
			a.mu.Unlock()
			if !stale {
				_ = a.Destroy(a.life) // recorded in the timeline
			}
		})
	})
}

func (a *Agent) disarm() {
	if a.lifeTimer != nil {
		a.lifeTimer.Stop()
		a.lifeTimer = nil
	}
}

// spawn runs f in a goroutine that Close waits for; after Close began it does
// nothing.
func (a *Agent) spawn(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.spawnLocked(f)
}

func (a *Agent) spawnLocked(f func()) {
	if !a.closed {
		a.work.Go(f)
	}
}

// Close destroys the executor if it still runs, closes the endpoint, waits
// for everything that the Agent started and removes what it made. It takes up
// to 30 s, when a drop-in executor does not end after SIGTERM.
func (a *Agent) Close() error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(a.life), closeLimit)
	defer cancel()
	err := a.Destroy(ctx)
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		return nil
	}
	a.closed = true
	a.disarm()
	a.mu.Unlock()
	a.end()
	a.Down()
	a.work.Wait()
	err = errors.Join(err, a.await(ctx, "the last requests to end", func() bool { return a.requests == 0 }))
	a.port.release()
	return errors.Join(err, a.removeSocket(), a.removeCgroups(), a.removeWork())
}

func (a *Agent) removeWork() error {
	if !a.ownsWork {
		return nil
	}
	return os.RemoveAll(a.opts.WorkDir)
}
