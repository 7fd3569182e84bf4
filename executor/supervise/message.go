package supervise

import (
	"time"

	"golang.org/x/sys/unix"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/process"
)

// Message is one fact that reached the task's owner. The set is closed: every kind stands in this file.
type Message interface{ message() }

// From the agent.
type (
	// Subscribed says that the agent took our SUBSCRIBE; it comes again after each lost connection.
	Subscribed struct{ Framework mesos.FrameworkInfo }
	// Launched brings a task. Raw are the TaskInfo's bytes as received. Err says that they cannot be taken (too large, or
	// not decodable), in words for the framework.
	Launched struct {
		TaskID string
		Raw    []byte
		Err    error
	}
	// GroupLaunched brings a task group, which this executor refuses.
	GroupLaunched struct{ TaskIDs []string }
	// KillAsked is the agent's KILL. Grace is nil when the event carries no kill policy.
	KillAsked struct {
		TaskID string
		Grace  *time.Duration
	}
	// ShutdownAsked is the agent's SHUTDOWN.
	ShutdownAsked struct{}
	// Acknowledged says that the agent took an update of this state.
	Acknowledged struct {
		TaskID string
		State  mesos.TaskState
	}
	// AgentLost says that the task is given up, since the agent is: it ends as by SHUTDOWN. Its last update may get out
	// nevertheless.
	AgentLost struct{ Err error }
	// AgentGone says that nothing will be sent or received any more.
	AgentGone struct{}
)

// SignalReceived is SIGTERM or SIGINT sent to the executor.
type SignalReceived struct{ Name string }

// From the engine.
type (
	// EngineProbed is the result of the probe that begins with the executor: the engine is fit, or was not in the time
	// that a launch waits for it.
	EngineProbed struct{ Err error }
	// ImageReady ends [EnsureImage].
	ImageReady struct {
		Image engine.Image
		Err   error
	}
	// Created ends [CreateContainer]: the container exists and its output and exit are being listened to.
	Created struct {
		Err error
		// Untagged says why the container has no class ID, although the task is to have one where that is possible.
		Untagged string
	}
	// Started ends [StartContainer]. A start without an answer whose container runs is one without an error.
	Started struct{ Err error }
	// Inspected ends [InspectContainer].
	Inspected struct {
		Container engine.Container
		Err       error
		// Exceeds says, a sentence each, in what the container's init may do more than was decided.
		Exceeds []string
		// Misplaced says in what way the container is not in its class.
		Misplaced string
	}
	// WaitEnded is the answer to the wait that was registered before start. Err means that it proves nothing.
	WaitEnded struct {
		Code  int
		Err   error
		Again bool // registered anew after the connection had broken: what was before is not known to this wait
	}
	// Reattached ends [Reattach]: the engine answers again and output and exit are listened to as before, or Err says why
	// they cannot be.
	Reattached struct{ Err error }
	// ExitInspected ends [InspectExit].
	ExitInspected struct {
		Container engine.Container
		Err       error
	}
	// OutputEnded says that both streams of the container reached their end; Err, that they broke off.
	OutputEnded struct{ Err error }
	// Discarded ends [Discard]: container, leaf and lease are gone, or Err says what stayed.
	Discarded struct{ Err error }
)

// From the kernel.
type (
	// InitSeen says that the container's init (still `runc init`, perhaps) was found and is held by a pidfd.
	InitSeen struct {
		PID int
		// Misplaced says in what way it is not in the container's class.
		Misplaced string
	}
	// InitMissed says that start is over and no init could be found.
	InitMissed struct{ Err error }
	// InitDied says that the held init is dead. Its status is due, from the kernel and from the container's shim.
	InitDied struct {
		At  time.Time // by the wall clock
		OOM OOM
		// EngineDown says in what way the engine was not at work just then, "" = as far as is known it was; EngineGone, that it was not
		// there at all.
		EngineDown string
		EngineGone bool
		// ShimGone says that the container's shim was dead already: containerd kills what it leaves.
		ShimGone bool
	}
	// InitExited brings the status of the dead init, or says that the kernel does not know it.
	InitExited struct {
		Status unix.WaitStatus
		Known  bool   // there is a status
		Proven bool   // it is the process's own beyond doubt; else a 0 may be the kernel's way to say nothing
		Source string // who knew it
	}
	// ShimTold brings the status that the container's shim knows, or Err: it cannot be asked, or does not answer.
	ShimTold struct {
		Code int // 128+N for signal N, so that an exit with 137 looks like a SIGKILL
		Err  error
	}
	// LeafKilled ends [KillLeaf] and [ListLeaf].
	LeafKilled struct {
		Alive []process.Process // those still there afterwards
		Err   error
	}
)

// OOM is the memory cgroup's account, read when the init died.
type OOM struct {
	Kills       uint64 // processes that the OOM killer took in this cgroup
	Limit, Peak uint64 // bytes; 0 = unknown
	Lost        bool   // the account was gone before it could be read: only the engine may know
}

// Fired is a timer that was armed by [Arm] and neither re-armed nor disarmed since.
type Fired struct {
	Timer Timer
	Seq   uint64
}

func (Subscribed) message()     {}
func (Launched) message()       {}
func (GroupLaunched) message()  {}
func (KillAsked) message()      {}
func (ShutdownAsked) message()  {}
func (Acknowledged) message()   {}
func (AgentLost) message()      {}
func (AgentGone) message()      {}
func (SignalReceived) message() {}
func (EngineProbed) message()   {}
func (ImageReady) message()     {}
func (Created) message()        {}
func (Started) message()        {}
func (Inspected) message()      {}
func (WaitEnded) message()      {}
func (Reattached) message()     {}
func (ShimTold) message()       {}
func (ExitInspected) message()  {}
func (OutputEnded) message()    {}
func (Discarded) message()      {}
func (InitSeen) message()       {}
func (InitMissed) message()     {}
func (InitDied) message()       {}
func (InitExited) message()     {}
func (LeafKilled) message()     {}
func (Fired) message()          {}
