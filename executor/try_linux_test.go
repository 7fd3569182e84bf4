package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/security/policyfile"
)

// TestTry runs the built program against a private engine.
func TestTry(t *testing.T) {
	engine, err := enginetest.Start(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Stop(); err != nil {
			t.Error(err)
		}
	})
	f := tryFixture{binary: buildExecutor(t), engine: engine}
	t.Run("hello finishes in both modes", f.hello)
	t.Run("kill-after makes killed a success", f.killAfter)
	t.Run("a task that fails", f.failure)
	t.Run("a task that is refused", f.refusal)
	t.Run("a policy of one's own", f.policy)
	t.Run("a principal and a role", f.identity)
	t.Run("class IDs", f.classes)
	t.Run("a host without net_cls", f.noNetCLS)
	t.Run("interrupts shut down, then destroy", f.interrupts)
	t.Run("timeout", f.timeout)
	t.Run("doctor", f.doctor)
	t.Run("no engine", f.noEngine)
	t.Run("a killed executor", f.killedExecutor)
	t.Run("a killed try", f.killedTry)
	t.Run("plain text in a pipe", f.plainText)
	t.Run("a reader that goes away", f.brokenPipe)
	t.Run("output that cannot be written", f.fullDisk)
	t.Run("faults", f.faults)
	t.Run("an engine that hangs at the end", f.frozen)
	t.Run("a sandbox that is kept", f.keep)
	t.Run("help on faults", f.faultHelp)
	t.Run("bad command lines", f.usage)
	t.Run("examples of the help text", f.examples)
}

func buildExecutor(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "mesos-docker-executor")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

type tryFixture struct {
	binary string
	engine *enginetest.Engine
}

// tried is what a run of try printed with --json.
type tried struct {
	exit   int
	lines  []jsonLine
	stderr string
}

func (r tried) states() string {
	var states []string
	for _, l := range r.lines {
		if l.Status != nil {
			states = append(states, strings.TrimPrefix(l.Status.State, "TASK_"))
		}
	}
	return strings.Join(states, " ")
}

func (r tried) logged(from, text string) bool {
	for _, l := range r.lines {
		if l.Log != nil && l.Log.From == from && strings.Contains(l.Log.Line, text) {
			return true
		}
	}
	return false
}

func (r tried) event(name string) bool {
	for _, l := range r.lines {
		if l.Event != nil && l.Event.Name == name {
			return true
		}
	}
	return false
}

// command makes a run of try whose leftovers are looked for at the end of the test.
func (f tryFixture) command(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	temp := t.TempDir()
	cmd := exec.CommandContext(t.Context(), f.binary, append([]string{"try"}, args...)...)
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+f.engine.Host, "TMPDIR="+temp)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Minute
	t.Cleanup(func() {
		if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
		ps := exec.Command("docker", "-H", f.engine.Host, "ps", "--all", "--quiet")
		if out, err := ps.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("containers left behind: %s, %v", out, err)
		}
	})
	return cmd
}

// json runs try --json to its end. see is called with each line as it is printed.
func (f tryFixture) json(t *testing.T, see func(*exec.Cmd, jsonLine), args ...string) tried {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := f.command(t, append(args, "--json")...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	var r tried
	scanner := bufio.NewScanner(out)
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var l jsonLine
		if err := json.Unmarshal(scanner.Bytes(), &l); err != nil {
			t.Errorf("line %q: %v", scanner.Text(), err)
		}
		r.lines = append(r.lines, l)
		if see != nil {
			see(cmd, l)
		}
	}
	r.exit = exitStatus(t, cmd.Wait())
	r.stderr = stderr.String()
	if len(r.lines) > 0 && r.lines[len(r.lines)-1].Result == nil {
		t.Errorf("the last line is no result: %+v", r.lines[len(r.lines)-1])
	}
	if r.event("protocol violation") {
		t.Errorf("the executor broke the protocol: %+v", r.lines)
	}
	return r
}

func exitStatus(t *testing.T, err error) int {
	t.Helper()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0
}

func (f tryFixture) hello(t *testing.T) {
	for _, mode := range []string{"drop-in", "custom"} {
		r := f.json(t, nil, "../testdata/tasks/hello.json", "--mode", mode)
		if r.exit != 0 || r.states() != "STARTING RUNNING FINISHED" {
			t.Errorf("%s: exit %d, states %s", mode, r.exit, r.states())
		}
		if !r.logged("stdout", "hello from a container, role demo") || !r.logged("stderr", "done") {
			t.Errorf("%s: the task's output is missing: %+v", mode, r.lines)
		}
	}
}

func (f tryFixture) killAfter(t *testing.T) {
	r := f.json(t, nil, "--kill-after", "2s", "../testdata/tasks/kill-me.json")
	if r.exit != 0 || !strings.HasSuffix(r.states(), "KILLING KILLED") || !r.event("KILL") {
		t.Errorf("exit %d, states %s", r.exit, r.states())
	}
}

// taskFile writes a task that runs a shell command.
func taskFile(t *testing.T, command string) string {
	t.Helper()
	text, err := json.Marshal(map[string]any{
		"name": "t", "task_id": map[string]any{"value": "t.1"},
		"resources": []any{
			map[string]any{"name": "cpus", "type": "SCALAR", "scalar": map[string]any{"value": 0.1}},
			map[string]any{"name": "mem", "type": "SCALAR", "scalar": map[string]any{"value": 64}},
		},
		"command":     map[string]any{"shell": true, "value": command},
		"container":   map[string]any{"type": "DOCKER", "docker": map[string]any{"image": enginetest.Image, "network": "NONE"}},
		"kill_policy": map[string]any{"grace_period": map[string]any{"nanoseconds": 60_000_000_000}},
	})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "task.json")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const stubborn = "trap '' TERM; echo begun; while true; do sleep 1; done"

func (f tryFixture) failure(t *testing.T) {
	r := f.json(t, nil, taskFile(t, "exit 7"))
	if r.exit != 1 || !strings.HasSuffix(r.states(), "FAILED") {
		t.Errorf("exit %d, states %s", r.exit, r.states())
	}
}

func (f tryFixture) refusal(t *testing.T) {
	r := f.json(t, nil, "../testdata/tasks/demo-refused.json")
	if r.exit != 1 || r.states() != "ERROR" || r.lines[len(r.lines)-1].Result.Reason != "REASON_TASK_UNAUTHORIZED" {
		t.Errorf("exit %d, states %s, %+v", r.exit, r.states(), r.lines)
	}
	out, err := f.command(t, "../testdata/tasks/demo-refused.json").CombinedOutput()
	if exitStatus(t, err) != 1 || !strings.Contains(string(out), "\n"+strings.Repeat(" ", 24)+"(2) ") ||
		!strings.Contains(string(out), "TASK_ERROR, exit status 1: REASON_TASK_UNAUTHORIZED: container.docker.parameters[0]") {
		t.Errorf("%v\n%s", err, out)
	}
}

func (f tryFixture) interrupts(t *testing.T) {
	for _, mode := range []string{"drop-in", "custom"} {
		path := taskFile(t, stubborn)
		begin := time.Now()
		var again atomic.Bool
		r := f.json(t, func(cmd *exec.Cmd, l jsonLine) {
			interrupt := func() {
				if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
					t.Error(err)
				}
			}
			switch {
			case l.Log != nil && l.Log.Line == "begun":
				interrupt()
			case l.Event != nil && l.Event.Name == "SHUTDOWN":
				interrupt() // of the same Ctrl-C
				time.AfterFunc(2*sameInterrupt, func() { again.Store(true); interrupt() })
			case l.Event != nil && strings.Contains(l.Event.Text, "destroy the executor"):
				if !again.Load() {
					t.Error("one Ctrl-C that arrives twice counts twice")
				}
			}
		}, "--mode", mode, path)
		if r.exit != 1 || !r.event("SHUTDOWN") || !r.event("destroy") {
			t.Errorf("%s: exit %d, %+v", mode, r.exit, r.lines)
		}
		// In drop-in mode the agent waits a minute for this task after SHUTDOWN.
		if took := time.Since(begin); took > 45*time.Second {
			t.Errorf("%s: two interrupts took %v", mode, took)
		}
	}
}

func (f tryFixture) timeout(t *testing.T) {
	r := f.json(t, nil, "--timeout", "3s", "--mode", "custom", taskFile(t, "while true; do sleep 1; done"))
	if r.exit != 1 || !strings.Contains(r.lines[len(r.lines)-1].Result.Message, "--timeout") {
		t.Errorf("exit %d, %+v", r.exit, r.lines)
	}
}

// policy: the executor judges by the file that try was given, in both modes. Nothing is begun with one that it would not read.
func (f tryFixture) policy(t *testing.T) {
	in := folder(t, map[string]string{"none.yaml": "version: 1\ndefaults: {images: {allow: []}}\n", "bad.yaml": badPolicy, "open.yaml": goodPolicy})
	if err := os.Chmod(in("open.yaml"), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []string{"drop-in", "custom"} {
		r := f.json(t, nil, "--policy", in("none.yaml"), "--mode", mode, taskFile(t, "true"))
		last := r.lines[len(r.lines)-1].Result
		if r.exit != 1 || r.states() != "ERROR" || last == nil || !strings.Contains(last.Message, "[rule image.allow") || !strings.Contains(last.Message, "none.yaml") {
			t.Errorf("%s: exit %d, states %s, %+v", mode, r.exit, r.states(), last)
		}
	}
	r := f.json(t, nil, "--policy", builtInWord, taskFile(t, "true"))
	digest, noted, said := sha256Of(policyfile.Default()), false, false
	for _, l := range r.lines {
		noted = noted || l.Event != nil && strings.HasPrefix(l.Event.Text, "the built-in policy, as "+os.TempDir())
		said = said || l.Status != nil && strings.Contains(l.Status.Message, digest[:12])
	}
	if r.exit != 0 || !noted || !said {
		t.Errorf("built-in: exit %d, noted %v, said %v: %+v", r.exit, noted, said, r.lines)
	}
	for name, want := range map[string]string{"bad.yaml": in("bad.yaml") + ":3: defaults.pids_limit: ", "open.yaml": "may be written by its group or others", "missing.yaml": "does not exist"} {
		r := f.json(t, nil, "--policy", in(name), taskFile(t, "true"))
		if r.exit != exitUsage || len(r.lines) > 0 || !strings.Contains(r.stderr, want) {
			t.Errorf("%s: exit %d, %s", name, r.exit, r.stderr)
		}
	}
}

// identity: the executor goes by the principal and the role that try was given.
func (f tryFixture) identity(t *testing.T) {
	in := folder(t, map[string]string{"p.yaml": `version: 1
defaults: {images: {allow: []}}
identities: [{match: {principals: [ops], roles: ["infra/*"]}, rules: {images: {allow: ["**"]}}}]
`})
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"--principal", "ops", "--role", "infra/web"}, "STARTING RUNNING FINISHED"},
		{[]string{"--principal", "ops", "--role", "infra/web", "--mode", "custom"}, "STARTING RUNNING FINISHED"},
		{[]string{"--principal", "ops"}, "ERROR"},
		{[]string{"--role", "infra/web"}, "ERROR"},
	} {
		if r := f.json(t, nil, append(tt.args, "--policy", in("p.yaml"), taskFile(t, "true"))...); r.states() != tt.want {
			t.Errorf("%q: %s, want %s: %+v", tt.args, r.states(), tt.want, r.lines)
		}
	}
}

func (f tryFixture) noEngine(t *testing.T) {
	r := f.json(t, nil, "--engine", "unix:///nowhere/docker.sock", taskFile(t, "true"))
	if r.exit != 1 || !strings.HasSuffix(r.states(), "FAILED") {
		t.Errorf("exit %d, states %s", r.exit, r.states())
	}
}

func (f tryFixture) killedExecutor(t *testing.T) {
	r := f.json(t, func(_ *exec.Cmd, l jsonLine) {
		if l.Event != nil && l.Event.Name == "started" {
			var pid int
			if err := json.Unmarshal([]byte(strings.TrimPrefix(l.Event.Text, "pid ")), &pid); err != nil || pid <= 0 {
				t.Errorf("pid in %q: %v", l.Event.Text, err)
				return
			}
			_ = syscall.Kill(pid, syscall.SIGKILL) // of our own grandchild
		}
	}, taskFile(t, stubborn))
	if r.exit != 1 || !strings.HasSuffix(r.states(), "FAILED") {
		t.Errorf("exit %d, states %s", r.exit, r.states())
	}
}

func (f tryFixture) fullDisk(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	path := taskFile(t, "trap 'exit 0' TERM; while true; do sleep 0.1; done")
	for _, cmd := range []*exec.Cmd{
		f.command(t, path),
		exec.CommandContext(t.Context(), f.binary, "explain", path),
		exec.CommandContext(t.Context(), f.binary, "explain", "--json", path),
		exec.CommandContext(t.Context(), f.binary, "explain", "--help"),
		exec.CommandContext(t.Context(), f.binary, "--help"),
		exec.CommandContext(t.Context(), f.binary, "--version"),
	} {
		var stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = full, &stderr
		if exit := exitStatus(t, cmd.Run()); exit != 1 || strings.Count(stderr.String(), "no space left on device") != 1 {
			t.Errorf("%q: exit %d, stderr %q", cmd.Args, exit, stderr.String())
		}
	}
}

func (f tryFixture) plainText(t *testing.T) {
	out, err := f.command(t, taskFile(t, "echo hi")).CombinedOutput()
	if exitStatus(t, err) != 0 {
		t.Errorf("%v\n%s", err, out)
	}
	for _, want := range []string{"agent ->   LAUNCH  t.1\n", "stdout |   hi\n", "result     TASK_FINISHED, exit status 0\n"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
	if bytes.ContainsRune(out, '\x1b') {
		t.Error("escape sequences in a pipe")
	}
}

func (f tryFixture) brokenPipe(t *testing.T) {
	cmd := f.command(t, taskFile(t, "trap 'exit 0' TERM; while true; do echo line; sleep 1; done"))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Error(err)
	}
	out.Close()
	if exit := exitStatus(t, cmd.Wait()); exit != 1 {
		t.Errorf("exit %d, want 1", exit)
	}
}

const persistentTask = `{"name": "t", "task_id": {"value": "t.1"}, "agent_id": {"value": "S0"}, "command": {"value": "true"},
	"resources": [{"name": "disk", "type": "SCALAR", "scalar": {"value": 1}, "role": "web",
		"disk": {"persistence": {"id": "v"}, "volume": {"container_path": "data", "mode": "RW"}}}],
	"container": {"type": "DOCKER", "docker": {"image": "busybox:local", "network": "NONE"}}}`

func (f tryFixture) usage(t *testing.T) {
	task := taskFile(t, "true")
	persistent := filepath.Join(t.TempDir(), "persistent.json")
	if err := os.WriteFile(persistent, []byte(persistentTask), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{nil, "needs a task file"},
		{[]string{"missing.json"}, "missing.json"},
		{[]string{"../testdata/tasks/bad/not-json.json"}, "not JSON"},
		{[]string{"--mode", "other", task}, `"other"`},
		{[]string{"--kill-after", "3", task}, "write 3s"},
		{[]string{"--kill-after", "-3s", task}, "longer than 0s"},
		{[]string{"--engine", "tcp://1.2.3.4", task}, "unix:///PATH"},
		{[]string{persistent}, "try makes no persistent volumes"},
		{[]string{"--framework", "missing.json", task}, "missing.json"},
		{[]string{"--config", "/missing.yaml", task}, "/missing.yaml"},
		{[]string{"--config", "missing.yaml", task}, "/missing.yaml"},
		{[]string{"--fault", "", task}, `there is no "="`},
		{[]string{task, "--fault", "start=hang", "--fault", ""}, `there is no "="`},
		{[]string{"--fault", "strat=hang", task}, `unknown verb "strat"; the verbs are ping, `},
		{[]string{task, "--fault", "start=hang", "--fault", "start=hagn"}, `unknown action "hagn"; the actions are delay, `},
	} {
		cmd := f.command(t, tt.args...)
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		if exit := exitStatus(t, cmd.Run()); exit != 2 {
			t.Errorf("%q: exit %d, want 2", tt.args, exit)
		}
		if lines := strings.Count(stderr.String(), "\n"); lines != 1 || !strings.Contains(stderr.String(), tt.want) || stdout.Len() > 0 {
			t.Errorf("%q: stderr %q, stdout %q; want one line with %q", tt.args, stderr.String(), stdout.String(), tt.want)
		}
	}
}

// examples runs each command line that --help shows, all at once.
func (f tryFixture) examples(t *testing.T) {
	var running sync.WaitGroup
	defer running.Wait()
	found := 0
	for line := range strings.Lines(tryCommand().Description) {
		words, ok := strings.CutPrefix(strings.TrimSpace(line), "mesos-docker-executor try ")
		if !ok {
			continue
		}
		found++
		cmd := f.command(t, strings.Fields(words)...)
		cmd.Dir = ".."
		running.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", words, err, out)
			}
		})
	}
	if found < 4 {
		t.Errorf("found %d examples", found)
	}
}
