package supervise

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/task"
)

// script drives a Machine message by message, at times that only the test decides.
type script struct {
	t   *testing.T
	m   *Machine
	now time.Time
	out []Command // since the last look
}

func newScript(t *testing.T, plan task.Plan) *script {
	plan.TaskID = taskID
	s := &script{t: t, now: epoch, m: NewMachine(Settings{
		ContainerID:   "container-1",
		ShutdownGrace: 5 * time.Second,
		KillGrace:     5 * time.Second,
		LogDrain:      2 * time.Second,
		ReviewImage:   func(engine.Image, *task.Plan) *task.Refusal { return nil },
		Decide:        func([]byte, mesos.FrameworkInfo) task.Decision { return task.Decision{Plan: &plan} },
	})}
	s.tell(Subscribed{mesos.FrameworkInfo{Capabilities: []mesos.FrameworkInfo_Capability{
		{Type: mesos.FrameworkInfo_Capability_TASK_KILLING_STATE}}}})
	return s
}

func (s *script) tell(messages ...Message) {
	for _, msg := range messages {
		s.out = append(s.out, s.m.Handle(s.now, msg)...)
	}
}

// wait lets time pass and fires the timer that is due then, if it is still armed.
func (s *script) wait(d time.Duration, t Timer) {
	s.now = s.now.Add(d)
	s.tell(Fired{Timer: t, Seq: s.m.timers[t]})
}

// did returns what was commanded since the last call, and forgets it: kinds of commands, states of updates, and timers
// with their time.
func (s *script) did() string {
	var words []string
	for _, c := range s.out {
		switch c := c.(type) {
		case Send:
			words = append(words, strings.TrimPrefix(c.Status.GetState().String(), "TASK_"))
		case Arm:
			if c.Timer == TimerUnkillable || c.Timer == TimerWedge {
				continue // they have tests of their own
			}
			words = append(words, fmt.Sprintf("%s=%v", strings.ReplaceAll(string(c.Timer), " ", "_"), c.After))
		case SignalInit:
			words = append(words, unix.SignalName(c.Signal))
		case Exit:
			words = append(words, fmt.Sprintf("exit=%d", c.Code))
		default:
			words = append(words, reflect.TypeOf(c).Name())
		}
	}
	s.out = nil
	return strings.Join(words, " ")
}

func (s *script) want(what string) {
	s.t.Helper()
	if got := s.did(); got != what {
		s.t.Errorf("did  %s\nwant %s", got, what)
	}
}

// The way to a running task, in steps.
var (
	toImage  = []Message{Launched{TaskID: taskID}, EngineProbed{}}
	toCreate = append(slices.Clone(toImage), ImageReady{})
	toStart  = append(slices.Clone(toCreate), Created{})
	toSeen   = append(slices.Clone(toStart), InitSeen{PID: 42})
	toRun    = append(slices.Clone(toSeen), Started{}, Inspected{})
	died     = InitExited{Status: unix.WaitStatus(unix.SIGKILL), Known: true, Proven: true, Source: "kernel"}
	finished = InitExited{Status: 0, Known: true, Proven: true, Source: "kernel"}
)

func killNow() KillAsked { return killIn(0) }

func killIn(grace time.Duration) KillAsked { return KillAsked{TaskID: taskID, Grace: &grace} }

func TestLifeWithoutTrouble(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.want("STARTING EnsureImage CreateContainer StartContainer InspectContainer RUNNING")
	s.tell(finished)
	s.want("log_drain=2s")
	s.tell(OutputEnded{})
	s.want("FINISHED acknowledgement=1m0s Discard")
	s.tell(Discarded{})
	s.want("")
	s.tell(Acknowledged{taskID, mesos.TASK_FINISHED})
	s.want("exit=0")
}

func TestKillInEachPhase(t *testing.T) {
	for _, test := range []struct {
		name   string
		before []Message
		did    string
		after  []Message
		then   string
	}{
		{"while the image is pulled", toImage,
			"KILLING CancelImage KILLED acknowledgement=1m0s", nil, ""},
		{"while the container is created", toCreate,
			"KILLING RevokeLease KILLED acknowledgement=1m0s Discard", []Message{Created{}}, ""},
		{"before start took effect", toStart,
			"KILLING RevokeLease KillLeaf kill_ladder=1s", []Message{LeafKilled{}, Started{errors.New("refused")}}, "settle=1s KILLED acknowledgement=1m0s Discard"},
		{"while start is under way", toSeen,
			"KILLING RevokeLease SIGKILL kill_ladder=1s", []Message{died, OutputEnded{}}, "log_drain=2s KILLED acknowledgement=1m0s Discard"},
		{"while it runs", toRun,
			"KILLING SIGKILL kill_ladder=1s", []Message{died, OutputEnded{}}, "log_drain=2s KILLED acknowledgement=1m0s Discard"},
		{"after the exit", append(slices.Clone(toRun), finished),
			"", []Message{OutputEnded{}}, "FINISHED acknowledgement=1m0s Discard"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newScript(t, task.Plan{})
			s.tell(test.before...)
			s.did()
			s.tell(killNow())
			s.want(test.did)
			s.tell(test.after...)
			s.want(test.then)
		})
	}
}

func TestStopSignalWaitsForTheAnswerToStart(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toSeen...)
	s.did()
	s.tell(killIn(10 * time.Second))
	s.want("KILLING kill_grace=10s StopInit") // if it is the program already
	s.tell(Started{})
	s.want("InspectContainer StopInit")
	s.tell(Inspected{})
	s.want("") // no RUNNING behind KILLING
	s.wait(10*time.Second, TimerGrace)
	s.want("SIGKILL kill_ladder=1s")
	s.wait(time.Second, TimerLadder)
	s.want("KillLeaf kill_ladder=2s")
	s.wait(2*time.Second, TimerLadder)
	s.want("KillLeaf kill_ladder=4s")
}

func TestLaterKillOnlyShortensTheGrace(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.did()
	s.tell(killIn(time.Minute))
	s.want("KILLING kill_grace=1m0s StopInit")
	s.now = s.now.Add(10 * time.Second)
	s.tell(killIn(2 * time.Minute))
	s.want("")
	s.tell(killIn(15 * time.Second)) // counted from the first KILL
	s.want("kill_grace=5s")
	s.tell(killIn(5 * time.Second))
	s.want("SIGKILL kill_ladder=1s")
	s.tell(killNow())
	s.want("")
}

func TestTerminalUpdateIsNotWaitedForLongerThanAMinute(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.tell(finished, OutputEnded{}, Discarded{})
	s.did()
	s.wait(time.Minute, TimerAck)
	s.want("exit=1")
	s.tell(Acknowledged{taskID, mesos.TASK_FINISHED})
	s.want("")
}

func TestOutputThatDoesNotEndDelaysTheUpdateByLogDrainOnly(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.tell(finished)
	s.did()
	s.wait(2*time.Second, TimerDrain)
	s.want("FINISHED acknowledgement=1m0s output=10s") // the rest may still be copied
	s.tell(Acknowledged{taskID, mesos.TASK_FINISHED}, OutputEnded{})
	s.want("Discard discard=10s")
	s.tell(Discarded{})
	s.want("exit=0")
}

func TestExitBeforeTheAnswerToStartIsSettledInBoundedTime(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toSeen...)
	s.tell(finished, OutputEnded{})
	s.did()
	s.wait(settleWait, TimerSettle)
	s.want("FINISHED acknowledgement=1m0s Discard")
}

func TestSecondTaskAndTaskGroupAreRefused(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(Launched{TaskID: taskID}, Launched{TaskID: "second"})
	s.want("STARTING FAILED")
	s.tell(GroupLaunched{TaskIDs: []string{"a", "b"}})
	s.want("ERROR ERROR")
	s.tell(Launched{TaskID: taskID}) // idempotent
	s.want("")
}

func TestKillBeforeLaunchEndsTheExecutor(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(killNow())
	s.want("KILLED acknowledgement=1m0s")
	s.tell(Launched{TaskID: taskID})
	s.want("")
	s.tell(Acknowledged{taskID, mesos.TASK_KILLED})
	s.want("exit=1")
}

func TestShutdownBeforeLaunchIsAPlainExit(t *testing.T) {
	for name, msg := range map[string]Message{"SHUTDOWN": ShutdownAsked{}, "signal": SignalReceived{"terminated"}, "lost": AgentLost{errors.New("gone")}} {
		t.Run(name, func(t *testing.T) {
			s := newScript(t, task.Plan{})
			s.tell(msg)
			if got := s.did(); !strings.HasSuffix(got, "exit=1") {
				t.Errorf("did %s", got)
			}
		})
	}
}

func TestSecondSignalKillsAtOnce(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.m.set.SignalGrace = time.Minute
	s.tell(toRun...)
	s.did()
	s.tell(SignalReceived{"interrupt"})
	s.want("KILLING kill_grace=1m0s StopInit")
	s.tell(SignalReceived{"interrupt"})
	s.want("SIGKILL kill_ladder=1s")
}

func TestShutdownAfterKillStillHasItsOwnGrace(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.tell(killIn(time.Minute))
	s.did()
	s.now = s.now.Add(10 * time.Second)
	s.tell(ShutdownAsked{})
	s.want("kill_grace=3s")
}

func TestKilledUpdateLeavesBeforeTheAgentsShutdownTimer(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.did()
	s.tell(ShutdownAsked{}) // the agent waits 5 s
	s.want("KILLING kill_grace=3s StopInit")
	s.wait(3*time.Second, TimerGrace)
	s.want("SIGKILL kill_ladder=1s")
	s.tell(InitDied{}) // its status does not come, nor does the end of the output
	s.want("settle=1s")
	s.wait(time.Second, TimerSettle)
	s.want("log_drain=500ms")
	s.wait(500*time.Millisecond, TimerDrain)
	s.want("KILLED acknowledgement=1m0s output=10s")
}

func TestOwnKillIsNotReportedAsAFailedStart(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toStart...)
	s.tell(killNow())
	s.did()
	refused := &engine.CallError{Call: "start", Outcome: engine.Refused, Err: errors.New("bind source path does not exist")}
	s.tell(Started{refused}, InitMissed{errors.New("not found")})
	s.want("KILLED acknowledgement=1m0s Discard")
}

func TestKillOfAMissedInitNeedsNoEngine(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toStart...)
	s.tell(Started{}, InitMissed{errors.New("not found")}, Inspected{Err: errors.New("mute")})
	s.did()
	s.tell(killNow())
	s.want("KILLING RevokeLease KillLeaf SignalByEngine settle=10s kill_ladder=1s")
	s.tell(LeafKilled{})
	s.want("")
	s.wait(settleWait, TimerSettle)
	s.tell(OutputEnded{})
	s.want("log_drain=2s KILLED acknowledgement=1m0s Discard")
}

func TestSignalledExecutorDoesNotLeaveItsContainer(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.tell(SignalReceived{"terminated"}, died)
	s.did()
	s.wait(2*time.Second, TimerDrain) // nobody reads the output
	s.want("KILLED acknowledgement=5s output=2s")
	s.tell(Acknowledged{taskID, mesos.TASK_KILLED})
	s.want("")
	s.wait(2*time.Second, TimerOutput)
	s.want("GiveUpOutput Discard discard=5s")
	s.wait(5*time.Second, TimerDiscard)
	s.want("exit=0")
}

func TestLostAgentIsGivenTimeForTheLastUpdate(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toRun...)
	s.tell(AgentLost{errors.New("recovery timeout")})
	s.did()
	s.tell(died, OutputEnded{}, Discarded{})
	s.want("log_drain=2s KILLED acknowledgement=5s Discard")
	s.tell(AgentGone{})
	s.want("exit=1")
}

// runc makes its first processes after the leaf was found empty. Without the lease they don't become the program, but nothing of the
// container is to be alive at the terminal update.
func TestKilledTaskWaitsForAStartThatIsUnderWay(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toStart...)
	s.did()
	s.tell(killNow(), LeafKilled{})
	s.want("KILLING RevokeLease KillLeaf kill_ladder=1s settle=1s")
	s.tell(InitSeen{PID: 42})
	if did := s.did(); strings.Contains(did, "KILLED") || !strings.Contains(did, "SIGKILL") {
		t.Errorf("with an init alive: %s", did)
	}
	s.wait(settleKilled, TimerSettle)
	s.want("")
	s.tell(died, Started{errors.New("killed")}, OutputEnded{})
	if did := s.did(); !strings.Contains(did, "KILLED") {
		t.Errorf("when it is dead: %s", did)
	}
}

func TestLateAnswersAfterTheEndChangeNothing(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toStart...)
	s.tell(killNow(), LeafKilled{})
	s.wait(settleKilled, TimerSettle)
	s.did()
	s.tell(Started{errors.New("late")}, InitMissed{}, WaitEnded{}, ImageReady{}, Created{})
	s.want("")
}

func TestGraces(t *testing.T) {
	ms := func(n int) *time.Duration { d := time.Duration(n) * time.Millisecond; return &d }
	for _, test := range []struct {
		override, task *time.Duration
		host           time.Duration
		kill, shut     time.Duration
	}{
		{nil, nil, 5 * time.Second, 5 * time.Second, 3 * time.Second},
		{nil, ms(10000), 12 * time.Second, 10 * time.Second, 10 * time.Second},
		{nil, ms(1000), 5 * time.Second, time.Second, time.Second},
		{ms(0), ms(10000), 5 * time.Second, 0, 3 * time.Second},
		{ms(-5), nil, time.Second, 0, 500 * time.Millisecond},
		{nil, nil, 0, 0, 0},
	} {
		if got := killGrace(test.override, test.task, test.host); got != test.kill {
			t.Errorf("killGrace(%v, %v, %v) = %v, want %v", test.override, test.task, test.host, got, test.kill)
		}
		if got := atMost(ShutdownGrace(test.host), test.task); got != test.shut {
			t.Errorf("grace after a SHUTDOWN with %v, %v is %v, want %v", test.task, test.host, got, test.shut)
		}
	}
}

func TestJudge(t *testing.T) {
	kernel := func(s unix.WaitStatus) *InitExited {
		return &InitExited{Status: s, Known: true, Proven: true, Source: "kernel"}
	}
	zombie := func(s unix.WaitStatus) *InitExited { return &InitExited{Status: s, Known: true, Source: "zombie"} }
	wait := func(code int) *WaitEnded { return &WaitEnded{Code: code} }
	account := func(change func(*engine.Container)) *ExitInspected {
		c := engine.Container{Status: "exited", StartedAt: epoch}
		change(&c)
		return &ExitInspected{Container: c}
	}
	same := func(*engine.Container) {}
	for _, test := range []struct {
		name string
		e    Evidence
		want string
	}{
		{"kernel", Evidence{Init: kernel(7 << 8)}, "Container exited with status 7"},
		{"kernel, signal", Evidence{Init: kernel(9)}, "Container exited with status 137 (SIGKILL)"},
		{"kernel against a false 0", Evidence{Init: kernel(9 << 8), Wait: wait(0), Inspect: account(same)}, "Container exited with status 9"},
		{"zombie", Evidence{Init: zombie(7 << 8)}, "Container exited with status 7"},
		{"zombie's 0 alone", Evidence{Init: zombie(0)}, "unknown"},
		{"zombie's 0 and docker, twice", Evidence{Init: zombie(0), Wait: wait(0), Inspect: account(same)}, "Container exited with status 0"},
		{"docker, twice", Evidence{Wait: wait(0), Inspect: account(same)}, "Container exited with status 0"},
		{"wait alone", Evidence{Wait: wait(0)}, "unknown"},
		{"inspect alone", Evidence{Inspect: account(same)}, "unknown"},
		{"shim", Evidence{Init: zombie(0), Shim: &ShimTold{Code: 3}}, "Container exited with status 3"},
		{"shim's 0", Evidence{Init: &InitExited{}, Shim: &ShimTold{}}, "Container exited with status 0"},
		{"shim without an answer", Evidence{Init: zombie(0), Shim: &ShimTold{Err: errors.New("gone")}}, "unknown"},
		{"kernel before shim", Evidence{Init: kernel(9), Shim: &ShimTold{Code: 137}}, "Container exited with status 137 (SIGKILL)"},
		{"a wait after a break", Evidence{Wait: &WaitEnded{Again: true}, Inspect: account(same)}, "unknown"},
		{"an exit at another time than the death", Evidence{Init: zombie(0), DiedAt: epoch, Wait: wait(0),
			Inspect: account(func(c *engine.Container) { c.FinishedAt = epoch.Add(time.Hour) })}, "unknown"},
		{"an exit at the time of the death", Evidence{Init: zombie(0), DiedAt: epoch, Wait: wait(0),
			Inspect: account(func(c *engine.Container) { c.FinishedAt = epoch.Add(time.Millisecond) })}, "Container exited with status 0"},
		{"broken wait", Evidence{Wait: &WaitEnded{Err: errors.New("EOF")}, Inspect: account(same)}, "unknown"},
		{"never started", Evidence{Wait: wait(0), Inspect: account(func(c *engine.Container) { c.Status, c.StartedAt = "created", time.Time{} })}, "unknown"},
		{"still running", Evidence{Wait: wait(0), Inspect: account(func(c *engine.Container) { c.Status, c.Running = "running", true })}, "unknown"},
		{"an error of the daemon", Evidence{Wait: wait(0), Inspect: account(func(c *engine.Container) { c.Error = "no space left" })}, "unknown"},
		{"codes differ", Evidence{Wait: wait(0), Inspect: account(func(c *engine.Container) { c.ExitCode = 9 })}, "unknown"},
		{"nothing", Evidence{}, "unknown"},
	} {
		if got := Judge(test.e).String(); !strings.Contains(got, test.want) {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
		if v := Judge(test.e); strings.Contains(test.want, "unknown") && v.Known {
			t.Errorf("%s: believed %d of %s", test.name, v.Code, v.Source)
		}
	}
}
