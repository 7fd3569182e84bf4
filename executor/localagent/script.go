package localagent

import (
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// Rule makes the agent do something at a moment of the run, once.
//
//	Script: []localagent.Rule{
//		{When: localagent.OnState(mesos.TASK_RUNNING), Do: localagent.Kill(time.Second)},
//		{When: localagent.OnUpdate(2), Do: localagent.CutMidFrame},
//	}
type Rule struct {
	When Moment
	Do   Action
}

// Action is what a [Rule] does, for example [Agent.Shutdown] as a method
// expression: (*localagent.Agent).Shutdown. The call that brought the moment
// about is answered after it; [Later] avoids that.
type Action func(*Agent)

// Moment is when a [Rule] comes true.
type Moment struct{ is moment }

type momentKind int

const (
	atSubscribe momentKind = iota
	beforeLaunch
	afterLaunch
	atUpdate
	atState
)

type moment struct {
	kind  momentKind
	n     int
	state mesos.TaskState
}

// OnSubscribe is the n-th (from 1) accepted SUBSCRIBE, before its answer.
func OnSubscribe(n int) Moment { return Moment{moment{kind: atSubscribe, n: n}} }

// BeforeLaunch is when SUBSCRIBED was sent and LAUNCH would come next.
func BeforeLaunch() Moment { return Moment{moment{kind: beforeLaunch}} }

// AfterLaunch is when LAUNCH was queued for the executor.
func AfterLaunch() Moment { return Moment{moment{kind: afterLaunch}} }

// OnUpdate is the arrival of the n-th (from 1) UPDATE call that gets through,
// before it is acknowledged.
func OnUpdate(n int) Moment { return Moment{moment{kind: atUpdate, n: n}} }

// OnState is the first update with this state: as an UPDATE call before it is
// acknowledged, or replayed by a SUBSCRIBE after that.
func OnState(state mesos.TaskState) Moment { return Moment{moment{kind: atState, state: state}} }

// Kill delivers KILL with a grace period.
func Kill(grace time.Duration) Action { return func(a *Agent) { a.Kill(&grace) } }

// KillByPolicy delivers KILL without a grace period of its own.
func KillByPolicy(a *Agent) { a.Kill(nil) }

// CutStream breaks the subscription's connection now.
func CutStream(a *Agent) { a.CutStream() }

// CutMidFrame breaks the subscription in the middle of the next event.
func CutMidFrame(a *Agent) { a.CutMidFrame() }

// Later runs an action after d, without holding up the answer.
func Later(d time.Duration, do Action) Action {
	return func(a *Agent) {
		a.spawn(func() {
			sleep(a.life, d)
			if a.life.Err() == nil {
				do(a)
			}
		})
	}
}

// RestartAgent restarts the agent in the background.
func RestartAgent(r Restart) Action {
	return func(a *Agent) {
		// Down now: what the executor says next must not get through.
		a.Down()
		a.spawn(func() { _ = a.Restart(a.life, r) }) // recorded in the timeline
	}
}

// due takes the rules of a moment off the script. a.mu is held.
func (a *Agent) due(now moment) []Action {
	var actions []Action
	var rest []Rule
	for _, rule := range a.script {
		if rule.When.is == now {
			actions = append(actions, rule.Do)
		} else {
			rest = append(rest, rule)
		}
	}
	a.script = rest
	return actions
}

func (a *Agent) run(actions []Action) {
	for _, do := range actions {
		do(a)
	}
}
