package supervise

import (
	"strings"
	"time"

	"golang.org/x/sys/unix"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/process"
)

// killState is the position on the kill ladder.
type killState struct {
	decided  bool // a kill was decided while the task was alive: the verdict is not the container's own any more
	timedOut bool // ... by max_completion_time
	stopDue  bool // the stop signal is to be sent as soon as the container can take it
	hard     bool // SIGKILL was sent: no grace is left
	since    time.Time
	deadline time.Time     // of the grace
	rung     time.Duration // time between the last two SIGKILL rungs
}

// killAsked takes the agent's KILL. One that comes before its LAUNCH is answered at once, and the LAUNCH then ignored.
func (m *Machine) killAsked(msg KillAsked) {
	if msg.TaskID == m.taskID && m.taskID != "" {
		from := m.now
		if m.kill.decided {
			from = m.kill.since // a later KILL counts from the first
		}
		m.end(mesos.TASK_KILLED, from.Add(killGrace(msg.Grace, m.taskGrace(), m.set.KillGrace)))
		return
	}
	if m.phase != idle || m.refused[msg.TaskID] {
		return
	}
	m.refuse(msg.TaskID, mesos.TASK_KILLED, mesos.REASON_TASK_KILLED_DURING_LAUNCH, "killed before it was launched")
	m.finish()
}

// end decides that the task must end, with SIGKILL at the deadline. It may be called again: a later call can only bring
// the deadline forward.
func (m *Machine) end(as mesos.TaskState, deadline time.Time) {
	switch {
	case m.phase == idle:
		m.finish()
	case m.phase >= ending || m.failure != nil || m.programOver():
		// What was seen first keeps its verdict.
	case !m.proc.startSent:
		m.endUnstarted(as)
	case m.kill.decided:
		m.shorten(deadline)
	default:
		m.decide(as)
		m.kill.since = m.now
		m.kill.deadline = deadline
		if !deadline.After(m.now) {
			m.killHard()
			return
		}
		m.arm(TimerGrace, deadline.Sub(m.now))
		m.kill.stopDue = true
		m.sendStop()
	}
}

// decide makes the task a killed one; TASK_KILLING is for frameworks that know it, and not for a task that timed out.
func (m *Machine) decide(as mesos.TaskState) {
	if m.kill.decided {
		return
	}
	m.kill.decided = true
	m.kill.timedOut = as == mesos.TASK_FAILED
	if as == mesos.TASK_KILLED && hasKillingState(m.framework) {
		s := status(m.taskID, mesos.TASK_KILLING, "")
		s.ContainerStatus = m.containerStatus()
		m.do(Send{s})
	}
}

// endUnstarted ends a task of which no process can exist: start was never sent and never will be.
func (m *Machine) endUnstarted(as mesos.TaskState) {
	m.decide(as)
	if m.phase == imaging {
		m.do(CancelImage{})
	}
	if m.mayExist {
		m.fence()
	}
}

func (m *Machine) shorten(deadline time.Time) {
	if m.kill.hard || !deadline.Before(m.kill.deadline) {
		return
	}
	m.kill.deadline = deadline
	if left := deadline.Sub(m.now); left > 0 {
		m.arm(TimerGrace, left)
		return
	}
	m.killHard()
}

// sendStop sends the stop signal once the container can take it. While start is unanswered the held process may still be
// `runc init`, so it is asked for again with the answer.
func (m *Machine) sendStop() {
	if !m.kill.stopDue || m.kill.hard {
		return
	}
	switch {
	case m.proc.held:
		m.do(StopInit{})
	case m.proc.missed && m.proc.startAnswered:
		m.do(SignalByEngine{})
	default:
		return // the watch is about to say which
	}
	m.kill.stopDue = !m.proc.startAnswered
}

// killHard sends SIGKILL by every way that needs no daemon, and goes on doing so until the container is dead.
func (m *Machine) killHard() {
	if m.phase >= ending || m.proc.dead && m.over() {
		return
	}
	first := !m.kill.hard
	if first {
		m.kill.hard = true
		m.kill.stopDue = false
		m.kill.rung = ladderWait / 2
		m.disarm(TimerGrace)
		m.arm(TimerUnkillable, m.within(surviveWait))
	}
	if !m.proc.held || !m.proc.startAnswered {
		m.fence()
	}
	if first && m.proc.held && !m.proc.dead {
		m.do(SignalInit{unix.SIGKILL}) // its own rung: the whole pid namespace dies with its init, if it has one
	} else {
		m.do(KillLeaf{})
	}
	if m.proc.missed {
		m.do(SignalByEngine{"SIGKILL"})
		if m.proc.startErr == nil && !m.proc.settled && !m.armed(TimerSettle) {
			m.arm(TimerSettle, m.within(settleWait)) // for the engine's word that it is over
		}
	}
	m.kill.rung = min(2*m.kill.rung, ladderMax)
	m.arm(TimerLadder, m.kill.rung)
}

// lookAtSurvivors decides that the container cannot be killed: long after SIGKILL, or in the last moment of the agent's
// patience, something sleeps where no signal reaches it (state D of proc_pid_stat(5)). Whatever else is alive is
// about to die.
func (m *Machine) lookAtSurvivors(alive []process.Process) {
	if !m.kill.hard || m.proc.dead && m.over() || m.phase >= ending || m.armed(TimerUnkillable) {
		return
	}
	var hung []string
	for _, p := range alive {
		if p.State == "D" {
			hung = append(hung, p.String())
		}
	}
	m.proc.survivors = strings.Join(hung, ", ")
	if len(hung) == 0 {
		m.arm(TimerUnkillable, surviveAgain)
	}
}

// initSeen catches up with what was decided before the init was found.
func (m *Machine) initSeen() {
	if m.kill.hard {
		m.do(SignalInit{unix.SIGKILL})
		return
	}
	m.sendStop()
}
