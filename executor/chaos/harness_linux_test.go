package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"golang.org/x/sys/unix"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/admission"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/session"
	"mesos-docker-executor/executor/supervise"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security"
	"mesos-docker-executor/storage"
)

const (
	// cgroupRoot is above the leaves of these tests.
	cgroupRoot = "/mesos-docker-executor-test-chaos"
	// soonEnough bounds every wait of these tests: a hang is a failure.
	soonEnough = time.Minute
	// promptly is the bound of what has to be quick although the engine hangs. On a quiet machine it takes a tenth.
	promptly = 5 * time.Second
	taskID   = "task-1"
)

// life is one task's life, with an agent of channels that acknowledges at once.
type life struct {
	t           testing.TB
	containerID string
	sandbox     string
	runDir      string
	stdout      string // file
	log         *syncBuffer
	signals     chan os.Signal
	events      chan session.Event
	statuses    chan mesos.TaskStatus
	exit        chan int
	engine      *engine.Engine
	seen        func(mesos.TaskStatus) // see settings
	cancel      context.CancelFunc
	inputs      task.Inputs

	mu       sync.Mutex
	terminal []mesos.TaskStatus // guarded by mu
	ended    time.Time          // of the first terminal update; guarded by mu
}

// settings are what a test may change of a life before it begins.
type settings struct {
	host   string // of the engine: its own, or a proxy's
	runDir string // shared with other lives; "" = one of its own
	limits engine.Limits
	wait   time.Duration          // launch_wait
	fit    storage.Settings       // what storage has to be like; by default no room is needed
	seen   func(mesos.TaskStatus) // called with each update before it is acknowledged; nil: nothing
}

// anyRoom is for engines whose disk is as small or as full as a test needs it.
func anyRoom() storage.Settings {
	s := storage.DefaultSettings()
	s.Thresholds = storage.Thresholds{}
	return s
}

// quickLimits are the limits of calls, so short that a test can wait for them.
func quickLimits() engine.Limits {
	l := engine.DefaultLimits()
	l.Ping, l.Info, l.ImageInspect = time.Second, 2*time.Second, 2*time.Second
	l.Create, l.Start, l.Inspect, l.InspectPoll = 2*time.Second, 2*time.Second, 2*time.Second, time.Second
	l.Signal, l.Kill, l.Remove, l.Attach, l.List = time.Second, time.Second, 3*time.Second, 2*time.Second, 3*time.Second
	return l
}

// begin starts the executor's inner half, subscribed, without a task.
func begin(t testing.TB, host string, changes ...func(*settings)) *life {
	t.Helper()
	dir := t.TempDir()
	set := settings{host: host, runDir: filepath.Join(dir, "run"), limits: quickLimits(), wait: 2 * time.Second, fit: anyRoom()}
	for _, change := range changes {
		change(&set)
	}
	if set.seen == nil {
		set.seen = func(mesos.TaskStatus) {}
	}
	id := uuid.NewString()
	l := &life{
		t:           t,
		containerID: id,
		sandbox:     filepath.Join(dir, "sandbox-"+id),
		runDir:      set.runDir,
		stdout:      filepath.Join(dir, "stdout-"+id),
		log:         &syncBuffer{},
		signals:     make(chan os.Signal, 1),
		events:      make(chan session.Event, 64),
		statuses:    make(chan mesos.TaskStatus, 64),
		exit:        make(chan int, 1),
		seen:        set.seen,
	}
	if err := os.Mkdir(l.sandbox, 0o755); err != nil {
		t.Fatal(err)
	}
	stdout, err := os.Create(l.stdout)
	if err != nil {
		t.Fatal(err)
	}
	l.engine, err = engine.Open(set.host, set.limits)
	if err != nil {
		t.Fatal(err)
	}
	l.inputs = task.Inputs{
		Mode:          task.DropIn,
		ContainerID:   id,
		ContainerName: "mesosx-" + id,
		Sandbox:       l.sandbox,
		SandboxSource: supervise.LeasePath(l.runDir, id),
	}
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	o := l.options(set, stdout)
	go func() {
		status := supervise.Run(ctx, o)
		stdout.Close()
		l.exit <- status
	}()
	l.say(session.Subscribed{ContainerID: id, Framework: mesos.FrameworkInfo{Capabilities: []mesos.FrameworkInfo_Capability{
		{Type: mesos.FrameworkInfo_Capability_TASK_KILLING_STATE},
	}}})
	t.Cleanup(func() {
		cancel()
		if t.Failed() {
			t.Logf("executor's log:\n%s", l.log)
		}
	})
	return l
}

func (l *life) options(set settings, stdout *os.File) supervise.Options {
	return supervise.Options{
		Settings: supervise.Settings{
			ContainerID:   l.containerID,
			ShutdownGrace: 5 * time.Second,
			KillGrace:     5 * time.Second,
			LogDrain:      2 * time.Second,
			ReviewImage:   func(engine.Image, *task.Plan) *task.Refusal { return nil },
			Decide: func(raw []byte, _ mesos.FrameworkInfo) task.Decision {
				return task.Decide(raw, l.inputs, security.BuiltIn())
			},
		},
		Agent:  l,
		Engine: l.engine,
		Gate: admission.New(admission.Options{
			Dir: filepath.Join(l.runDir, "engine"), Engine: set.host, MaxStarts: 16, MaxPulls: 8,
		}),
		LaunchWait:  set.wait,
		Storage:     set.fit,
		Signals:     l.signals,
		Mode:        task.Custom,
		CgroupRoot:  cgroupRoot,
		RunDir:      l.runDir,
		Sandbox:     l.sandbox,
		ContainerID: l.containerID,
		Stdout:      supervise.NewSink(stdout),
		Stderr:      supervise.NewSink(l.log),
		Log:         slog.New(slog.NewTextHandler(l.log, nil)),
		Say:         func(line string) { fmt.Fprintln(l.log, line) },
	}
}

// Events implements supervise.Agent.
func (l *life) Events() <-chan session.Event { return l.events }

// Update implements supervise.Agent.
func (l *life) Update(s mesos.TaskStatus) {
	l.seen(s)
	switch s.GetState() {
	case mesos.TASK_STARTING, mesos.TASK_RUNNING, mesos.TASK_KILLING:
	default:
		l.mu.Lock()
		if len(l.terminal) == 0 {
			l.ended = time.Now()
		}
		l.terminal = append(l.terminal, s)
		l.mu.Unlock()
	}
	l.statuses <- s
	l.events <- session.Acknowledged{TaskID: s.TaskID.Value, State: s.GetState()}
}

func (l *life) say(ev session.Event) { l.events <- ev }

// launch runs a shell command in busybox; docker are further members of the TaskInfo's DockerInfo.
func (l *life) launch(command string, docker ...string) {
	l.t.Helper()
	l.launchImage(enginetest.Image, command, docker...)
}

func (l *life) launchImage(image, command string, docker ...string) {
	l.t.Helper()
	quoted, err := json.Marshal(command)
	if err != nil {
		l.t.Fatal(err)
	}
	more := append([]string{fmt.Sprintf(`"image": %q`, image), `"network": "NONE"`}, docker...)
	info := fmt.Sprintf(`{
		"name": "test", "task_id": {"value": %q}, "agent_id": {"value": "agent-1"},
		"resources": [
			{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
			{"name": "mem", "type": "SCALAR", "scalar": {"value": 64}}],
		"command": {"shell": true, "value": %s},
		"container": {"type": "DOCKER", "docker": {%s}}
	}`, taskID, quoted, strings.Join(more, ", "))
	parsed, err := task.FromJSON([]byte(info))
	if err != nil {
		l.t.Fatalf("task: %v", err)
	}
	raw, err := parsed.Marshal()
	if err != nil {
		l.t.Fatal(err)
	}
	l.say(session.Launch{Task: parsed, Raw: raw})
}

func (l *life) kill(grace time.Duration) { l.say(session.Kill{TaskID: taskID, Grace: &grace}) }

// await returns the next update, which must be of this state.
func (l *life) await(state mesos.TaskState) mesos.TaskStatus {
	l.t.Helper()
	select {
	case s := <-l.statuses:
		if s.GetState() != state {
			l.t.Fatalf("update %v (%v: %s), want %v", s.GetState(), s.GetReason(), s.GetMessage(), state)
		}
		return s
	case <-time.After(soonEnough):
		l.t.Fatalf("no %v within %v", state, soonEnough)
	}
	panic("unreachable")
}

// ends returns the terminal update, whatever it is.
func (l *life) ends() mesos.TaskStatus {
	l.t.Helper()
	deadline := time.After(soonEnough)
	for {
		select {
		case s := <-l.statuses:
			switch s.GetState() {
			case mesos.TASK_STARTING, mesos.TASK_RUNNING, mesos.TASK_KILLING:
			default:
				return s
			}
		case <-deadline:
			l.t.Fatalf("no terminal update within %v", soonEnough)
		}
	}
}

// fails waits for TASK_FAILED, whose message must hold all parts.
func (l *life) fails(parts ...string) mesos.TaskStatus {
	l.t.Helper()
	failed := l.await(mesos.TASK_FAILED)
	for _, part := range parts {
		if !strings.Contains(failed.GetMessage(), part) {
			l.t.Errorf("%q lacks %q", failed.GetMessage(), part)
		}
	}
	return failed
}

// failsToLaunch is fails for a task of which no program ran.
func (l *life) failsToLaunch(parts ...string) {
	l.t.Helper()
	if failed := l.fails(parts...); failed.GetReason() != mesos.REASON_CONTAINER_LAUNCH_FAILED {
		l.t.Errorf("reason %v: %q", failed.GetReason(), failed.GetMessage())
	}
}

// quiet checks that for a while no update comes.
func (l *life) quiet() {
	l.t.Helper()
	select {
	case s := <-l.statuses:
		l.t.Fatalf("update %v (%s) although the container runs", s.GetState(), s.GetMessage())
	case <-time.After(500 * time.Millisecond):
	}
}

// running launches the command and waits until it has said "ready".
func (l *life) running(command string) {
	l.t.Helper()
	l.launch(command)
	l.await(mesos.TASK_STARTING)
	l.await(mesos.TASK_RUNNING)
	l.wrote("ready\n")
}

// wrote waits until the container's stdout holds the text.
func (l *life) wrote(text string) {
	l.t.Helper()
	until(l.t, "stdout to hold "+text, func() bool {
		got, _ := os.ReadFile(l.stdout)
		return strings.Contains(string(got), text)
	})
}

// exits waits for the executor's end and returns its exit status.
func (l *life) exits() int {
	l.t.Helper()
	select {
	case status := <-l.exit:
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.terminal) != 1 {
			l.t.Errorf("%d terminal updates: %v", len(l.terminal), l.terminal)
		}
		l.engine.Close()
		return status
	case <-time.After(2 * soonEnough):
		l.t.Fatal("the executor does not exit")
	}
	panic("unreachable")
}

// until polls a condition that other processes bring about.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(soonEnough)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// syncBuffer is a buffer for several goroutines.
type syncBuffer struct {
	mu  sync.Mutex
	buf strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// signal sends SIGUSR1 to the container's init, without the engine.
func (l *life) signal() error {
	l.t.Helper()
	return unix.Kill(l.init(), unix.SIGUSR1)
}

// init returns the process id of the container's init.
func (l *life) init() int {
	l.t.Helper()
	if pid := l.initOrNone(); pid > 0 {
		return pid
	}
	l.t.Fatal("the container has no init")
	panic("unreachable")
}

// initOrNone is init, or 0 when there is none.
func (l *life) initOrNone() int {
	alive, _ := l.leaf().Processes()
	for _, p := range alive {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID))
		for line := range strings.Lines(string(text)) {
			if ids, ok := strings.CutPrefix(line, "NSpid:"); ok && strings.HasSuffix(strings.TrimSpace(ids), "\t1") {
				return p.PID
			}
		}
	}
	return 0
}

// dockerID returns the id of the container, by the cgroup of its init.
func (l *life) dockerID() string {
	l.t.Helper()
	groups, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", l.init()))
	if err != nil {
		l.t.Fatal(err)
	}
	for line := range strings.Lines(string(groups)) {
		if _, id, ok := strings.Cut(strings.TrimSpace(line), l.containerID+"/"); ok {
			return id
		}
	}
	l.t.Fatalf("no cgroup of the container in\n%s", groups)
	panic("unreachable")
}
