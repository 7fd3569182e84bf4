package supervise

import (
	"errors"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/executor/task"
)

// classIDs are those that the updates sent so far carry, by state; 0 where one carries none.
func (s *script) classIDs() map[mesos.TaskState]uint32 {
	ids := map[mesos.TaskState]uint32{}
	for _, c := range s.out {
		if sent, ok := c.(Send); ok {
			ids[sent.Status.GetState()] = sent.Status.GetContainerStatus().GetCgroupInfo().GetNetCLS().GetClassID()
		}
	}
	return ids
}

func classed(preferred bool) task.Plan {
	return task.Plan{Class: classes.Class{ID: 0x00100101, Team: "web"}, ClassPreferred: preferred}
}

func TestEveryUpdateCarriesTheClassID(t *testing.T) {
	for name, end := range map[string][]Message{
		"finished": {finished, OutputEnded{}},
		"killed":   {killNow(), died, OutputEnded{}},
	} {
		s := newScript(t, classed(false))
		s.tell(append(toRun[:len(toRun):len(toRun)], end...)...)
		ids := s.classIDs()
		if len(ids) < 3 {
			t.Errorf("%s: only %v", name, ids)
		}
		for state, id := range ids {
			if id != 0x00100101 {
				t.Errorf("%s: %v has the class ID %#x", name, state, id)
			}
		}
	}
	s := newScript(t, classed(false))
	s.tell(toImage[0], killNow())
	if ids := s.classIDs(); ids[mesos.TASK_KILLED] != 0x00100101 {
		t.Errorf("killed early: %v", ids)
	}
}

func TestATaskWithoutAClassReportsNone(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(append(toRun[:len(toRun):len(toRun)], finished, OutputEnded{})...)
	for _, c := range s.out {
		if sent, ok := c.(Send); ok && sent.Status.GetContainerStatus().GetCgroupInfo() != nil {
			t.Errorf("%v: %v", sent.Status.GetState(), sent.Status.ContainerStatus.CgroupInfo)
		}
	}
}

// What was announced with TASK_STARTING could not be given after all.
func TestAContainerThatCouldNotBeTaggedSaysSo(t *testing.T) {
	const why = "the container runs without its class ID 0x00100101: net_cls is gone"
	for name, messages := range map[string][]Message{
		"its leaf":      {Created{Untagged: why}, InitSeen{PID: 42}, Started{}, Inspected{}},
		"its init":      {Created{}, InitSeen{PID: 42, Misplaced: "net_cls is gone"}, Started{}, Inspected{}},
		"its processes": {Created{}, InitSeen{PID: 42}, Started{}, Inspected{Misplaced: "net_cls is gone"}},
	} {
		s := newScript(t, classed(true))
		s.tell(append(toCreate[:len(toCreate):len(toCreate)], messages...)...)
		if got, ids := s.last(), s.classIDs(); got != why || ids[mesos.TASK_RUNNING] != 0 {
			t.Errorf("%s: %q, %v", name, got, ids)
		}
	}
}

// What failed or was killed before there was a container does not have the class either.
func TestALeafThatCouldNotBeTaggedIsNotSaidToHaveTheClass(t *testing.T) {
	for name, messages := range map[string][]Message{
		"and the create failed": {Created{Err: errors.New("no such network"), Untagged: "net_cls is gone"}},
		"and a kill came first": {killNow(), Created{Untagged: "net_cls is gone"}},
	} {
		s := newScript(t, classed(true))
		s.tell(append(toCreate[:len(toCreate):len(toCreate)], messages...)...)
		if s.m.classID() != 0 {
			t.Errorf("%s: it is said to have one", name)
		}
	}
}

func TestAContainerOutsideItsClassIsKilled(t *testing.T) {
	s := newScript(t, classed(false))
	s.tell(append(toSeen[:len(toSeen):len(toSeen)], Started{})...)
	s.did()
	s.tell(Inspected{Misplaced: "process 42 is in /elsewhere"})
	s.want("SIGKILL kill_ladder=1s")
	s.tell(died, OutputEnded{})
	if got := s.last(); !strings.HasPrefix(got, "class ID 0x00100101: the container is not in its class, and is killed: process 42 is in /elsewhere") {
		t.Errorf("message %q", got)
	}
	if id := s.classIDs()[mesos.TASK_FAILED]; id != 0 {
		t.Errorf("it is said to have the class %#x", id)
	}
	s.want("log_drain=2s FAILED acknowledgement=1m0s Discard")
}

func TestAnInitOutsideItsClassNeverBecomesTheProgram(t *testing.T) {
	s := newScript(t, classed(false))
	s.tell(toStart...)
	s.did()
	s.tell(InitSeen{PID: 42, Misplaced: "process 42 is in /elsewhere"})
	s.want("RevokeLease SIGKILL kill_ladder=1s")
	s.tell(died, Started{Err: errors.New("runc was killed")}, OutputEnded{})
	if got := s.last(); !strings.HasPrefix(got, "class ID 0x00100101: the container is not in its class, and is killed: process 42 is in /elsewhere") {
		t.Errorf("message %q", got)
	}
	if id := s.classIDs()[mesos.TASK_FAILED]; id != 0 {
		t.Errorf("it is said to have the class %#x", id)
	}
}
