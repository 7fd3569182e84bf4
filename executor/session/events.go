package session

import (
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// Event is something the owner of the task has to know: [Subscribed], [Launch],
// [LaunchGroup], [Kill], [Shutdown], [Acknowledged] or [Lost].
type Event interface{ event() }

// Subscribed says that the agent has accepted the subscription.
type Subscribed struct {
	// ContainerID is the Mesos container id of this run. The field is optional in the protocol;
	// without it this is [Options.ContainerID].
	ContainerID string
	Framework   mesos.FrameworkInfo
	Executor    mesos.ExecutorInfo
	Agent       mesos.AgentInfo
	// Again is true for every subscription after the first.
	Again bool
}

// Launch asks for a task to be started. It comes once per task id.
type Launch struct {
	// Task is the decoded TaskInfo. When Err is set, only its TaskID is.
	Task mesos.TaskInfo
	// Raw holds the TaskInfo's bytes as received, unknown fields included. It is shared:
	// not to be modified. Nil when the TaskInfo was larger than [MaxFrame].
	Raw []byte
	// Err is set when the TaskInfo cannot be used: too large, or not decodable. The task is
	// to be refused with TASK_ERROR, and Err's text is fit for the framework.
	Err error
}

// LaunchGroup asks for a pod, which this executor does not run. Every task of it is to be
// refused.
type LaunchGroup struct{ TaskIDs []string }

// Kill asks for a task to be ended.
type Kill struct {
	TaskID string
	// Grace overrides the task's own kill policy; nil when the agent sent none.
	Grace *time.Duration
}

// Shutdown asks for everything to be ended within the agent's shutdown grace period.
type Shutdown struct{}

// Acknowledged says that the agent has taken over one update: it will reach the scheduler
// without our help. Repeated acknowledgements are swallowed.
type Acknowledged struct {
	TaskID string
	// State is the state of the update that was acknowledged.
	State mesos.TaskState
}

// Lost says that there is no agent to run the task for any more; see the package comment.
type Lost struct {
	// Err is a [*RefusedError], or wraps [ErrRecoveryTimeout], [ErrConnectionLost] or
	// [ErrUnusableEvent].
	Err error
}

func (Subscribed) event()   {}
func (Launch) event()       {}
func (LaunchGroup) event()  {}
func (Kill) event()         {}
func (Shutdown) event()     {}
func (Acknowledged) event() {}
func (Lost) event()         {}
