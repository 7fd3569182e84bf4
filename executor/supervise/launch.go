package supervise

import (
	"errors"
	"fmt"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/admission"
	"mesos-docker-executor/executor/engine"
)

// launch takes the executor's one task. The session delivers a task once, so a second LAUNCH is a second task.
func (m *Machine) launch(msg Launched) {
	switch {
	case m.refused[msg.TaskID] || (m.taskID != "" && m.taskID == msg.TaskID):
		return
	case m.phase != idle:
		m.refuse(msg.TaskID, mesos.TASK_FAILED, mesos.REASON_TASK_INVALID,
			fmt.Sprintf("this executor runs one task and has had it (%q); give each task an executor id of its own", m.taskID))
		return
	}
	m.taskID = msg.TaskID
	if m.set.Unfit != "" {
		m.conclude(withReason(status(m.taskID, mesos.TASK_FAILED, m.set.Unfit), mesos.REASON_CONTAINER_LAUNCH_FAILED))
		return
	}
	if msg.Err != nil {
		m.conclude(withReason(status(m.taskID, mesos.TASK_ERROR, msg.Err.Error()), mesos.REASON_TASK_INVALID))
		return
	}
	d := m.set.Decide(msg.Raw, m.framework)
	if d.Refusal != nil {
		m.conclude(withReason(status(m.taskID, d.Refusal.State, d.Refusal.Message), d.Refusal.Reason))
		return
	}
	m.plan = d.Plan
	m.phase = probing
	m.do(Send{m.described(status(m.taskID, mesos.TASK_STARTING, strings.Join(m.plan.Notes, "; ")))})
	if m.plan.MaxCompletion > 0 {
		m.arm(TimerCompletion, m.plan.MaxCompletion)
	}
	if m.engineErr != nil { // that was before: the task has a wait of its own
		m.engineProbed, m.engineErr = false, nil
		m.do(ProbeEngine{})
	}
	m.beginImage()
}

// launchFails ends a launch that failed in some step. That the engine or its storage is not fit is what the message begins with, whatever the step.
func (m *Machine) launchFails(step string, err error) {
	if errors.As(err, new(*admission.UnfitError)) {
		step = "engine unfit"
	} else if errors.As(err, new(*UnfitStorageError)) {
		step = "storage unfit"
	}
	fence := ""
	if call := new(engine.CallError); m.phase >= creating && errors.As(err, &call) && call.Outcome == engine.Unknown {
		fence = "; even if Docker acts on it later, nothing will run"
	}
	m.fail(mesos.REASON_CONTAINER_LAUNCH_FAILED, "%s: %v%s", step, err, fence)
}

// refuse ends a task that is not the executor's own, without touching the own one.
func (m *Machine) refuse(taskID string, state mesos.TaskState, reason mesos.TaskStatus_Reason, message string) {
	if m.refused[taskID] {
		return
	}
	m.refused[taskID] = true
	m.awaiting[taskID] = true
	m.do(Send{withReason(status(taskID, state, message), reason)})
	if m.phase == done {
		m.arm(TimerAck, m.unhurried(ackWait, hurryAck))
	}
}

func (m *Machine) refuseGroup(msg GroupLaunched) {
	for _, id := range msg.TaskIDs {
		if id == m.taskID && m.taskID != "" {
			continue
		}
		m.refuse(id, mesos.TASK_ERROR, mesos.REASON_TASK_GROUP_INVALID,
			"this executor runs single Docker tasks, not task groups; launch the task with LAUNCH")
	}
	if m.phase == idle {
		m.finish()
	}
}

// beginImage goes on once there are both a task and a probed engine.
func (m *Machine) beginImage() {
	if m.phase != probing || !m.engineProbed {
		return
	}
	if m.engineErr != nil {
		m.launchFails("engine unfit", m.engineErr)
		return
	}
	m.phase = imaging
	m.do(EnsureImage{Plan: m.plan})
}

func (m *Machine) imageReady(msg ImageReady) {
	if m.phase != imaging {
		return
	}
	if msg.Err != nil {
		m.launchFails("image "+m.plan.Spec.Image, msg.Err)
		return
	}
	if refusal := m.set.ReviewImage(msg.Image, m.plan); refusal != nil {
		m.failure = &failure{refusal.State, refusal.Reason, refusal.Message}
		return
	}
	m.phase = creating
	m.mayExist = true
	m.do(CreateContainer{Plan: m.plan})
}

func (m *Machine) createdContainer(msg Created) {
	m.untagged = msg.Untagged
	if m.phase != creating {
		return
	}
	if msg.Err != nil {
		m.launchFails("the container could not be created", msg.Err)
		return
	}
	m.phase = starting
	m.copying = true
	m.proc.startSent = true
	m.do(StartContainer{})
}

func (m *Machine) started(msg Started) {
	if m.proc.startAnswered {
		return
	}
	m.proc.startAnswered, m.proc.startErr = true, msg.Err
	if msg.Err != nil {
		m.launchFails("the container could not be started", msg.Err)
		return
	}
	if m.phase != starting {
		return
	}
	m.phase = verifying
	m.do(InspectContainer{})
	if m.broken || !m.copying { // the engine's connections broke before the start that took effect
		m.rejoin()
	}
	m.sendStop()
}

// inspected sends TASK_RUNNING, unless a kill came first. A container that inspect could not describe runs all the same:
// a sick engine is not a sick task.
func (m *Machine) inspected(msg Inspected) {
	if m.phase != verifying {
		return
	}
	m.misplaced(msg.Misplaced)
	if len(msg.Exceeds) > 0 {
		m.fail(mesos.REASON_CONTAINER_LAUNCH_FAILED, "the container may do more than the policy decided, and is killed: %s", strings.Join(msg.Exceeds, " "))
	}
	m.phase = running
	m.proc.inspected = true
	if m.kill.decided || m.failure != nil {
		return
	}
	s := status(m.taskID, mesos.TASK_RUNNING, m.untagged)
	if msg.Err == nil {
		m.networks = networkInfos(m.plan.Networks, msg.Container.Networks)
		s.Data = msg.Container.Raw
	}
	s.ContainerStatus = m.containerStatus()
	m.do(Send{s})
}

// misplaced takes in what way the container is not in its class, "" when it is.
func (m *Machine) misplaced(how string) {
	if how == "" {
		return
	}
	m.untagged = "the container runs without its class ID " + m.plan.Class.ID.String() + ": " + how
	if !m.plan.ClassPreferred {
		m.fail(mesos.REASON_CONTAINER_LAUNCH_FAILED, "class ID %s: the container is not in its class, and is killed: %s", m.plan.Class.ID, how)
	}
}

// fence revokes the lease: nothing that is still queued in the engine can start any more.
func (m *Machine) fence() {
	if !m.proc.fenced {
		m.proc.fenced = true
		m.do(RevokeLease{})
	}
}
