package supervise

import (
	"strings"
	"testing"
	"time"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/task"
)

// newHostPIDScript drives the task of a container in the host's PID namespace.
func newHostPIDScript(t *testing.T) *script {
	plan := task.Plan{}
	plan.Spec.Host.PidMode = "host"
	return newScript(t, plan)
}

func TestWhatOutlivesTheInitIsEndedBeforeTheTerminalUpdate(t *testing.T) {
	s := newHostPIDScript(t)
	s.tell(toRun...)
	s.did()
	s.tell(InitDied{}, finished, OutputEnded{})
	s.want("KillLeaf kill_ladder=1s")
	s.tell(dying)
	s.want("")
	s.wait(time.Second, TimerLadder)
	s.want("KillLeaf kill_ladder=1s")
	s.tell(LeafKilled{})
	s.want("FINISHED acknowledgement=1m0s Discard")
}

func TestKilledInitIsOnlyTheFirstToEnd(t *testing.T) {
	s := newHostPIDScript(t)
	s.tell(toRun...)
	s.did()
	s.tell(killNow())
	s.want("KILLING SIGKILL kill_ladder=1s")
	s.tell(InitDied{}, died, OutputEnded{})
	s.want("KillLeaf kill_ladder=1s")
	s.tell(LeafKilled{})
	s.want("KILLED acknowledgement=1m0s Discard")
}

func TestKillAfterTheInitsEndKeepsItsVerdict(t *testing.T) {
	s := newHostPIDScript(t)
	s.tell(toRun...)
	s.tell(InitDied{})
	s.did()
	s.tell(killNow(), finished, OutputEnded{})
	s.want("")
	s.tell(LeafKilled{})
	s.want("FINISHED acknowledgement=1m0s Discard")
}

// Two kills are under way, and the first is answered last.
func TestLeafThatWasEmptyAfterTheInitsEndStaysEmpty(t *testing.T) {
	s := newHostPIDScript(t)
	s.tell(toRun...)
	s.tell(InitDied{})
	s.wait(time.Second, TimerLadder)
	s.did()
	s.tell(LeafKilled{}, dying, OutputEnded{}, finished)
	s.want("settle=10s FINISHED acknowledgement=1m0s Discard")
}

func TestEnginesWordOfTheEndIsNotEnoughForTheOthers(t *testing.T) {
	s := newHostPIDScript(t)
	s.tell(toStart...)
	s.tell(Started{}, InitMissed{}, Inspected{}, OutputEnded{}, WaitEnded{})
	s.did()
	s.tell(ExitInspected{Container: engine.Container{Status: "exited", StartedAt: s.now, FinishedAt: s.now}})
	if got := s.did(); !strings.HasPrefix(got, "RevokeLease KillLeaf SignalByEngine") {
		t.Errorf("did %s", got)
	}
	s.tell(LeafKilled{})
	s.want("FINISHED acknowledgement=1m0s Discard")
}

func TestFailedStartLeavesNothingInTheHostsPIDNamespace(t *testing.T) {
	s := newHostPIDScript(t)
	s.tell(toStart...)
	s.did()
	s.tell(InitMissed{}, Started{&engine.CallError{Call: "start", Outcome: engine.Refused}})
	if got := s.did(); !strings.HasPrefix(got, "RevokeLease KillLeaf") || strings.Contains(got, "FAILED") {
		t.Errorf("did %s", got)
	}
	s.tell(LeafKilled{})
	s.want("FAILED acknowledgement=1m0s Discard")
}

func TestWhatOutlivesTheInitAndHangsInTheKernelIsNamed(t *testing.T) {
	s := newHostPIDScript(t)
	s.tell(toRun...)
	s.tell(InitDied{}, finished, OutputEnded{}, asleep)
	s.wait(time.Second, TimerLadder)
	s.tell(asleep)
	s.wait(surviveWait, TimerUnkillable)
	s.did()
	s.tell(asleep)
	if got := s.last(); !strings.Contains(got, "cannot be killed") || !strings.Contains(got, "nfs_wait") {
		t.Errorf("message %q", got)
	}
	s.want("FAILED acknowledgement=1m0s Discard")
}
