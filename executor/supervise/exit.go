package supervise

import (
	"time"

	"golang.org/x/sys/unix"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/engine"
)

// over reports whether no process of the container can be alive, now or later.
func (m *Machine) over() bool {
	switch p := &m.proc; {
	case !p.startSent:
		return m.failure != nil || m.kill.decided
	case p.held:
		return m.proof.Init != nil
	case p.fenced && p.leafEmpty:
		// runc puts the init into the cgroup before it mounts, so one that was past the lease would have been in the leaf.
		return true
	case !p.startAnswered:
		return false
	case p.startErr != nil:
		return p.missed && engine.OutcomeOf(p.startErr) == engine.Refused
	default:
		// Started, but its init was never held: only the engine can tell.
		return p.missed && m.proof.Inspect.saysOver()
	}
}

// advance goes on to the end once nothing is alive and every answer that is due is there, or its time is over.
func (m *Machine) advance() {
	if m.exited {
		return
	}
	if m.phase == done {
		m.leave()
		return
	}
	if m.phase == idle {
		return
	}
	if m.proc.missed && !m.proc.held {
		m.sendStop()
		m.watchByEngine()
	}
	if !m.over() {
		return
	}
	if m.phase < ending && !m.answered() {
		if !m.proc.settled && !m.armed(TimerSettle) {
			m.arm(TimerSettle, settleWait)
		}
		return
	}
	if m.phase < ending {
		m.phase = ending
		if !m.proc.held && !m.ran() {
			m.copying = false // there never was a process: the output of such a container has no end
		}
		if m.copying {
			m.arm(TimerDrain, m.set.LogDrain)
		}
	}
	if !m.copying || m.drained {
		m.conclude(m.terminal())
		m.leave()
	}
}

// answered reports whether everything is known that the terminal update and the updates before it need.
func (m *Machine) answered() bool {
	switch p := &m.proc; {
	case !p.startSent || p.settled || m.failure != nil:
		return true
	case !p.startAnswered:
		return m.kill.decided // else TASK_RUNNING comes first, and a failed start has a message of its own
	case p.startErr == nil && !p.inspected && !m.kill.decided:
		return false
	case m.proof.Init != nil && m.proof.Init.Known && !m.oomUnclear():
		return true
	default:
		// Only the engine knows the rest: its wait, then one inspect that fits.
		m.watchByEngine()
		return m.proof.Wait != nil && m.proof.Inspect.saysOver()
	}
}

// oomUnclear reports whether a SIGKILL may have been the OOM killer's and the kernel's account of it came too late.
func (m *Machine) oomUnclear() bool {
	i := m.proof.Init
	return i.OOM.Lost && !m.kill.decided && i.Status.Signaled() && i.Status.Signal() == unix.SIGKILL
}

// watchByEngine asks the engine for its account of the exit once its wait has ended, and then again until it tells of an
// exit: an ended wait alone proves nothing.
func (m *Machine) watchByEngine() {
	p := &m.proc
	if !p.startAnswered || p.startErr != nil || m.proof.Wait == nil || m.proof.Inspect.saysOver() || m.armed(TimerRecheck) {
		return
	}
	m.askExit()
}

func (m *Machine) askExit() {
	if !m.asking {
		m.asking = true
		m.do(InspectExit{})
	}
}

func (m *Machine) exitInspected(msg ExitInspected) {
	m.asking = false
	if m.proof.Inspect.saysOver() {
		return
	}
	m.proof.Inspect = &msg
	if !msg.saysOver() && m.phase < ending {
		m.recheck = min(max(2*m.recheck, recheckWait), recheckMax)
		m.arm(TimerRecheck, m.recheck)
	}
}

// terminal is the one place that turns what happened into the last update.
func (m *Machine) terminal() mesos.TaskStatus {
	if m.failure != nil {
		return m.described(withReason(status(m.taskID, m.failure.state, m.failure.message), m.failure.reason))
	}
	if !m.proc.startSent {
		if m.kill.timedOut {
			return withReason(status(m.taskID, mesos.TASK_FAILED, "max_completion_time reached before the container was started"),
				mesos.REASON_MAX_COMPLETION_TIME_REACHED)
		}
		return withReason(status(m.taskID, mesos.TASK_KILLED, "killed before the container was started"),
			mesos.REASON_TASK_KILLED_DURING_LAUNCH)
	}
	v := Judge(m.proof)
	switch {
	case m.kill.timedOut:
		return m.described(withReason(status(m.taskID, mesos.TASK_FAILED, "max_completion_time of "+m.plan.MaxCompletion.String()+" reached. "+v.String()),
			mesos.REASON_MAX_COMPLETION_TIME_REACHED))
	case m.kill.decided:
		return m.described(status(m.taskID, mesos.TASK_KILLED, v.String()))
	case v.Known && v.Code == 0:
		return m.described(status(m.taskID, mesos.TASK_FINISHED, v.String()))
	}
	return m.described(m.failed(v))
}

func (m *Machine) failed(v Verdict) mesos.TaskStatus {
	var oom OOM
	if m.proof.Init != nil {
		oom = m.proof.Init.OOM
	}
	const output = "; its output is in stdout and stderr of the sandbox"
	switch {
	case v.killedByOOM(oom, m.proof.Inspect):
		s := withReason(status(m.taskID, mesos.TASK_FAILED, "Out of memory: "+v.String()+"; "+oom.String()+output),
			mesos.REASON_CONTAINER_LIMITATION_MEMORY)
		s.Limitation = m.memoryLimitation()
		return s
	case oom.Kills > 0:
		return status(m.taskID, mesos.TASK_FAILED, v.String()+"; "+oom.String()+output)
	}
	return status(m.taskID, mesos.TASK_FAILED, v.String()+output)
}

// memoryLimitation names the resource whose limit was reached, as the agent's own isolators do.
func (m *Machine) memoryLimitation() *mesos.TaskResourceLimitation {
	mib := float64(m.plan.Spec.Host.Memory) / (1 << 20)
	scalar := mesos.SCALAR
	return &mesos.TaskResourceLimitation{Resources: []mesos.Resource{{
		Name: "mem", Type: &scalar, Scalar: &mesos.Value_Scalar{Value: mib},
	}}}
}

func (m *Machine) described(s mesos.TaskStatus) mesos.TaskStatus {
	if m.proc.startSent {
		s.ContainerStatus = containerStatus(m.set.ContainerID, m.networks)
	}
	return s
}

// conclude sends the terminal update and begins to clean up.
func (m *Machine) conclude(s mesos.TaskStatus) {
	m.awaiting[m.taskID] = true
	m.do(Send{s})
	m.finish()
}

// finish begins the executor's own end: nothing is to be done any more but cleaning up and being acknowledged.
func (m *Machine) finish() {
	m.phase = done
	m.timers = map[Timer]uint64{}
	if m.copying {
		m.arm(TimerDiscard, discardWait)
	}
	m.arm(TimerAck, m.ackWait())
}

// ackWait is how long the executor stays for acknowledgements that do not come.
func (m *Machine) ackWait() time.Duration {
	if m.hurry {
		return ackWaitAsked
	}
	return ackWait
}

func (m *Machine) acknowledged(msg Acknowledged) {
	if !isTerminal(msg.State) || !m.awaiting[msg.TaskID] {
		return
	}
	delete(m.awaiting, msg.TaskID)
	if msg.TaskID == m.taskID {
		m.acked = true
	}
}

// leave cleans up and exits when all is acknowledged, or nobody is there to do so, and the host is clean or will not get
// cleaner soon. The container stays until its output has been copied: removing it would cut the rest off.
func (m *Machine) leave() {
	switch {
	case !m.created:
		m.discarded = true
	case !m.discarding && !m.copying:
		m.discarding = true
		m.disarm(TimerDiscard) // it was for the output
		m.do(Discard{})
	}
	if len(m.awaiting) > 0 && !m.lost {
		return
	}
	if m.discarded {
		m.exit()
		return
	}
	if !m.armed(TimerDiscard) {
		m.arm(TimerDiscard, discardWait)
	}
}

// giveUpDiscard ends the wait for what the clean-up is waiting for: first the output, then the engine.
func (m *Machine) giveUpDiscard() {
	if !m.discarding {
		m.copying = false
		return
	}
	m.discarded = true
}
