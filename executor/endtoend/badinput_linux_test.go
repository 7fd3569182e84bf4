package endtoend

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/localagent"
)

// TestBadEnvironmentIsOneClearMessage starts the binary by hand: no agent can be told of these.
func TestBadEnvironmentIsOneClearMessage(t *testing.T) {
	good := goodEnvironment(t)
	for _, test := range []struct {
		name   string
		change func(map[string]string)
		want   []string
	}{
		{"none at all", func(env map[string]string) { clear(env) }, []string{"try"}},
		{"no framework id", func(env map[string]string) { delete(env, "MESOS_FRAMEWORK_ID") }, []string{"MESOS_FRAMEWORK_ID"}},
		{"two problems", func(env map[string]string) {
			env["MESOS_AGENT_ENDPOINT"] = "nowhere"
			env["MESOS_RECOVERY_TIMEOUT"] = "15m"
		}, []string{"MESOS_AGENT_ENDPOINT", "nowhere", "MESOS_RECOVERY_TIMEOUT", "15m"}},
		{"absurd directory", func(env map[string]string) { env["MESOS_DIRECTORY"] = "sandbox" }, []string{"MESOS_DIRECTORY"}},
		{"missing directory", func(env map[string]string) { env["MESOS_DIRECTORY"] += "0" }, []string{"MESOS_DIRECTORY", "no such file"}},
		{"absurd checkpoint", func(env map[string]string) { env["MESOS_CHECKPOINT"] = "perhaps" }, []string{"MESOS_CHECKPOINT", "perhaps"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			env := map[string]string{}
			for name, value := range good {
				env[name] = value
			}
			test.change(env)
			stderr, status := start(t, env, "run")
			wantMessage(t, stderr, status, 2, test.want...)
		})
	}
}

func TestBadCommandLineIsOneClearMessage(t *testing.T) {
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"runn"}, `"runn" is neither a command nor a flag`},
		{[]string{"run", "word"}, `"word" is neither a command nor a flag`},
		{[]string{"--confg=x"}, "confg"},
		{[]string{"run", "--config=relative.yaml"}, "not an absolute path"},
		{[]string{"explain"}, "needs a task file"},
		{[]string{"explain", "--mode=both", "x.json"}, `"both" is neither`},
		{[]string{"--container=mesos-x"}, "--sandbox_directory"},
	} {
		stderr, status := start(t, nil, test.args...)
		wantMessage(t, stderr, status, 2, test.want)
	}
}

// goodEnvironment is that of a custom executor whose agent is not there.
func goodEnvironment(t *testing.T) map[string]string {
	t.Helper()
	sandbox := filepath.Join(t.TempDir(), "slaves/A/frameworks/F/executors/E/runs/0c0ffee0-0000-4000-8000-000000000000")
	if err := os.MkdirAll(sandbox, 0o755); err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"MESOS_FRAMEWORK_ID": "F", "MESOS_EXECUTOR_ID": "E", "MESOS_SLAVE_ID": "A",
		"MESOS_SLAVE_PID": "slave(1)@127.0.0.1:5051", "MESOS_AGENT_ENDPOINT": "127.0.0.1:5051",
		"MESOS_DIRECTORY": sandbox, "MESOS_CHECKPOINT": "1",
		"MESOS_RECOVERY_TIMEOUT": "15mins", "MESOS_SUBSCRIPTION_BACKOFF_MAX": "2secs",
	}
}

func start(t *testing.T, env map[string]string, args ...string) (stderr string, status int) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Env = []string{"PATH=/usr/bin:/bin"}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	var out bytes.Buffer
	cmd.Stderr = &out
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		status = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return out.String(), status
}

func wantMessage(t *testing.T, stderr string, status, wantStatus int, want ...string) {
	t.Helper()
	if status != wantStatus {
		t.Errorf("exit status %d, want %d", status, wantStatus)
	}
	for _, w := range want {
		if !strings.Contains(stderr, w) {
			t.Errorf("stderr %q does not say %q", stderr, w)
		}
	}
	for line := range strings.Lines(stderr) {
		if !strings.HasPrefix(line, "mesos-docker-executor: ") {
			t.Errorf("a line without the prefix: %q", line)
		}
	}
}

// TestBadTaskIsToldToTheFramework launches what cannot run.
func TestBadTaskIsToldToTheFramework(t *testing.T) {
	good := shell(t, "true")
	for _, test := range []struct {
		name   string
		change func(*localagent.Options)
		state  mesos.TaskState
		reason mesos.TaskStatus_Reason
		want   string
	}{
		{"unknown field", func(o *localagent.Options) { o.TaskBytes = appendField(t, good, 99) },
			mesos.TASK_ERROR, mesos.REASON_TASK_INVALID, "99"},
		{"unknown enum", func(o *localagent.Options) { o.Task.Container.Type = mesos.ContainerInfo_Type(77).Enum() },
			mesos.TASK_ERROR, mesos.REASON_TASK_INVALID, "container.type"},
		{"no container", func(o *localagent.Options) { o.TaskBytes = marshal(t, withoutContainer(good)) },
			mesos.TASK_ERROR, mesos.REASON_TASK_INVALID, "container"},
		{"over 64 MiB", func(o *localagent.Options) { o.TaskBytes = marshal(t, withData(good, 65<<20)) },
			mesos.TASK_ERROR, mesos.REASON_TASK_INVALID, "64 MiB"},
		{"no such image", func(o *localagent.Options) { o.Task.Container.Docker.Image = "localhost:1/none" },
			mesos.TASK_FAILED, mesos.REASON_CONTAINER_LAUNCH_FAILED, "localhost:1/none:latest"},
		{"no such command", func(o *localagent.Options) {
			o.Task = parse(t, withCommand(`{"shell": false, "value": "/none"}`, enginetest.Image))
		},
			mesos.TASK_FAILED, mesos.REASON_CONTAINER_LAUNCH_FAILED, "/none"},
		{"no engine", func(o *localagent.Options) {
			path := configFile(t, t.TempDir())
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			write(t, path, strings.Replace(string(text), "engine:", "engine:\n  launch_wait: 1s", 1))
			o.DockerSocket, o.Arguments = "/nowhere/docker.sock", []string{"--config=" + path}
		},
			mesos.TASK_FAILED, mesos.REASON_CONTAINER_LAUNCH_FAILED, "engine unfit"},
		{"broken configuration", func(o *localagent.Options) { o.Arguments = []string{"--config=/nowhere/config.yaml"} },
			mesos.TASK_FAILED, mesos.REASON_CONTAINER_LAUNCH_FAILED, "/nowhere/config.yaml"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := launch(t, localagent.DropIn, shell(t, "true"), test.change)
			s := r.ends(test.state, 1)
			if s.GetReason() != test.reason || !strings.Contains(s.GetMessage(), test.want) {
				t.Errorf("%v: %q, want %v and %q", s.GetReason(), s.GetMessage(), test.reason, test.want)
			}
			r.nothingLeft()
		})
	}
}

func marshal(t *testing.T, info mesos.TaskInfo) []byte {
	t.Helper()
	raw, err := info.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// appendField adds a field of type bytes that no version of the message knows.
func appendField(t *testing.T, info mesos.TaskInfo, number int) []byte {
	key := number<<3 | 2
	return append(marshal(t, info), byte(key)|0x80, byte(key>>7), 3, 'n', 'e', 'w')
}

func withoutContainer(info mesos.TaskInfo) mesos.TaskInfo {
	info.Container = nil
	return info
}

func withData(info mesos.TaskInfo, size int) mesos.TaskInfo {
	info.Data = make([]byte, size)
	return info
}

// TestUnwritableSandboxStartsNothing puts something else where the executor's log would be.
func TestUnwritableSandboxStartsNothing(t *testing.T) {
	for name, obstruct := range map[string]func(path string) error{
		"a folder":        func(path string) error { return os.Mkdir(path, 0o755) },
		"a symbolic link": func(path string) error { return os.Symlink("/etc/hostname", path) },
	} {
		t.Run(name, func(t *testing.T) {
			r := prepare(t, localagent.Custom, shell(t, "true"))
			if err := obstruct(filepath.Join(r.Sandbox(), "mesos-docker-executor.log")); err != nil {
				t.Fatal(err)
			}
			r.start()
			s := r.ends(mesos.TASK_FAILED, 1)
			if s.GetReason() != mesos.REASON_CONTAINER_LAUNCH_FAILED || !strings.Contains(s.GetMessage(), "sandbox") {
				t.Errorf("%v: %q", s.GetReason(), s.GetMessage())
			}
			r.nothingLeft()
		})
	}
}

func TestClosedStdoutDoesNotHurtTheTask(t *testing.T) {
	script := filepath.Join(t.TempDir(), "without-stdout")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nexec "+binary+" \"$@\" >&-\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := launch(t, localagent.DropIn, shell(t, "echo lost; sleep 1; echo lost again"), func(o *localagent.Options) { o.Executable = script })
	r.ends(mesos.TASK_FINISHED, 0)
	r.nothingLeft()
}
