package endtoend

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/localagent"
	"mesos-docker-executor/executor/task"
)

var (
	binary string             // the executor, built with the race detector
	docker *enginetest.Engine // shared by all tests of this package
)

// patience bounds every run: a hang is a failure.
const patience = 2 * time.Minute

func TestMain(m *testing.M) {
	if os.Getenv(forwarding) != "" {
		os.Exit(forward())
	}
	os.Exit(mainStatus(m))
}

func mainStatus(m *testing.M) int {
	dir, err := os.MkdirTemp("", "endtoend-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "mesos-docker-executor")
	build := exec.Command("go", "build", "-race", "-buildvcs=false", "-o", binary, "mesos-docker-executor/executor")
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "go build: %v\n%s", err, out)
		return 1
	}
	return enginetest.Run(context.Background(), m, func(e *enginetest.Engine) { docker = e })
}

var modes = []localagent.Mode{localagent.DropIn, localagent.Custom}

// run is one executor under an embedded agent.
type run struct {
	*localagent.Agent
	t      *testing.T
	mode   localagent.Mode
	ctx    context.Context
	runDir string // config.yaml's run_directory
}

// prepare opens an agent for a task; change may adjust its options.
func prepare(t *testing.T, mode localagent.Mode, info mesos.TaskInfo, change ...func(*localagent.Options)) *run {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	o := localagent.Options{
		Mode:          mode,
		Task:          info,
		Executable:    binary,
		DockerSocket:  docker.Socket,
		StopContainer: stopContainer,
		// A race-instrumented executor on a loaded machine needs longer than an agent's 2 s.
		ReregistrationTimeout: 5 * time.Second,
	}
	runDir := filepath.Join(t.TempDir(), "run")
	o.Arguments = []string{"--config=" + configFile(t, runDir)}
	if mode == localagent.Custom {
		o.Arguments = append([]string{"run"}, o.Arguments...)
	}
	for _, c := range change {
		c(&o)
	}
	agent, err := localagent.Start(ctx, o)
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	r := &run{Agent: agent, t: t, mode: mode, ctx: ctx, runDir: runDir}
	t.Cleanup(func() {
		defer cancel()
		r.report()
		if err := agent.Close(); err != nil {
			t.Errorf("agent: %v", err)
		}
	})
	return r
}

// launch starts the executor of a prepared run.
func launch(t *testing.T, mode localagent.Mode, info mesos.TaskInfo, change ...func(*localagent.Options)) *run {
	t.Helper()
	r := prepare(t, mode, info, change...)
	r.start()
	return r
}

func (r *run) start() {
	r.t.Helper()
	if err := r.StartExecutor(); err != nil {
		r.t.Fatal(err)
	}
}

// report prints what a reader of a failure needs, and fails for breaches of the protocol.
func (r *run) report() {
	for _, v := range r.Violations() {
		r.t.Errorf("protocol: %s", v)
	}
	if !r.t.Failed() {
		return
	}
	var timeline strings.Builder
	for _, e := range r.Timeline() {
		fmt.Fprintf(&timeline, "%s %s\n", e.At.Format("05.000"), e)
	}
	r.t.Logf("%s timeline:\n%s\nstderr:\n%s\nlog:\n%s", r.mode, timeline.String(), r.file("stderr"), r.file("mesos-docker-executor.log"))
}

func (r *run) file(name string) string {
	data, _ := os.ReadFile(filepath.Join(r.Sandbox(), name))
	return string(data)
}

func (r *run) state(want mesos.TaskState) mesos.TaskStatus {
	r.t.Helper()
	s, err := r.WaitState(r.ctx, want)
	if err != nil {
		r.t.Fatalf("waiting for %v: %v", want, err)
	}
	return s
}

// ends waits for the terminal status and the executor's exit.
func (r *run) ends(want mesos.TaskState, exit int) mesos.TaskStatus {
	r.t.Helper()
	s, err := r.WaitTerminal(r.ctx)
	if err != nil {
		r.t.Fatalf("waiting for the terminal status: %v", err)
	}
	if s.GetState() != want {
		r.t.Fatalf("%v (%v: %s), want %v", s.GetState(), s.GetReason(), s.GetMessage(), want)
	}
	r.exits(exit)
	return s
}

func (r *run) exits(want int) {
	r.t.Helper()
	state, err := r.WaitExit(r.ctx)
	if err != nil {
		r.t.Fatalf("waiting for the executor's exit: %v", err)
	}
	if state.ExitCode() != want {
		r.t.Errorf("exit status %d, want %d", state.ExitCode(), want)
	}
}

// sequence is the states that a framework was told, each update once.
func (r *run) sequence() string {
	var states []string
	for _, s := range r.Statuses() {
		states = append(states, strings.TrimPrefix(s.GetState().String(), "TASK_"))
	}
	return strings.Join(states, " ")
}

func (r *run) wantSequence(want string) {
	r.t.Helper()
	if got := r.sequence(); got != want {
		r.t.Errorf("states %s, want %s", got, want)
	}
}

// containerName is what the container of this run is called.
func (r *run) containerName() string {
	if r.mode == localagent.DropIn {
		return r.ContainerName()
	}
	return "mesosx-" + r.IDs().ContainerID
}

// nothingLeft checks that container, lease and leaf are gone.
func (r *run) nothingLeft() {
	r.t.Helper()
	if c, err := client(r.t).Inspect(r.ctx, r.containerName()); err == nil {
		r.t.Errorf("container left behind: %s", c.Status)
	}
	id := r.IDs().ContainerID
	for _, folder := range []string{"leases", "mounts", "tasks"} {
		if left, _ := filepath.Glob(filepath.Join(r.runDir, folder, "*")); len(left) > 0 {
			r.t.Errorf("left behind: %s", left[0])
		}
	}
	hierarchies, err := cgroupnet.Hierarchies()
	if err != nil {
		r.t.Fatal(err)
	}
	for _, h := range hierarchies {
		for _, pattern := range []string{"mesos-docker-executor/*/" + id, "mesos/" + id + "/task"} {
			if left, _ := filepath.Glob(filepath.Join(h.Dir, pattern)); len(left) > 0 {
				r.t.Errorf("cgroup left behind: %s", left[0])
			}
		}
	}
}

// client is a probed client of the shared engine.
func client(t *testing.T) *engine.Engine {
	t.Helper()
	e, err := engine.Open(docker.Host, engine.DefaultLimits())
	if err == nil {
		_, err = e.Probe(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// stopContainer is what the Docker containerizer does after the executor's end: `docker stop -t 0`.
func stopContainer(ctx context.Context, name string) error {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", docker.Socket)
	}}
	defer transport.CloseIdleConnections()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://docker/v1.41/containers/"+name+"/stop?t=0", nil)
	if err != nil {
		return err
	}
	answer, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	answer.Body.Close()
	return nil
}

// configFile is a config.yaml that names the shared engine and a run directory.
func configFile(t *testing.T, runDir string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "config.yaml")
	text := fmt.Sprintf("version: 1\nengine:\n  host: %s\nrun_directory: %s\ngc:\n  directory: %s/images\n", docker.Host, runDir, runDir)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// taskFile reads one of the repository's task files.
func taskFile(t *testing.T, name string) mesos.TaskInfo {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "testdata", "tasks", name))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(data))
}

func parse(t *testing.T, info string) mesos.TaskInfo {
	t.Helper()
	parsed, err := task.FromJSON([]byte(info))
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// shell is a task that runs a shell command; extra are more fields of the TaskInfo.
func shell(t *testing.T, command string, extra ...string) mesos.TaskInfo {
	t.Helper()
	return parse(t, withCommand(fmt.Sprintf(`{"shell": true, "value": %q}`, command), enginetest.Image, extra...))
}

func withCommand(command, image string, extra ...string) string {
	return fmt.Sprintf(`{
		"name": "test", "task_id": {"value": "task-1"}, "agent_id": {"value": "agent-1"},
		"resources": [
			{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
			{"name": "mem", "type": "SCALAR", "scalar": {"value": 64}}],
		"command": %s,
		"container": {"type": "DOCKER", "docker": {"image": %q, "network": "NONE"}}%s
	}`, command, image, strings.Join(append([]string{""}, extra...), ", "))
}

// await polls a condition that other processes bring about.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(patience)
	for !condition() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (r *run) awaitOutput(want string) {
	r.t.Helper()
	await(r.t, "stdout to hold "+want, func() bool { return bytes.Contains([]byte(r.file("stdout")), []byte(want)) })
}

// inBothModes runs a test in drop-in and in custom mode.
func inBothModes(t *testing.T, test func(t *testing.T, mode localagent.Mode)) {
	for _, mode := range modes {
		t.Run(string(mode), func(t *testing.T) { test(t, mode) })
	}
}

// inEngineNetwork runs a busybox applet in the engine's network namespace and returns what it prints.
func inEngineNetwork(t *testing.T, args ...string) string {
	t.Helper()
	command := append([]string{"-t", fmt.Sprint(docker.PID), "-n", "busybox"}, args...)
	out, _ := exec.CommandContext(t.Context(), "nsenter", command...).Output()
	return string(out)
}

func owner(t *testing.T, path string) uint32 {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Sys().(*syscall.Stat_t).Uid
}
