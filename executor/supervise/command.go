package supervise

import (
	"time"

	"golang.org/x/sys/unix"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/task"
)

// Command is one thing that the runner must do. None of them blocks the runner; the ones that say so end in a message.
type Command interface{ command() }

type (
	// Send hands an update to the session, which stores it first and delivers it in order.
	Send struct{ Status mesos.TaskStatus }
	// ProbeEngine asks whether the engine is fit, and waits for it as long as a launch may. Ends in [EngineProbed].
	ProbeEngine struct{}
	// EnsureImage pulls when the image is missing or a pull is forced. Ends in [ImageReady].
	EnsureImage struct{ Plan *task.Plan }
	// CancelImage gives up a pull under way; its ImageReady still comes.
	CancelImage struct{}
	// CreateContainer makes lease, sandbox folders, leaf and container, attaches to its output and registers the wait
	// for its exit, in this order. Ends in [Created].
	CreateContainer struct{ Plan *task.Plan }
	// StartContainer starts it and watches the leaf for its init meanwhile. Ends in [Started], and in one of [InitSeen]
	// (followed by [InitExited]) and [InitMissed].
	StartContainer struct{}
	// InspectContainer verifies the rights of the container's init, and asks the engine for what TASK_RUNNING reports. Ends in
	// [Inspected].
	InspectContainer struct{}
	// InspectExit asks the engine for its account of the exit. Ends in [ExitInspected].
	InspectExit struct{}
	// RevokeLease takes the sandbox mount's source away, so that a create or start that is still queued in the engine
	// fails. Cannot be undone.
	RevokeLease struct{}
	// SignalInit signals the held init by its pidfd. A process that is already dead is fine.
	SignalInit struct{ Signal unix.Signal }
	// StopInit sends the container's stop signal (the image's STOPSIGNAL, else SIGTERM) to the held init, once. A `runc init`
	// that has not become the container's program yet gets none, as it would swallow it.
	StopInit struct{}
	// SignalByEngine asks the engine to signal the container: only while no init is held. Empty = the stop signal.
	SignalByEngine struct{ Signal string }
	// KillLeaf kills every process below the task's leaf. Ends in [LeafKilled].
	KillLeaf struct{}
	// ListLeaf looks which processes are there. Ends in [LeafKilled].
	ListLeaf struct{}
	// KillShim ends the container's shim, which does not reap the dead init: it is stopped or wedged.
	KillShim struct{}
	// Reattach waits until the engine answers again, for as long as it takes, and then listens to output and exit anew. Ends in
	// [Reattached].
	Reattach struct{}
	// GiveUpOutput says that the rest of the container's output is waited for no longer.
	GiveUpOutput struct{}
	// Discard removes what the task left on the host: container (also one that a late create still makes), leaf, lease.
	// Ends in [Discarded].
	Discard struct{}
	// Arm starts a timer, replacing an earlier one of the same name. Ends in [Fired] with this Seq.
	Arm struct {
		Timer Timer
		Seq   uint64
		After time.Duration
	}
	// Exit ends the executor with this status. Nothing follows.
	Exit struct{ Code int }
)

// Timer names a clock of the task. At most one of each runs.
type Timer string

// The clocks of a task.
const (
	TimerCompletion Timer = "max_completion_time" // from LAUNCH
	TimerGrace      Timer = "kill grace"          // from KILL to SIGKILL
	TimerLadder     Timer = "kill ladder"         // between the rungs after SIGKILL
	TimerSettle     Timer = "settle"              // from the init's death to the engine's answers that are still due
	TimerRecheck    Timer = "recheck"             // between two questions to the engine when it is the only witness
	TimerWedge      Timer = "wedged shim"         // from the init's death to ending a shim that does not reap it
	TimerUnkillable Timer = "unkillable"          // from SIGKILL to looking why something is still alive
	TimerDrain      Timer = "log drain"           // from the exit to the end of the output
	TimerOutput     Timer = "output"              // from the terminal update to removing the container under its output
	TimerAck        Timer = "acknowledgement"     // from the terminal update to giving up its acknowledgement
	TimerDiscard    Timer = "discard"             // from the acknowledgement to giving up the clean-up
)

func (Send) command()             {}
func (ProbeEngine) command()      {}
func (EnsureImage) command()      {}
func (CancelImage) command()      {}
func (CreateContainer) command()  {}
func (StartContainer) command()   {}
func (InspectContainer) command() {}
func (InspectExit) command()      {}
func (RevokeLease) command()      {}
func (SignalInit) command()       {}
func (StopInit) command()         {}
func (SignalByEngine) command()   {}
func (KillLeaf) command()         {}
func (ListLeaf) command()         {}
func (KillShim) command()         {}
func (Reattach) command()         {}
func (GiveUpOutput) command()     {}
func (Discard) command()          {}
func (Arm) command()              {}
func (Exit) command()             {}
