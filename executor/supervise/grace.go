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

// shutdownMargin is what is kept of the agent's shutdown grace for SIGKILL, the last output and the terminal update: 1 s
// for each of the two intervals that the agent itself adds to a task's grace (Slave::getExecutorInfo).
const shutdownMargin = 2 * time.Second

// shutdownGrace is the time between the stop signal and SIGKILL after a SHUTDOWN, so that TASK_KILLED leaves before the
// agent destroys the executor. A short agent grace is split in half; the task's own grace is kept when it is shorter.
func shutdownGrace(ofTask *time.Duration, shutdown time.Duration) time.Duration {
	shutdown = max(shutdown, 0)
	grace := max(shutdown-shutdownMargin, shutdown/2)
	if ofTask != nil {
		grace = min(grace, *ofTask)
	}
	return max(grace, 0)
}
