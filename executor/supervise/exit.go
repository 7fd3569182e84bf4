package supervise

import (
	"golang.org/x/sys/unix"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/engine"
)

// over reports whether no process of the container can be alive, now or later.
func (m *Machine) over() bool {
	p := &m.proc
	return m.programOver() && (!p.startSent || p.survivors != "" || !m.leavesOthers() || p.leafEmpty)
}

// leavesOthers reports whether the container's other processes outlive its init: those in the host's PID namespace do.
func (m *Machine) leavesOthers() bool { return m.plan != nil && m.plan.Spec.Host.PidMode.IsHost() }

// programOver reports whether the container's init is not alive and will not be.
func (m *Machine) programOver() bool {
	switch p := &m.proc; {
	case p.survivors != "":
		return true // not dead, but neither will it be
	case !p.startSent:
		return m.failure != nil || m.kill.decided
	case p.held:
		return p.dead
	case !p.startAnswered || p.startErr != nil:
		// Refused: there is no process once the watch found none. Unknown: runc puts the init into the cgroup before it
		// mounts, so one that was past the lease would have been in the leaf.
		refused := p.startAnswered && engine.OutcomeOf(p.startErr) == engine.Refused
		return (refused && p.missed) || (p.fenced && p.leafEmpty)
	default:
		// Started, but its init was never held: the engine tells, or else the leaf, if it was killed and the engine is mute.
		return p.missed && (m.proof.Inspect.saysOver() || (p.fenced && p.leafEmpty && p.settled))
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
		if !m.armed(TimerSettle) {
			wait := settleWait
			if m.kill.decided {
				wait = settleKilled
			}
			m.arm(TimerSettle, m.within(wait))
		}
		return
	}
	if m.phase < ending {
		m.beginEnding()
	}
	if !m.copying || m.drained {
		m.conclude(m.described(m.terminal()))
		m.leave()
	}
}

// beginEnding is when nothing of the container is alive and nothing more will be learned of its exit.
func (m *Machine) beginEnding() {
	m.phase = ending
	for _, t := range []Timer{TimerLadder, TimerGrace, TimerWedge, TimerUnkillable, TimerSettle} {
		m.disarm(t)
	}
	if !m.proc.held && !m.ran() || m.proc.survivors != "" {
		m.copying = false // without a process, or with one for ever, the output has no end
	}
	switch {
	case !m.copying:
	case m.proc.engineDown != "" || m.joining:
		m.drained = true // who is stopped or gone passes nothing on
	default:
		m.arm(TimerDrain, m.within(m.set.LogDrain))
	}
}

// answered reports whether everything is known that the terminal update and the updates before it need.
func (m *Machine) answered() bool {
	switch p := &m.proc; {
	case !p.startSent || p.settled || m.failure != nil || p.startErr != nil || p.survivors != "":
		return true
	case !p.startAnswered:
		// TASK_RUNNING comes first, and a failed start has a message of its own. Of a killed task whose init was not seen, runc may
		// still be about to put its own first processes into the leaf that was found empty.
		return m.kill.decided && p.held
	case !p.inspected && !m.kill.decided:
		return false
	case m.proof.settles() && !m.oomUnclear():
		return true
	case p.statusDue || p.shimDue:
		return false
	default:
		// Only the engine knows the rest: its wait, then one inspect that fits.
		m.watchByEngine()
		return m.proof.Wait != nil && m.proof.Inspect.saysOver()
	}
}

// oomUnclear reports whether a SIGKILL may have been the OOM killer's and the kernel's account of it came too late.
func (m *Machine) oomUnclear() bool {
	return m.oom.Lost && !m.kill.decided && Judge(m.proof).Code == 128+int(unix.SIGKILL)
}

// initDied begins to gather what the witnesses say.
func (m *Machine) initDied(msg InitDied) {
	p := &m.proc
	p.dead, p.statusDue, p.shimDue = true, true, m.proof.Shim == nil
	p.engineDown, p.engineGone, p.shimGone = msg.EngineDown, msg.EngineGone, msg.ShimGone
	m.oom = msg.OOM
	m.proof.DiedAt = msg.At
	m.proof.Init = &InitExited{}
	m.disarm(TimerGrace)
	m.disarm(TimerLadder)
	m.arm(TimerWedge, max(m.within(wedgeWait), leastWedge))
	if m.leavesOthers() && m.phase < ending {
		p.leafEmpty = false // it may have been looked at before
		m.do(KillLeaf{})
		m.arm(TimerLadder, ladderWait)
	}
}

// leafKilled takes what was found in the leaf. What was empty once after the end of the held init stays so.
func (m *Machine) leafKilled(msg LeafKilled) {
	p := &m.proc
	empty := msg.Err == nil && len(msg.Alive) == 0
	p.leafEmpty = empty && (p.fenced || p.dead) || p.dead && p.leafEmpty
	m.lookAtSurvivors(msg.Alive)
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
	if msg.saysOver() && !m.proc.held && m.leavesOthers() && !m.kill.hard {
		m.killHard()
	}
	if !msg.saysOver() && m.phase < ending {
		m.recheck = min(max(2*m.recheck, recheckWait), recheckMax)
		m.arm(TimerRecheck, m.recheck)
	}
}

// terminal is the one place that turns what happened into the last update.
func (m *Machine) terminal() mesos.TaskStatus {
	if m.proc.survivors != "" {
		return m.unkillable()
	}
	if m.failure != nil {
		return withReason(status(m.taskID, m.failure.state, m.failure.message), m.failure.reason)
	}
	if !m.proc.startSent {
		if m.kill.timedOut {
			return withReason(status(m.taskID, mesos.TASK_FAILED, "max_completion_time of "+m.plan.MaxCompletion.String()+" reached before the container was started"),
				mesos.REASON_MAX_COMPLETION_TIME_REACHED)
		}
		return withReason(status(m.taskID, mesos.TASK_KILLED, "killed before the container was started"),
			mesos.REASON_TASK_KILLED_DURING_LAUNCH)
	}
	v := Judge(m.proof)
	switch {
	case m.kill.timedOut && !m.proc.held && !m.ran():
		return withReason(status(m.taskID, mesos.TASK_FAILED, "max_completion_time of "+m.plan.MaxCompletion.String()+" reached while the container was being started"),
			mesos.REASON_MAX_COMPLETION_TIME_REACHED)
	case m.kill.timedOut:
		return withReason(status(m.taskID, mesos.TASK_FAILED, "max_completion_time of "+m.plan.MaxCompletion.String()+" reached. "+v.String()),
			mesos.REASON_MAX_COMPLETION_TIME_REACHED)
	case m.kill.decided && !m.proc.held && !m.ran():
		return withReason(status(m.taskID, mesos.TASK_KILLED, "killed while the container was being started"),
			mesos.REASON_TASK_KILLED_DURING_LAUNCH)
	case m.kill.decided:
		return status(m.taskID, mesos.TASK_KILLED, v.String())
	case v.Known && v.Code == 0:
		return status(m.taskID, mesos.TASK_FINISHED, v.String())
	}
	return m.failed(v)
}

// unkillable is the one terminal update that leaves something alive.
func (m *Machine) unkillable() mesos.TaskStatus {
	s := status(m.taskID, mesos.TASK_FAILED, "the container cannot be killed, processes remain: "+m.proc.survivors+
		"; they hang in the kernel: look at the file system or device that they wait for, or reboot the host")
	if m.failure != nil {
		message := m.failure.message + "; " + s.GetMessage()
		s.Message, s.Reason = &message, &m.failure.reason
	}
	return s
}

func (m *Machine) failed(v Verdict) mesos.TaskStatus {
	output := "; its output is in stdout and stderr of the sandbox"
	if m.copying {
		output += ", without what the Docker daemon has not passed on yet"
	}
	switch {
	case v.killedByOOM(m.oom, m.proof.Inspect):
		s := withReason(status(m.taskID, mesos.TASK_FAILED, "Out of memory: "+v.String()+"; "+m.oom.String()+output),
			mesos.REASON_CONTAINER_LIMITATION_MEMORY)
		s.Limitation = m.memoryLimitation()
		return s
	case m.oom.Kills > 0:
		return status(m.taskID, mesos.TASK_FAILED, v.String()+"; "+m.oom.String()+output)
	}
	return status(m.taskID, mesos.TASK_FAILED, v.String()+m.outsideCause(v)+output)
}

// outsideCause names who else than the program may have ended it: a daemon that shuts down, and one that comes back, stops
// its containers, and containerd kills what a dead shim leaves. The program's own status looks the same then.
func (m *Machine) outsideCause(v Verdict) string {
	switch p := &m.proc; {
	case p.engineGone:
		return "; the Docker daemon was gone then: it stops its containers when it shuts down or comes back, unless live-restore is on"
	case m.broken:
		return "; the Docker daemon was being restarted then: it stops its containers, unless live-restore is on"
	case p.engineDown != "":
		return "; the Docker daemon was " + p.engineDown + " then"
	case p.shimKilled:
		return "; the container's shim (containerd-shim) was stopped or wedged, did not notice the exit and was killed"
	case p.shimGone && v.Code == 128+int(unix.SIGKILL):
		return "; the container's shim (containerd-shim) had died, and containerd kills what it leaves"
	}
	return ""
}

// memoryLimitation names the resource whose limit was reached, as the agent's own isolators do.
func (m *Machine) memoryLimitation() *mesos.TaskResourceLimitation {
	mib := float64(m.plan.Spec.Host.Memory) / (1 << 20)
	scalar := mesos.SCALAR
	return &mesos.TaskResourceLimitation{Resources: []mesos.Resource{{
		Name: "mem", Type: &scalar, Scalar: &mesos.Value_Scalar{Value: mib},
	}}}
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
	m.arm(TimerAck, m.unhurried(ackWait, hurryAck))
	if m.copying {
		m.arm(TimerOutput, m.unhurried(outputWait, hurryOutput))
	}
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
	case !m.mayExist:
		m.discarded = true
	case !m.discarding && !m.copying:
		m.discarding = true
		m.disarm(TimerOutput)
		m.do(Discard{})
	}
	if len(m.awaiting) > 0 && !m.gone {
		return
	}
	m.disarm(TimerAck)
	switch {
	case m.discarded:
		m.exit()
	case m.discarding && !m.armed(TimerDiscard):
		m.arm(TimerDiscard, m.unhurried(discardWait, hurryDiscard))
	}
}
