package localagent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// Forget is what a restarted agent no longer knows.
type Forget int

const (
	ForgetNothing   Forget = iota
	ForgetExecutor         // SUBSCRIBE: 400 "Executor cannot be found"
	ForgetFramework        // SUBSCRIBE: 400 "Framework cannot be found", as after a loss of the meta directory
)

// Restart describes one death and return of the agent.
type Restart struct {
	Down     time.Duration // connections are refused this long
	NotFound int           // then this many calls get 404: no routes yet
	Recovery time.Duration // then every call gets 503 this long
	Forget   Forget        // what recovery does not find
}

// errLost means that recovery did not find the run.
var errLost = errors.New("recovery did not find the executor")

// Restart lets the agent die and come back, and returns when the time for
// executors to subscribe again is over (ReregistrationTimeout after recovery).
// An executor that is not back by then is destroyed.
//
// Recovery follows the containerizer. Drop-in: pids/libprocess.pid names a
// listener, which gets an empty probe connection and a
// ReconnectExecutorMessage before SUBSCRIBE is admitted; without it, or with
// nobody behind it, the task is lost, its container is stopped as an orphan,
// and SUBSCRIBE is answered 400. Custom: the run is found by its checkpointed
// pid and cgroup. Without checkpointing nothing is found in either mode.
func (a *Agent) Restart(ctx context.Context, r Restart) error {
	a.Down()
	a.mu.Lock()
	a.disarm()
	a.phase = recovering
	a.faults = faults{missing: r.NotFound, withholdAcks: a.faults.withholdAcks, acceptDelay: a.faults.acceptDelay}
	if a.state == running {
		a.state = registering
	}
	a.record(Entry{Kind: Note, Name: "restart", Text: "agent is down"})
	a.mu.Unlock()

	sleep(ctx, r.Down)
	if err := a.Up(); err != nil {
		return err
	}
	a.note("restart", "agent is back, recovering")
	sleep(ctx, r.Recovery)

	forget := r.Forget
	var peer *libprocessPeer
	if forget == ForgetNothing {
		var err error
		if peer, err = a.recover(ctx); err != nil {
			if !errors.Is(err, errLost) {
				return err
			}
			a.note("restart", err.Error())
			forget = ForgetExecutor
		}
	}
	a.mu.Lock()
	a.forgotten = forget
	a.phase = reconnecting
	a.mu.Unlock()
	if forget != ForgetNothing {
		err := a.lose(ctx)
		a.serveAgain()
		return err
	}
	if peer != nil {
		// SUBSCRIBE is admitted by now: Slave::_recover in src/slave/slave.cpp sends the messages last.
		a.note("reconnect", "ReconnectExecutorMessage to "+peer.address)
		if err := peer.reconnect(ctx, a.Endpoint(), a.ids.AgentID); err != nil {
			a.note("reconnect", err.Error())
		}
	}
	sleep(ctx, a.opts.ReregistrationTimeout)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if a.serveAgain() {
		a.mu.Lock()
		a.agentStatus(mesos.TASK_FAILED, mesos.REASON_EXECUTOR_REREGISTRATION_TIMEOUT, "Executor did not reregister within the time limit")
		a.mu.Unlock()
		return a.Destroy(ctx)
	}
	return nil
}

// serveAgain ends recovery and tells whether the executor is missing.
func (a *Agent) serveAgain() (missing bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.phase = serving
	a.record(Entry{Kind: Note, Name: "restart", Text: "recovery is over"})
	return a.state == registering && a.forgotten == ForgetNothing
}

// recover looks for the run as its containerizer does. The peer is the drop-in executor's listener, nil in custom mode.
func (a *Agent) recover(ctx context.Context) (*libprocessPeer, error) {
	a.mu.Lock()
	p := a.process
	a.mu.Unlock()
	switch {
	case p != nil && p.ended():
		return nil, nil // its end is reported already
	case !a.framework.GetCheckpoint():
		return nil, fmt.Errorf("%w: the framework does not checkpoint", errLost)
	case a.opts.Mode == Custom:
		return nil, nil
	}
	upid, err := os.ReadFile(a.libprocessPid())
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: it has no libprocess.pid", errLost)
	} else if err != nil {
		return nil, fmt.Errorf("recover the drop-in run: %w", err)
	}
	peer, err := parseUPID(string(upid))
	if err == nil {
		err = peer.probe(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %v", errLost, err)
	}
	return &peer, nil
}

// lose does what recovery does to a run that it does not know: the Docker
// containerizer stops the container as an orphan and leaves the executor
// alone, the Mesos containerizer kills the orphan's cgroup.
func (a *Agent) lose(ctx context.Context) error {
	a.mu.Lock()
	a.disarm()
	a.agentStatus(mesos.TASK_FAILED, mesos.REASON_EXECUTOR_TERMINATED, "Executor was not recovered")
	a.mu.Unlock()
	if a.opts.Mode == DropIn {
		return a.stopContainer(ctx)
	}
	return a.Destroy(ctx)
}

func (a *Agent) note(name, text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.record(Entry{Kind: Note, Name: name, Text: text})
}
