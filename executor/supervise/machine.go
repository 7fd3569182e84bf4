package supervise

import (
	"fmt"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/task"
)

// Settings are what a [Machine] needs to know beforehand. Durations of 0 mean at once.
type Settings struct {
	ContainerID   string        // Mesos container id, for the container status
	ShutdownGrace time.Duration // the agent's MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD: what SHUTDOWN must stay inside
	KillGrace     time.Duration // between the stop signal and SIGKILL after a KILL, if neither it nor the task says
	SignalGrace   time.Duration // between the stop signal and SIGKILL after SIGTERM or SIGINT to the executor
	LogDrain      time.Duration // how long the terminal update waits for the end of the output

	// Unfit names what keeps this host from running any task ("" = nothing): a broken configuration file, an unwritable
	// sandbox. The executor subscribes nevertheless, so that the framework is told.
	Unfit string
	// Decide translates and reviews a TaskInfo of a framework. The machine does nothing else meanwhile, so whatever it waits for, such as
	// the operator's files, has to have a limit of seconds.
	Decide func(raw []byte, framework mesos.FrameworkInfo) task.Decision
	// ReviewImage decides on the task's image once it is there; nil = it may run. Pure.
	ReviewImage func(engine.Image, *task.Plan) *task.Refusal
}

// How long the machine waits where neither operator nor protocol says so.
const (
	settleWait   = 10 * time.Second // for the answers that are due when the init is dead
	settleKilled = time.Second      // the same for a killed task, whose state does not depend on them
	recheckWait  = time.Second      // between inspects while the engine's word is needed; doubles up to recheckMax
	recheckMax   = time.Minute
	ladderWait   = time.Second // between rungs of the kill ladder after SIGKILL; doubles up to ladderMax
	ladderMax    = 8 * time.Second
	wedgeWait    = 2 * time.Second        // for a shim to reap the dead init, which takes it milliseconds
	leastWedge   = 100 * time.Millisecond // the same when the agent's patience is at its end
	surviveWait  = 20 * time.Second       // from SIGKILL until what lives in an uninterruptible sleep is called unkillable
	surviveAgain = 5 * time.Second        // between two looks at it
	ackWait      = 60 * time.Second       // for the terminal acknowledgement, as the stock executor
	outputWait   = 10 * time.Second       // for the output of an ended container before it is removed
	discardWait  = 10 * time.Second       // for the clean-up once the terminal update is acknowledged
	hurryAck     = 5 * time.Second        // the same when a signal or a lost agent asks for a prompt end
	hurryOutput  = 2 * time.Second
	hurryDiscard = 5 * time.Second
)

// phase is how far the task has come. It only grows.
type phase int

const (
	idle      phase = iota // no task yet
	probing                // accepted; the engine has not been found fit yet
	imaging                // the image is looked up or pulled
	creating               // lease, leaf, container
	starting               // start was sent: from here on processes may exist
	verifying              // start answered; inspect is under way
	running                // TASK_RUNNING was sent, or would have been but for a kill
	ending                 // over: only output and evidence are still due
	done                   // the terminal update was sent
)

// Machine is the state of the executor's one task. It is not safe for concurrent use: one goroutine owns it.
// The zero value is not ready; see [NewMachine].
type Machine struct {
	set    Settings
	now    time.Time
	out    []Command
	timers map[Timer]uint64
	due    map[Timer]time.Time // of those in timers
	seq    uint64

	phase     phase
	taskID    string
	plan      *task.Plan
	framework mesos.FrameworkInfo
	networks  []mesos.NetworkInfo // of the running container
	untagged  string              // why the container runs without the plan's class ID; "": it has it, if there is one

	engineProbed bool
	engineErr    error

	proc  procState
	kill  killState
	proof Evidence
	oom   OOM

	failure *failure // why the task failed before or beside its own exit; the first one counts

	copying  bool          // the container's output is being copied, or is to be again
	joining  bool          // Reattach is under way
	broken   bool          // the engine's connections broke, and it has not answered since
	drained  bool          // the terminal update waits for the output no longer
	mayExist bool          // CreateContainer was asked for: there may be something to discard
	asking   bool          // an InspectExit is under way
	recheck  time.Duration // pause before the next one

	awaiting   map[string]bool // tasks whose terminal update is not acknowledged yet
	refused    map[string]bool // tasks other than the own one that were answered: second ones, groups, killed before LAUNCH
	acked      bool            // the own task's terminal update was acknowledged
	discarding bool            // Discard was asked for
	discarded  bool
	gone       bool      // nothing that is sent can arrive any more
	hurry      bool      // the executor itself is asked to end
	mustEnd    time.Time // when the terminal update must be out; zero: no such time
	exited     bool
}

// procState is what is known of the container's processes.
type procState struct {
	startSent     bool
	startAnswered bool
	startErr      error
	held          bool   // init is (or was) held by a pidfd
	dead          bool   // the held init is dead
	statusDue     bool   // ... and its status has not come yet from the kernel
	shimDue       bool   // ... nor from the shim
	shimGone      bool   // ... whose shim was dead before
	shimKilled    bool   // ... whose shim did not reap it and was killed
	engineDown    string // in what way the engine was not at work when the init died
	engineGone    bool   // it was not there at all
	survivors     string // processes that SIGKILL does not end; then nothing is waited for any more
	missed        bool   // the watch ended without an init
	leafEmpty     bool   // the leaf was found empty after the lease had been revoked, or the held init had died
	fenced        bool   // the lease is revoked: nothing new can start
	settled       bool   // the time for due answers is over
	inspected     bool
}

type failure struct {
	state   mesos.TaskState
	reason  mesos.TaskStatus_Reason
	message string
}

// NewMachine returns a machine that waits for a task.
func NewMachine(set Settings) *Machine {
	return &Machine{
		set:      set,
		timers:   map[Timer]uint64{},
		due:      map[Timer]time.Time{},
		awaiting: map[string]bool{},
		refused:  map[string]bool{},
	}
}

// Handle takes one message, which reached the owner at the given time, and returns what is to be done about it, in order.
// After [Exit] it returns nothing any more.
func (m *Machine) Handle(now time.Time, msg Message) []Command {
	if m.exited {
		return nil
	}
	m.now, m.out = now, nil
	switch msg := msg.(type) {
	case Subscribed:
		m.framework = msg.Framework
	case Launched:
		m.launch(msg)
	case GroupLaunched:
		m.refuseGroup(msg)
	case KillAsked:
		m.killAsked(msg)
	case ShutdownAsked:
		if m.mustEnd.IsZero() {
			m.mustEnd = m.now.Add(m.set.ShutdownGrace - lastMoment)
			m.hasten()
		}
		m.end(mesos.TASK_KILLED, m.now.Add(m.shutdownGrace()))
	case SignalReceived:
		m.signalled()
	case AgentLost:
		m.hurry = true
		m.end(mesos.TASK_KILLED, m.now.Add(m.shutdownGrace()))
	case AgentGone:
		m.gone, m.hurry = true, true
		m.end(mesos.TASK_KILLED, m.now.Add(m.shutdownGrace()))
	case Acknowledged:
		m.acknowledged(msg)
	case Fired:
		m.fired(msg)
	default:
		m.progress(msg)
	}
	m.advance()
	return m.out
}

// signalled takes SIGTERM or SIGINT: the executor is to end soon, and at the second time at once.
func (m *Machine) signalled() {
	grace := atMost(m.set.SignalGrace, m.taskGrace())
	if m.hurry {
		grace = 0
	}
	m.hurry = true
	if m.phase == done && m.armed(TimerAck) {
		m.arm(TimerAck, hurryAck)
	}
	m.end(mesos.TASK_KILLED, m.now.Add(grace))
}

func (m *Machine) shutdownGrace() time.Duration {
	return atMost(ShutdownGrace(m.set.ShutdownGrace), m.taskGrace())
}

// progress takes the messages about the container itself.
func (m *Machine) progress(msg Message) {
	switch msg := msg.(type) {
	case EngineProbed:
		m.engineProbed, m.engineErr = true, msg.Err
		m.beginImage()
	case ImageReady:
		m.imageReady(msg)
	case Created:
		m.createdContainer(msg)
	case Started:
		m.started(msg)
	case Inspected:
		m.inspected(msg)
	case InitSeen:
		m.proc.held = true
		m.initSeen()
		m.misplaced(msg.Misplaced)
	case InitMissed:
		m.proc.missed = !m.proc.held
	case InitDied:
		m.initDied(msg)
	case InitExited:
		m.proc.dead, m.proc.statusDue = true, false
		m.proof.Init = &msg
		m.disarm(TimerWedge)
	case ShimTold:
		m.proc.shimDue = false
		m.proof.Shim = &msg
	case WaitEnded:
		m.waitEnded(msg)
	case ExitInspected:
		m.exitInspected(msg)
	case LeafKilled:
		m.leafKilled(msg)
	case OutputEnded:
		m.outputEnded(msg)
	case Reattached:
		m.joining, m.broken = false, m.broken && msg.Err != nil
		m.copying = msg.Err == nil
	case Discarded:
		m.discarded = true
	}
}

// fired takes a timer, unless it was armed again or disarmed after it had fired.
func (m *Machine) fired(msg Fired) {
	if m.timers[msg.Timer] != msg.Seq {
		return
	}
	delete(m.timers, msg.Timer)
	switch msg.Timer {
	case TimerCompletion:
		m.end(mesos.TASK_FAILED, m.now)
	case TimerGrace, TimerLadder:
		m.killHard()
	case TimerSettle:
		m.proc.settled = true
	case TimerRecheck:
		m.askExit()
	case TimerWedge:
		if m.proc.statusDue {
			m.proc.shimKilled = true
			m.do(KillShim{})
		}
	case TimerUnkillable:
		m.do(ListLeaf{})
	case TimerDrain:
		m.drained = true // copying goes on, but the update waits no longer
	case TimerOutput:
		m.copying = false
		m.do(GiveUpOutput{})
	case TimerAck:
		clear(m.awaiting)
	case TimerDiscard:
		m.discarded = true
	}
}

func (m *Machine) do(c Command) { m.out = append(m.out, c) }

func (m *Machine) arm(t Timer, after time.Duration) {
	m.seq++
	m.timers[t] = m.seq
	m.due[t] = m.now.Add(after)
	m.do(Arm{Timer: t, Seq: m.seq, After: max(after, 0)})
}

func (m *Machine) disarm(t Timer) { delete(m.timers, t) }

func (m *Machine) armed(t Timer) bool { _, ok := m.timers[t]; return ok }

func (m *Machine) taskGrace() *time.Duration {
	if m.plan == nil {
		return nil
	}
	return m.plan.KillGrace
}

// fail notes why the task cannot go on; what may be alive is killed at once. A kill that was decided before stays the
// reason: it may well be why the rest failed.
func (m *Machine) fail(reason mesos.TaskStatus_Reason, format string, args ...any) {
	if m.phase >= ending {
		return
	}
	if m.failure == nil && !m.kill.decided {
		m.failure = &failure{mesos.TASK_FAILED, reason, fmt.Sprintf(format, args...)}
	}
	if m.proc.startSent && !m.kill.hard {
		m.killHard()
	}
}

// within is a time that the terminal update may wait, cut to what is left until it must be out.
func (m *Machine) within(d time.Duration) time.Duration {
	if !m.mustEnd.IsZero() {
		d = min(d, m.mustEnd.Sub(m.now))
	}
	return max(d, 0)
}

// hasten brings forward what the terminal update waits for since before it had to be out at a certain time.
func (m *Machine) hasten() {
	for _, t := range []Timer{TimerUnkillable, TimerSettle, TimerDrain} {
		if m.armed(t) && m.due[t].After(m.mustEnd) {
			m.arm(t, m.within(surviveWait))
		}
	}
}

// unhurried is the first, or the second when the executor itself is asked to end.
func (m *Machine) unhurried(normal, hurried time.Duration) time.Duration {
	if m.hurry {
		return hurried
	}
	return normal
}

// exit ends the executor: 0 after an acknowledged terminal update of a container that ran, 1 otherwise.
func (m *Machine) exit() {
	code := 1
	if m.acked && m.ran() {
		code = 0
	}
	m.exited = true
	m.do(Exit{Code: code})
}

// ran reports whether the container's own process ever existed.
func (m *Machine) ran() bool {
	return m.proc.startAnswered && m.proc.startErr == nil
}
