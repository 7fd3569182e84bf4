package supervise

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/admission"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/process"
	"mesos-docker-executor/executor/task"
)

var (
	broke     = WaitEnded{Err: fmt.Errorf("docker wait: %w", engine.ErrBroken)}
	unproved  = InitExited{Status: 0, Known: true, Source: "zombie"}
	failedBy9 = InitExited{Status: 9 << 8, Known: true, Proven: true, Source: "kernel"}
	asleep    = LeafKilled{Alive: []process.Process{{PID: 7, Comm: "dd", State: "D", WaitChannel: "nfs_wait"}}}
	dying     = LeafKilled{Alive: []process.Process{{PID: 7, Comm: "dd", State: "R"}}}
)

// last returns the message of the last update.
func (s *script) last() string {
	s.t.Helper()
	for _, c := range slices.Backward(s.out) {
		if sent, ok := c.(Send); ok {
			return sent.Status.GetMessage()
		}
	}
	s.t.Fatal("no update")
	return ""
}

func (s *script) says(what string) {
	s.t.Helper()
	if got := s.last(); !strings.Contains(got, what) {
		s.t.Errorf("message %q, want ...%q...", got, what)
	}
}

func TestTaskRunsOnWhileTheEngineIsGone(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.did()
	s.tell(broke, OutputEnded{})
	s.want("Reattach")
	s.tell(Reattached{})
	s.want("")
	s.tell(broke) // once more
	s.want("Reattach")
	s.tell(Reattached{}, finished)
	s.want("log_drain=2s")
	s.tell(OutputEnded{})
	s.want("FINISHED acknowledgement=1m0s Discard")
}

func TestBreakBeforeTheStartIsMadeUpFor(t *testing.T) {
	for name, breaks := range map[string][]Message{
		"both":           {broke, OutputEnded{}},
		"output alone":   {OutputEnded{}},
		"the other way":  {OutputEnded{}, broke},
		"the wait alone": {broke},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, task.Plan{})
			s.tell(toStart...)
			s.tell(breaks...)
			s.did()
			s.tell(InitSeen{PID: 42}, Started{})
			s.want("InspectContainer Reattach")
			s.tell(Inspected{}, Reattached{}, failedBy9)
			s.want("RUNNING log_drain=2s")
			s.tell(OutputEnded{})
			if got := s.last(); strings.Contains(got, "Docker daemon") {
				t.Errorf("message %q", got)
			}
		})
	}
}

func TestOutputThatIsGivenUpIsSaid(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.tell(InitDied{EngineDown: "stopped"}, failedBy9)
	s.says("without what the Docker daemon has not passed on yet")
	s.did()
	s.wait(outputWait, TimerOutput)
	s.want("GiveUpOutput Discard")
}

func TestTimeThatIsOverBeforeTheStartIsAnswered(t *testing.T) {
	s := newScript(t, task.Plan{MaxCompletion: time.Minute})
	s.tell(toStart...)
	s.wait(time.Minute, TimerCompletion)
	s.tell(LeafKilled{})
	s.wait(settleKilled, TimerSettle)
	s.says("max_completion_time of 1m0s reached while the container was being started")
}

func TestEndOfTheOutputAloneIsNoBreak(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.did()
	s.tell(OutputEnded{}) // the program has closed its output
	s.want("")
	s.tell(finished)
	s.want("FINISHED acknowledgement=1m0s Discard")
}

func TestEndWhileTheEngineIsGoneWaitsForNothing(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.tell(broke, OutputEnded{}, InitDied{}, ShimTold{Err: process.ErrNoShim})
	s.did()
	s.tell(failedBy9)
	s.says("the Docker daemon was being restarted then")
	s.want("FAILED acknowledgement=1m0s output=10s") // the rest of the output may come with the engine
	s.tell(Acknowledged{taskID, mesos.TASK_FAILED})
	s.want("")
	s.wait(outputWait, TimerOutput)
	s.want("GiveUpOutput Discard discard=10s")
	s.tell(Reattached{}, Discarded{})
	s.want("exit=0")
}

func TestEngineThatIsGoneIsNamed(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.tell(InitDied{EngineDown: "gone", EngineGone: true})
	s.tell(failedBy9)
	s.says("the Docker daemon was gone then: it stops its containers")
}

func TestDamagedAnswerIsNoRestart(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.tell(InitDied{}, WaitEnded{Err: errors.New("the answer is malformed")}, failedBy9)
	if got := s.last(); strings.Contains(got, "restarted") {
		t.Errorf("message %q", got)
	}
}

func TestStandstillOfTheEngineDrainsNothing(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.tell(InitDied{EngineDown: "stopped"})
	s.did()
	s.tell(failedBy9)
	s.says("the Docker daemon was stopped then")
	s.want("FAILED acknowledgement=1m0s output=10s")
}

func TestDeadShimIsNamed(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.tell(InitDied{ShimGone: true}, died, OutputEnded{})
	s.says("the container's shim (containerd-shim) had died")
}

func TestShimProvesWhatTheKernelDoesNotTell(t *testing.T) {
	for _, test := range []struct {
		name string
		told ShimTold
		want string
	}{
		{"status 0", ShimTold{Code: 0}, "FINISHED"},
		{"status 3", ShimTold{Code: 3}, "FAILED"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScript(t, task.Plan{})
			s.tell(toRun...)
			s.tell(InitDied{}, unproved, OutputEnded{})
			s.did()
			s.tell(test.told)
			s.want(test.want + " acknowledgement=1m0s Discard")
		})
	}
}

func TestStatusThatNobodyProvesIsNoSuccess(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.tell(InitDied{}, unproved, OutputEnded{}, ShimTold{Err: process.ErrNoShim})
	s.did()
	s.wait(settleWait, TimerSettle)
	s.says("exit status unknown")
	s.want("FAILED acknowledgement=1m0s Discard")
}

func TestShimThatDoesNotReapIsKilled(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.tell(InitDied{}, OutputEnded{})
	s.did()
	s.wait(wedgeWait, TimerWedge)
	s.want("KillShim")
	s.tell(failedBy9)
	s.says("was stopped or wedged")
	s.want("FAILED acknowledgement=1m0s Discard")
}

func TestShimThatReapsIsLeftAlone(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.tell(InitDied{}, finished)
	s.did()
	s.wait(wedgeWait, TimerWedge)
	s.want("")
}

func TestUnkillableProcessesAreNamed(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.tell(killNow())
	s.did()
	s.tell(asleep) // early: it may still wake up
	s.want("")
	s.wait(surviveWait, TimerUnkillable)
	s.want("ListLeaf")
	s.tell(dying)
	s.want("")
	s.wait(surviveAgain, TimerUnkillable)
	s.want("ListLeaf")
	s.tell(asleep)
	s.says("the container cannot be killed, processes remain: 7 (dd) state D in nfs_wait")
	s.want("FAILED acknowledgement=1m0s Discard")
}

func TestUnkillableProcessesAreNamedBeforeTheAgentLosesPatience(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.tell(ShutdownAsked{}) // 5 s
	s.wait(3*time.Second, TimerGrace)
	s.did()
	s.wait(1500*time.Millisecond, TimerUnkillable)
	s.want("ListLeaf")
	s.tell(asleep)
	s.want("FAILED acknowledgement=1m0s Discard")
}

func TestShutdownAfterAKillIsAnsweredInTime(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.tell(killNow())
	s.wait(3*time.Second, TimerLadder)
	s.did()
	s.tell(ShutdownAsked{}) // 5 s
	if in := (Arm{TimerUnkillable, s.m.timers[TimerUnkillable], 4500 * time.Millisecond}); !slices.Contains(s.out, Command(in)) {
		t.Errorf("commands %v, want %v among them", s.out, in)
	}
	s.did()
	s.wait(4500*time.Millisecond, TimerUnkillable)
	s.want("ListLeaf")
	s.tell(asleep)
	s.want("FAILED acknowledgement=1m0s Discard")
}

func TestShutdownCutsTheWaitForTheStatus(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.tell(InitDied{}, unproved, OutputEnded{})
	s.did()
	s.tell(ShutdownAsked{}) // 5 s
	s.want("settle=4.5s")
	s.wait(4500*time.Millisecond, TimerSettle)
	s.want("FAILED acknowledgement=1m0s Discard")
}

func TestFailedStartThatCannotBeKilledSaysBoth(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toSeen...)
	s.tell(Started{&engine.CallError{Call: "docker start", Outcome: engine.Unknown, Err: errors.New("no answer")}})
	s.did()
	s.wait(surviveWait, TimerUnkillable)
	s.tell(asleep)
	s.says("nothing will run; the container cannot be killed")
	s.want("ListLeaf FAILED acknowledgement=1m0s Discard")
}

func TestKilledTaskDoesNotBlameTheEngine(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.tell(killNow(), InitDied{EngineDown: "stopped"})
	s.tell(InitExited{Status: unix.WaitStatus(unix.SIGKILL), Known: true, Proven: true, Source: "kernel"})
	if got := s.last(); strings.Contains(got, "Docker daemon") {
		t.Errorf("message %q", got)
	}
}

func TestLaunchAfterAFailedProbeHasAWaitOfItsOwn(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(EngineProbed{errors.New("gone")})
	s.want("")
	s.tell(Launched{TaskID: taskID})
	s.want("STARTING ProbeEngine")
	s.tell(EngineProbed{})
	s.want("EnsureImage")
}

func TestUnfitEngineIsNamedFirst(t *testing.T) {
	for name, before := range map[string][]Message{
		"probe":  {Launched{TaskID: taskID}},
		"create": toCreate,
	} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, task.Plan{})
			s.tell(before...)
			err := fmt.Errorf("docker create: not finished within 2m0s; %w", &admission.UnfitError{Engine: "unix:///d.sock", Cause: errors.New("docker ping"), Probes: 3})
			if name == "probe" {
				s.tell(EngineProbed{err})
			} else {
				s.tell(Created{Err: err})
			}
			if got := s.last(); !strings.HasPrefix(got, "engine unfit: ") {
				t.Errorf("message %q", got)
			}
		})
	}
}

// An operator may have set log_drain to up to a minute.
func TestShutdownDuringALongDrainIsAnsweredInTime(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.m.set.LogDrain = time.Minute
	s.tell(toRun...)
	s.tell(InitDied{}, finished)
	s.did()
	s.now = s.now.Add(time.Second)
	s.tell(ShutdownAsked{}) // the agent waits 5 s
	s.want("log_drain=4.5s")
	s.wait(4500*time.Millisecond, TimerDrain)
	s.want("FINISHED acknowledgement=1m0s output=10s")
}

func TestShutdownPostponesNothing(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.m.set.ShutdownGrace = time.Minute
	s.tell(toRun...)
	s.did()
	s.tell(InitDied{}, InitExited{}, ShimTold{Err: process.ErrNoShim}) // only the engine knows the rest
	s.want("settle=10s")
	s.now = s.now.Add(9 * time.Second)
	s.tell(ShutdownAsked{})
	s.want("")
}
