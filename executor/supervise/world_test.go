package supervise

import (
	"container/heap"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/process"
	"mesos-docker-executor/executor/task"
)

// world plays agent, engine, kernel and clock around one Machine in virtual time. Everything that may go wrong or come in
// another order does so by chance, and the world knows the truth that the machine can only be told of.
type world struct {
	rng     *rand.Rand
	m       *Machine
	now     time.Time
	queue   events
	order   int
	record  bool // keep a history, for a failure's message
	history []string

	// The truth about the container.
	leaseRevoked bool
	alive        bool
	exited       bool
	status       unix.WaitStatus
	held         bool
	startPending bool // the engine may still carry the start out
	ignoresTerm  bool
	waitBroken   bool
	waitLies     bool // answers 0, whatever happened
	unkillable   bool // KillLeaf fails the first time
	hangs        bool // in the kernel, for ever: nothing kills it
	hostPID      bool // the container is in the host's PID namespace
	others       bool // ... and processes of it have outlived its init
	othersHang   bool // ... for ever
	shimStuck    bool // nobody reaps the dead init until the shim is killed
	shimKnows    bool // the shim answers when it is asked for the status
	broke        bool // the engine died while the container ran
	kernelKnows  bool // PIDFD_INFO_EXIT works here
	zombieLies   bool // without it, the zombie's entry shows 0 whatever happened
	mute         bool // the engine answers nothing any more once the container has started
	outputStuck  bool // nobody reads the output
	shutdownAt   time.Time
	diedAt       time.Time
	toldAt       time.Time // when the machine was told of the death
	discardAsked bool
	mayExist     bool
	watchBlind   bool // the init is never found

	withholdAcks bool
	acked        bool // the terminal update
	terminalAt   time.Time
	agentGone    bool
	launched     bool
	ended        bool
	exitCode     int
	updates      []mesos.TaskStatus
	complaints   []string
}

type event struct {
	at    time.Time
	order int
	run   func()
}

type events []event

func (e events) Len() int { return len(e) }
func (e events) Less(i, j int) bool {
	return e[i].at.Before(e[j].at) || e[i].at.Equal(e[j].at) && e[i].order < e[j].order
}
func (e events) Swap(i, j int) { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)   { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

const taskID = "task-1"

// epoch is when each world begins.
var epoch = time.Unix(1_000_000, 0)

func newWorld(seed uint64) *world {
	w := &world{rng: rand.New(rand.NewPCG(seed, seed^0x9e3779b97f4a7c15)), now: epoch}
	w.ignoresTerm = w.chance(20)
	w.waitBroken = w.chance(15)
	w.waitLies = w.chance(10)
	w.zombieLies = w.chance(10)
	w.mute = w.chance(5)
	w.outputStuck = w.chance(5)
	w.unkillable = w.chance(10)
	w.hangs = w.chance(3)
	w.shimStuck = w.chance(10)
	w.shimKnows = w.chance(50)
	w.kernelKnows = !w.chance(20)
	w.watchBlind = w.chance(15)
	w.withholdAcks = w.chance(10)
	grace := time.Duration(w.rng.IntN(20)) * time.Second
	plan := &task.Plan{TaskID: taskID}
	if w.chance(50) {
		plan.KillGrace = &grace
	}
	if w.chance(15) {
		plan.MaxCompletion = time.Duration(1+w.rng.IntN(30000)) * time.Millisecond
	}
	set := Settings{ContainerID: "container-1", ShutdownGrace: 5 * time.Second,
		KillGrace: 5 * time.Second, LogDrain: 2 * time.Second}
	if w.chance(3) {
		set.Unfit = "the sandbox is not writable"
	}
	set.ReviewImage = func(engine.Image, *task.Plan) *task.Refusal { return nil }
	set.Decide = func([]byte, mesos.FrameworkInfo) task.Decision {
		if w.chance(5) {
			return task.Decision{Refusal: &task.Refusal{State: mesos.TASK_ERROR, Reason: mesos.REASON_TASK_INVALID}}
		}
		return task.Decision{Plan: plan}
	}
	if w.hostPID = w.chance(20); w.hostPID {
		plan.Spec.Host.PidMode = "host"
		w.othersHang = w.chance(5)
	}
	w.m = NewMachine(set)
	return w
}

func (w *world) chance(percent int) bool { return w.rng.IntN(100) < percent }

// soon is mostly milliseconds and now and then a minute.
func (w *world) soon() time.Duration {
	switch w.rng.IntN(12) {
	case 0:
		return time.Duration(w.rng.IntN(60_000)) * time.Millisecond
	case 1, 2:
		return time.Duration(w.rng.IntN(5_000)) * time.Millisecond
	case 3, 4:
		return 0
	}
	return time.Duration(w.rng.IntN(300)) * time.Millisecond
}

func (w *world) after(d time.Duration, run func()) {
	w.order++
	heap.Push(&w.queue, event{w.now.Add(d), w.order, run})
}

func (w *world) tell(msg Message) {
	if w.ended {
		return
	}
	if w.record {
		w.history = append(w.history, fmt.Sprintf("%8.3f <- %T%+v", w.now.Sub(epoch).Seconds(), msg, msg))
	}
	for _, c := range w.m.Handle(w.now, msg) {
		if w.record {
			w.history = append(w.history, fmt.Sprintf("         -> %T%+v", c, c))
		}
		w.carryOut(c)
	}
}

func (w *world) complain(format string, args ...any) {
	w.complaints = append(w.complaints, fmt.Sprintf(format, args...))
}

// run lets everything happen until the executor exits; a task that nobody ends is shut down after a virtual day.
func (w *world) run() {
	w.agentScript()
	w.after(w.soon(), func() { w.tell(EngineProbed{w.sometimes(4, "no engine")}) })
	w.after(24*time.Hour, func() { w.tell(ShutdownAsked{}) })
	w.after(48*time.Hour, func() {
		if !w.ended {
			w.complain("the executor never exits")
		}
	})
	for len(w.queue) > 0 && !w.ended && len(w.complaints) == 0 {
		e := heap.Pop(&w.queue).(event)
		w.now = e.at
		e.run()
	}
}

func (w *world) sometimes(percent int, text string) error {
	if w.chance(percent) {
		return errors.New(text)
	}
	return nil
}

func (w *world) agentScript() {
	framework := mesos.FrameworkInfo{}
	if w.chance(70) {
		framework.Capabilities = []mesos.FrameworkInfo_Capability{{Type: mesos.FrameworkInfo_Capability_TASK_KILLING_STATE}}
	}
	w.after(0, func() { w.tell(Subscribed{framework}) })
	if w.chance(97) {
		w.after(w.soon(), func() {
			w.launched = !w.ended
			w.tell(Launched{TaskID: taskID})
			if w.chance(5) {
				w.after(w.soon(), func() { w.tell(Launched{TaskID: "another"}) })
			}
		})
	}
	if w.chance(3) {
		w.after(w.soon(), func() { w.tell(GroupLaunched{TaskIDs: []string{"a", "b"}}) })
	}
	for range w.rng.IntN(4) {
		w.after(w.soon()+w.soon(), w.disturb)
	}
}

// disturb is something that ends, or might end, the task.
func (w *world) disturb() {
	switch w.rng.IntN(10) {
	case 0:
		if w.shutdownAt.IsZero() {
			w.shutdownAt = w.now
		}
		w.tell(ShutdownAsked{})
	case 1:
		w.agentGone = true
		w.tell(AgentLost{errors.New("gone")})
		if w.chance(50) {
			w.after(w.soon(), func() { w.tell(AgentGone{}) })
		}
	case 2:
		w.tell(SignalReceived{"terminated"})
	case 3:
		w.tell(KillAsked{TaskID: "unknown"})
	case 4:
		w.tell(Subscribed{})
	default:
		var grace *time.Duration
		if w.chance(60) {
			g := time.Duration(w.rng.IntN(10_000)-500) * time.Millisecond
			grace = &g
		}
		w.tell(KillAsked{TaskID: taskID, Grace: grace})
	}
}

func (w *world) carryOut(c Command) {
	switch c := c.(type) {
	case Send:
		w.update(c.Status)
	case ProbeEngine:
		w.after(w.soon(), func() { w.tell(EngineProbed{w.sometimes(20, "no engine")}) })
	case EnsureImage:
		w.after(w.soon(), func() { w.tell(ImageReady{Err: w.sometimes(5, "no such image")}) })
	case CreateContainer:
		w.mayExist = true
		w.after(w.soon(), func() { w.tell(Created{Err: w.callError(6)}) })
	case StartContainer:
		w.start()
	case InspectContainer:
		if w.mute {
			w.after(30*time.Second, func() { w.tell(Inspected{Err: errors.New("inspect hangs")}) })
			return
		}
		w.after(w.soon(), func() { w.tell(Inspected{Err: w.sometimes(10, "inspect hangs")}) })
	case InspectExit:
		if w.mute {
			w.after(30*time.Second, func() { w.tell(ExitInspected{Err: errors.New("inspect hangs")}) })
			return
		}
		w.after(w.soon(), func() { w.tell(w.engineAccount()) })
	case RevokeLease:
		w.leaseRevoked = true
	case StopInit:
		w.stopSignal()
	case SignalInit:
		if !w.held {
			w.complain("a signal to an init that is not held")
		}
		w.dies(unix.WaitStatus(unix.SIGKILL))
	case SignalByEngine:
		if w.chance(70) && !w.mute {
			w.after(w.soon(), func() { w.dies(unix.WaitStatus(unix.SIGKILL)) })
		}
	case KillLeaf:
		w.killLeaf()
	case ListLeaf:
		w.after(w.soon(), func() { w.tell(LeafKilled{Alive: w.living()}) })
	case KillShim:
		w.shimStuck = false
		if w.exited {
			w.after(w.soon(), w.tellStatus)
		}
	case Reattach:
		w.reattach()
	case Discard:
		w.leaseRevoked, w.discardAsked = true, true
		w.others = false
		w.dies(unix.WaitStatus(unix.SIGKILL))
		if w.chance(95) {
			w.after(w.soon(), func() { w.tell(Discarded{}) })
		}
	case Arm:
		w.after(c.After, func() { w.tell(Fired{c.Timer, c.Seq}) })
	case Exit:
		w.ended, w.exitCode = true, c.Code
	}
}

// killLeaf fails the first time where something hangs, and always where it hangs for ever; what hangs for ever dies no
// other way either.
func (w *world) killLeaf() {
	switch {
	case w.unkillable:
		w.unkillable = false
	default:
		w.dies(unix.WaitStatus(unix.SIGKILL))
		w.others = w.others && w.othersHang
	}
	w.after(w.soon(), func() { w.tell(LeafKilled{Alive: w.living()}) })
}

func (w *world) living() []process.Process {
	if !w.alive && !w.others {
		return nil
	}
	if w.hangs || w.othersHang && w.others {
		return []process.Process{{PID: 42, State: "D", Comm: "dd", WaitChannel: "nfs_wait"}}
	}
	return []process.Process{{PID: 42, State: "R", Comm: "dd"}}
}

// reattach succeeds when the engine is back, if it ever is. Output and exit are told of again.
func (w *world) reattach() {
	if w.mute {
		return
	}
	w.after(w.soon()+w.soon(), func() {
		if w.chance(15) {
			w.tell(Reattached{errors.New("no such container")})
			return
		}
		w.tell(Reattached{})
		w.breaks()
		if !w.alive {
			w.after(w.soon(), func() { w.tell(OutputEnded{}) })
		}
	})
}

// breaks has the engine die, now and then, while the container runs: both streams break.
func (w *world) breaks() {
	if !w.chance(10) {
		return
	}
	w.after(w.soon(), func() {
		if !w.alive {
			return
		}
		w.broke = true
		first, second := Message(WaitEnded{Err: errors.New("unexpected EOF")}), Message(OutputEnded{})
		if w.chance(50) {
			first, second = second, first
		}
		w.tell(first)
		w.after(w.soon(), func() { w.tell(second) })
	})
}

// callError is a refused call, or one of unknown outcome.
func (w *world) callError(percent int) error {
	if !w.chance(percent) {
		return nil
	}
	outcome := engine.Refused
	if w.chance(50) {
		outcome = engine.Unknown
	}
	return &engine.CallError{Call: "call", Outcome: outcome, Err: errors.New("failed")}
}

// start plays all that the engine may do about a start: in time, late or never, with or without telling.
func (w *world) start() {
	w.startPending = true
	err := w.callError(12)
	begins := w.soon()
	refused := err != nil && engine.OutcomeOf(err) == engine.Refused
	if refused || (err != nil && w.chance(40)) {
		w.startPending = false
	} else {
		w.after(begins, w.begin)
	}
	answered := begins + w.soon()
	if err != nil {
		answered = w.soon()
	}
	w.after(answered, func() {
		if err == nil && !w.alive && !w.exited { // the lease went before it began, so the engine says no
			err = &engine.CallError{Call: "start", Outcome: engine.Refused, Err: errors.New("no mount source")}
			refused = true
		}
		w.tell(Started{err})
		if refused || (err == nil && !w.held) {
			w.after(500*time.Millisecond, func() {
				if !w.held {
					w.watchBlind = true
					w.tell(InitMissed{errors.New("not found")})
				}
			})
		}
	})
}

// begin makes the container's init, unless the lease is gone.
func (w *world) begin() {
	w.startPending = false
	if w.leaseRevoked {
		w.endWait()
		return
	}
	w.alive = true
	w.breaks()
	if !w.watchBlind {
		w.held = true
		w.tell(InitSeen{PID: 42})
	}
	if w.chance(60) {
		w.after(w.soon(), func() { w.dies(w.ownStatus()) })
	}
}

func (w *world) ownStatus() unix.WaitStatus {
	switch w.rng.IntN(4) {
	case 0:
		return unix.WaitStatus(7 << 8)
	case 1:
		return unix.WaitStatus(unix.SIGSEGV)
	}
	return 0
}

func (w *world) stopSignal() {
	if w.ignoresTerm {
		return
	}
	w.after(w.soon(), func() { w.dies(w.ownStatus()) })
}

// dies ends the container's processes and tells the witnesses, each in its own time.
func (w *world) dies(status unix.WaitStatus) {
	if !w.alive || w.hangs {
		return
	}
	w.alive, w.exited, w.status, w.diedAt = false, true, status, w.now
	w.others = w.hostPID && w.chance(60)
	if w.chance(50) { // the shim ends them, too
		w.after(w.soon(), func() { w.others = w.others && w.othersHang })
	}
	if w.held {
		w.after(min(w.soon(), 2*time.Second), func() {
			w.toldAt = w.now
			died := InitDied{At: w.diedAt, OOM: OOM{Lost: w.chance(10)}, ShimGone: w.chance(5)}
			if w.chance(5) {
				died.EngineDown = "stopped"
			}
			w.tell(died)
			if !w.shimStuck {
				w.after(w.soon(), w.tellStatus)
			}
		})
	}
	w.endWait()
	if !w.outputStuck {
		w.after(w.soon(), func() { w.tell(OutputEnded{}) })
	}
}

// tellStatus has kernel and shim say what they know.
func (w *world) tellStatus() {
	exited := InitExited{Status: w.status, Known: true, Proven: true, Source: "kernel"}
	if !w.kernelKnows {
		exited = InitExited{Status: w.status, Known: w.chance(50), Source: "zombie"}
		if w.zombieLies {
			exited.Status = 0
		}
	}
	told := ShimTold{Code: fromWaitStatus(w.status, "").Code}
	if !w.shimKnows {
		told = ShimTold{Err: errors.New("it is gone")}
	}
	w.tell(exited)
	w.after(w.soon(), func() { w.tell(told) })
}

func (w *world) endWait() {
	if w.mute {
		return
	}
	var err error
	if w.waitBroken {
		err = errors.New("unexpected EOF")
	}
	code := fromWaitStatus(w.status, "").Code
	if !w.exited || w.waitLies {
		code = 0 // what a wait on a container that never started answers
	}
	again := w.broke
	w.after(w.soon(), func() { w.tell(WaitEnded{Code: code, Err: err, Again: again}) })
}

// engineAccount is what inspect says: the truth mostly, an invented 0 after a broken connection at times.
func (w *world) engineAccount() Message {
	if w.chance(15) {
		return ExitInspected{Err: errors.New("inspect hangs")}
	}
	if w.chance(3) && !w.alive {
		return ExitInspected{Err: engine.ErrNotFound}
	}
	c := engine.Container{Status: "running", Running: w.alive, StartedAt: w.now}
	if !w.alive {
		c.Status, c.ExitCode, c.FinishedAt = "exited", fromWaitStatus(w.status, "").Code, w.diedAt
		if (w.waitBroken || w.broke) && w.chance(30) {
			c.ExitCode = 0
		}
	}
	if !w.alive && !w.exited {
		c = engine.Container{Status: "created"}
	}
	return ExitInspected{Container: c}
}

// update checks an update against the truth and those before it.
func (w *world) update(s mesos.TaskStatus) {
	if s.TaskID.Value == taskID {
		w.check(s)
		w.updates = append(w.updates, s)
	}
	if w.withholdAcks || w.agentGone {
		return
	}
	for range 1 + w.rng.IntN(2) {
		w.after(w.soon(), func() {
			w.acked = w.acked || isTerminal(s.GetState()) && s.TaskID.Value == taskID
			w.tell(Acknowledged{TaskID: s.TaskID.Value, State: s.GetState()})
		})
	}
}

func (w *world) check(s mesos.TaskStatus) {
	sent := func(state mesos.TaskState) bool {
		return slices.ContainsFunc(w.updates, func(u mesos.TaskStatus) bool { return u.GetState() == state })
	}
	if n := len(w.updates); n > 0 && isTerminal(w.updates[n-1].GetState()) {
		w.complain("%v after the terminal update", s.GetState())
	}
	if !isTerminal(s.GetState()) && sent(s.GetState()) {
		w.complain("%v twice", s.GetState())
	}
	switch s.GetState() {
	case mesos.TASK_RUNNING:
		if sent(mesos.TASK_KILLING) {
			w.complain("RUNNING after KILLING")
		}
		if !sent(mesos.TASK_STARTING) {
			w.complain("RUNNING before STARTING")
		}
	case mesos.TASK_FAILED:
		if sent(mesos.TASK_KILLING) && !w.hangs && !w.othersHang {
			w.complain("FAILED after KILLING")
		}
	case mesos.TASK_FINISHED:
		if !w.exited || w.status != 0 {
			w.complain("FINISHED with status %#x, exited %v", w.status, w.exited)
		}
		if !w.kernelKnows && !w.shimKnows && (w.waitBroken || w.broke) {
			w.complain("FINISHED without a proof")
		}
	}
	if isTerminal(s.GetState()) {
		w.terminalAt = w.now
		w.checkShutdown(s)
	}
	hung := (w.alive && w.hangs || w.others && w.othersHang) && s.GetState() == mesos.TASK_FAILED && strings.Contains(s.GetMessage(), "nfs_wait")
	if isTerminal(s.GetState()) && !hung && (w.alive || w.others || (w.startPending && !w.leaseRevoked)) {
		w.complain("%v while the container is alive or may still start", s.GetState())
	}
}

// checkShutdown complains about a terminal update that comes after the agent's timer although the container died in time.
func (w *world) checkShutdown(s mesos.TaskStatus) {
	if w.shutdownAt.IsZero() || !w.held || w.diedAt.IsZero() || w.hostPID {
		return
	}
	timer := w.shutdownAt.Add(5 * time.Second)
	if w.toldAt.Before(timer.Add(-2*time.Second)) && w.toldAt.After(w.shutdownAt) && w.now.After(timer) {
		w.complain("%v came %v after SHUTDOWN, and the death was known %v after it", s.GetState(), w.now.Sub(w.shutdownAt), w.toldAt.Sub(w.shutdownAt))
	}
}
