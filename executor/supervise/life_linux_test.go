package supervise

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/admission"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/session"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security"
	"mesos-docker-executor/storage"
)

// docker is the private engine that all tests of this package share.
var docker *enginetest.Engine

func TestMain(m *testing.M) {
	status := enginetest.Run(context.Background(), m, func(e *enginetest.Engine) { docker = e })
	removeCgroupRoot()
	os.Exit(status)
}

// removeCgroupRoot removes the empty folders that executors leave for each other.
func removeCgroupRoot() {
	hierarchies, _ := cgroupnet.Hierarchies()
	for _, h := range hierarchies {
		os.Remove(filepath.Join(h.Dir, cgroupRoot, "00000000"))
		os.Remove(filepath.Join(h.Dir, cgroupRoot))
	}
}

// cgroupRoot is above the leaves of these tests.
const cgroupRoot = "/mesos-docker-executor-test-supervise"

// soonEnough bounds every wait of these tests: a hang is a failure.
const soonEnough = time.Minute

// life is one task's life under [Run], with an agent of channels.
type life struct {
	t           *testing.T
	containerID string
	sandbox     string
	runDir      string
	stdout      string // file
	stderr      string
	log         *syncBuffer
	signals     chan os.Signal
	events      chan session.Event
	statuses    chan mesos.TaskStatus
	exit        chan int
	engine      *engine.Engine
	cancel      context.CancelFunc

	noAck  bool
	inputs task.Inputs // of the decision
}

type lifeOption func(*life, *Options)

func withHost(host string) lifeOption {
	return func(l *life, o *Options) { o.Engine = openEngine(l.t, host) }
}

func withStdout(w io.Writer) lifeOption {
	return func(_ *life, o *Options) { o.Stdout = NewSink(w) }
}

func withoutAcks() lifeOption { return func(l *life, _ *Options) { l.noAck = true } }

func openEngine(t *testing.T, host string) *engine.Engine {
	t.Helper()
	e, err := engine.Open(host, engine.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// begin starts the executor's inner half, subscribed, without a task.
func begin(t *testing.T, options ...lifeOption) *life {
	t.Helper()
	id := uuid.NewString()
	dir := t.TempDir()
	l := &life{
		t:           t,
		containerID: id,
		sandbox:     filepath.Join(dir, "sandbox"),
		runDir:      filepath.Join(dir, "run"),
		stdout:      filepath.Join(dir, "stdout"),
		stderr:      filepath.Join(dir, "stderr"),
		log:         &syncBuffer{},
		signals:     make(chan os.Signal, 1),
		events:      make(chan session.Event, 16),
		statuses:    make(chan mesos.TaskStatus, 64),
		exit:        make(chan int, 1),
	}
	if err := os.Mkdir(l.sandbox, 0o755); err != nil {
		t.Fatal(err)
	}
	o := Options{
		Agent:       l,
		Engine:      openEngine(t, docker.Host),
		Gate:        admission.New(admission.Options{Dir: filepath.Join(dir, "run", "engine"), Engine: docker.Host, MaxStarts: 16, MaxPulls: 8}),
		LaunchWait:  time.Second,
		Storage:     storage.DefaultSettings(),
		Signals:     l.signals,
		Mode:        task.Custom,
		CgroupRoot:  cgroupRoot,
		RunDir:      l.runDir,
		Sandbox:     l.sandbox,
		ContainerID: id,
		Stdout:      NewSink(create(t, l.stdout)),
		Stderr:      NewSink(create(t, l.stderr)),
		Log:         slog.New(slog.NewTextHandler(l.log, nil)),
		Say:         func(line string) { fmt.Fprintln(l.log, line) },
	}
	l.inputs = task.Inputs{
		Mode:          task.DropIn,
		ContainerID:   id,
		ContainerName: "mesosx-" + id,
		Sandbox:       l.sandbox,
		SandboxSource: LeasePath(l.runDir, id),
	}
	o.Settings = Settings{
		ContainerID:   id,
		ShutdownGrace: 5 * time.Second,
		KillGrace:     5 * time.Second,
		LogDrain:      2 * time.Second,
		ReviewImage:   func(engine.Image, *task.Plan) *task.Refusal { return nil },
		Decide: func(raw []byte, _ mesos.FrameworkInfo) task.Decision {
			return task.Decide(raw, l.inputs, security.BuiltIn())
		},
	}
	for _, option := range options {
		option(l, &o)
	}
	l.engine = o.Engine
	ctx, cancel := context.WithCancel(context.Background())
	l.cancel = cancel
	go func() { l.exit <- Run(ctx, o) }()
	l.say(session.Subscribed{ContainerID: id, Framework: mesos.FrameworkInfo{Capabilities: []mesos.FrameworkInfo_Capability{
		{Type: mesos.FrameworkInfo_Capability_TASK_KILLING_STATE},
	}}})
	t.Cleanup(l.end)
	return l
}

func create(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// end stops a life that a failed test left behind, and prints its log then.
func (l *life) end() {
	l.cancel()
	if l.t.Failed() {
		l.t.Logf("executor's log:\n%s", l.log)
	}
}

// Events implements Agent.
func (l *life) Events() <-chan session.Event { return l.events }

// Update implements Agent: it acknowledges at once.
func (l *life) Update(s mesos.TaskStatus) {
	l.statuses <- s
	if !l.noAck {
		l.events <- session.Acknowledged{TaskID: s.TaskID.Value, State: s.GetState()}
	}
}

func (l *life) say(ev session.Event) { l.events <- ev }

// launch sends the task described by the JSON of a TaskInfo.
func (l *life) launch(info string) {
	l.t.Helper()
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

// exits waits for the executor's exit status and checks that nothing of the task is left.
func (l *life) exits(want int) {
	l.t.Helper()
	select {
	case got := <-l.exit:
		if got != want {
			l.t.Errorf("exit status %d, want %d", got, want)
		}
	case <-time.After(2 * soonEnough):
		l.t.Fatal("the executor does not exit")
	}
	if left := len(l.statuses); left > 0 {
		next := <-l.statuses
		l.t.Errorf("%d more updates, the first %v", left, next.GetState())
	}
	l.nothingLeft()
}

func (l *life) nothingLeft() {
	l.t.Helper()
	for _, folder := range []string{"leases", "mounts", "tasks"} {
		if entries, err := os.ReadDir(filepath.Join(l.runDir, folder)); err == nil && len(entries) > 0 {
			l.t.Errorf("left behind in %s: %s", folder, entries[0].Name())
		}
	}
	e := openEngine(l.t, docker.Host)
	if _, err := e.Probe(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	if c, err := e.Inspect(l.t.Context(), "mesosx-"+l.containerID); err == nil {
		l.t.Errorf("container left behind: %s", c.Status)
	}
	hierarchies, err := cgroupnet.Hierarchies()
	if err != nil {
		l.t.Fatal(err)
	}
	for _, h := range hierarchies {
		if left, _ := filepath.Glob(filepath.Join(h.Dir, cgroupRoot, "*", l.containerID)); len(left) > 0 {
			l.t.Errorf("cgroup left behind: %s", left[0])
		}
	}
}

// busybox is a task that runs a shell command. extra are more fields of the TaskInfo.
func busybox(command string, extra ...string) string {
	return taskJSON(fmt.Sprintf(`{"shell": true, "value": %q}`, command), enginetest.Image, extra...)
}

func taskJSON(command, image string, extra ...string) string {
	return fmt.Sprintf(`{
		"name": "test", "task_id": {"value": "task-1"}, "agent_id": {"value": "agent-1"},
		"resources": [
			{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
			{"name": "mem", "type": "SCALAR", "scalar": {"value": 64}}],
		"command": %s,
		"container": {"type": "DOCKER", "docker": {"image": %q, "network": "NONE"}}%s
	}`, command, image, strings.Join(append([]string{""}, extra...), ", "))
}

func kill(l *life, grace time.Duration) {
	l.say(session.Kill{TaskID: "task-1", Grace: &grace})
}

// syncBuffer is a bytes.Buffer for several goroutines.
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

func TestExecutorCalmsDownOnceTheTaskRuns(t *testing.T) {
	calmed := make(chan struct{}, 2)
	l := begin(t, func(_ *life, o *Options) { o.Calm = func() { calmed <- struct{}{} } })
	l.launch(busybox("exec sleep 1000"))
	l.await(mesos.TASK_STARTING)
	if len(calmed) > 0 {
		t.Error("calm before the task runs")
	}
	l.await(mesos.TASK_RUNNING)
	select {
	case <-calmed:
	case <-time.After(soonEnough):
		t.Error("not calm although the task runs")
	}
	kill(l, 0)
	l.await(mesos.TASK_KILLING)
	l.await(mesos.TASK_KILLED)
	l.exits(0)
	if len(calmed) > 0 {
		t.Error("calm twice")
	}
}
