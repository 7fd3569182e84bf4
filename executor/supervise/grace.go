package supervise

import "time"

// killGrace is the time between the stop signal and SIGKILL after a KILL: the event's kill policy beats the task's, and
// without either the host's counts. A negative one is none.
func killGrace(override, ofTask *time.Duration, host time.Duration) time.Duration {
	grace := host
	if ofTask != nil {
		grace = *ofTask
	}
	if override != nil {
		grace = *override
	}
	return max(grace, 0)
}

const (
	// shutdownMargin is what is kept of the agent's shutdown grace for SIGKILL, the last output and the terminal update:
	// 1 s for each of the two intervals that the agent itself adds to a task's grace (Slave::getExecutorInfo).
	shutdownMargin = 2 * time.Second
	// lastMoment is kept of that for the update's way to the agent.
	lastMoment = 500 * time.Millisecond
)

// ShutdownGrace is the time between the stop signal and SIGKILL after a SHUTDOWN, so that TASK_KILLED leaves before the
// agent destroys the executor, after its grace. A short agent grace is split in half.
func ShutdownGrace(agent time.Duration) time.Duration {
	agent = max(agent, 0)
	return max(agent-shutdownMargin, agent/2)
}

// atMost is a grace that the task's own may shorten.
func atMost(grace time.Duration, ofTask *time.Duration) time.Duration {
	if ofTask != nil {
		grace = min(grace, *ofTask)
	}
	return max(grace, 0)
}
