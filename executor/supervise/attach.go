package supervise

import (
	"errors"

	"mesos-docker-executor/executor/engine"
)

// A stream of the engine that breaks says nothing about the container, only that the engine was restarted, or died, or is
// sick: the task goes on, and so does the executor as soon as the engine answers again.

// waitEnded takes the end of a wait. The first one's answer is kept: what comes after a break is never a proof.
func (m *Machine) waitEnded(msg WaitEnded) {
	if m.proof.Wait == nil || m.proof.Wait.Err != nil {
		m.proof.Wait = &msg
	}
	if msg.Err != nil {
		m.broken = m.broken || errors.Is(msg.Err, engine.ErrBroken)
		m.rejoin()
	}
}

func (m *Machine) outputEnded(msg OutputEnded) {
	if m.joining {
		return // the broken stream, whose rest is still to come
	}
	m.copying = false
	if msg.Err != nil {
		m.rejoin()
	}
}

// rejoin asks for output and exit to be listened to again. The rest of the output of a container that has ended is still to
// be had, too: the engine finds it in the container's log, or the shim's pipe.
func (m *Machine) rejoin() {
	if m.joining || !m.ran() || m.phase >= done || m.hurry {
		return
	}
	m.joining, m.copying = true, true
	m.do(Reattach{})
}
