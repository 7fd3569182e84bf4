package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mesos-docker-executor/executor/config"
)

// recorded returns a list of strings that a real agent gave to an executor.
func recorded(t *testing.T, mode, file string) []string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("../../testdata/recordings", mode, file))
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// with returns env with variables replaced or added, or left out when they are
// given without a "=".
func with(env []string, changes ...string) []string {
	out := slices.Clone(env)
	for _, change := range changes {
		name, _, set := strings.Cut(change, "=")
		out = slices.DeleteFunc(out, func(e string) bool { return strings.HasPrefix(e, name+"=") })
		if set {
			out = append(out, change)
		}
	}
	return out
}

// problems returns the names of everything that err complains about.
func problems(t *testing.T, err error) []string {
	t.Helper()
	var e *config.Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %T (%v), want *config.Error", err, err)
	}
	var names []string
	for _, p := range e.Problems {
		names = append(names, p.Name)
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != min(len(e.Problems), 21) {
		t.Errorf("%d problems on %d lines:\n%v", len(e.Problems), len(lines), err)
	}
	return names
}

func TestRecordedEnvironments(t *testing.T) {
	const uuid = "f6f32de2-abd7-4c7e-9a46-05e2bc44d7e7"
	want := config.Agent{
		FrameworkID: uuid + "-0002", ExecutorID: "web.front-0afd05-0-0", AgentID: uuid + "-S0",
		Endpoint: "127.0.0.1:5051", SlavePID: "slave(1)@127.0.0.1:5051",
		Directory:   "/var/lib/mesos/agent/slaves/" + uuid + "-S0/frameworks/" + uuid + "-0002/executors/web.front-0afd05-0-0/runs/4de9fde7-441d-4541-a155-771feae6296b",
		ContainerID: "4de9fde7-441d-4541-a155-771feae6296b",
		Checkpoint:  true, RecoveryTimeout: 15 * time.Minute, SubscriptionBackoffMax: 2 * time.Second, ShutdownGrace: 12 * time.Second,
	}
	got, err := config.AgentFromEnviron(recorded(t, "drop-in", "env.json"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("drop-in (-want +got):\n%s", diff)
	}
	for _, mode := range []string{"custom", "custom-shutdown"} {
		if _, err := config.AgentFromEnviron(recorded(t, mode, "env.json")); err != nil {
			t.Errorf("%s: %v", mode, err)
		}
	}
}

func TestEnvironmentWithoutAgentIsNamedAsSuch(t *testing.T) {
	for _, env := range [][]string{nil, {"PATH=/bin", "HOME=/root"}, {"MESOS_MASTER=10.0.0.1:5050"}} {
		_, err := config.AgentFromEnviron(env)
		if !errors.Is(err, config.ErrNoAgent) {
			t.Errorf("%q: error %v, want ErrNoAgent", env, err)
		}
	}
	if text := config.ErrNoAgent.Error(); !strings.Contains(text, "Mesos agent") || !strings.Contains(text, "`mesos-docker-executor try") {
		t.Errorf("the message does not help: %s", text)
	}
}

func TestBadVariablesAreNamedWithValue(t *testing.T) {
	base := recorded(t, "drop-in", "env.json")
	for name, values := range map[string][]string{
		"MESOS_FRAMEWORK_ID":                   {"", ".", "..", "a/b", `a\b`, "a\nb", strings.Repeat("x", 256)},
		"MESOS_EXECUTOR_ID":                    {"", "../x"},
		"MESOS_SLAVE_ID":                       {"", "/"},
		"MESOS_SLAVE_PID":                      {"", "slave(1)", "slave()@127.0.0.1:5051", "slave(0)@127.0.0.1:5051", "slave(1)@127.0.0.1", "slave(1)@127.0.0.1:0", "slave(1)@host:5051", "master@127.0.0.1:5051", "x slave(1)@127.0.0.1:5051", "slave(1)@127.0.0.1:5051/x", "slave(1)@127.0.0.1:5051\n", "slave(1)@127.0.0.2:5051"},
		"MESOS_AGENT_ENDPOINT":                 {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:5051/api", "http://127.0.0.1:5051", "localhost:5051", "::1:5051", "[fe80::1%eth0]:5051", "0.0.0.0:5051", "224.0.0.1:5051", " 127.0.0.1:5051"},
		"MESOS_DIRECTORY":                      {"", "/", "relative/runs/c", "/a/runs/c/..", "/a/runs/c\x00", "/a/runs/c\n", "/a/runs/with.dot", "/a/runs/with space"},
		"MESOS_CHECKPOINT":                     {"", "2", "yes", "TRUE", "1 "},
		"MESOS_RECOVERY_TIMEOUT":               {"", "15", "15m", "-15mins", "99999999weeks"},
		"MESOS_SUBSCRIPTION_BACKOFF_MAX":       {"", "0ns", "0secs", "16secs", "15001ms", "-1secs", "2s"},
		"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": {"", "5s", "-5secs"},
		"MESOS_DOMAIN_SOCKET":                  {"", "agent.sock", "/" + strings.Repeat("x", 107), "/a/" + strings.Repeat("x", 110), strings.Repeat("/a", 2048)},
	} {
		for _, value := range values {
			_, err := config.AgentFromEnviron(with(base, name+"="+value))
			if err == nil {
				t.Errorf("%s=%q is accepted", name, value)
				continue
			}
			if got := problems(t, err); !slices.Contains(got, name) {
				t.Errorf("%s=%q: problems with %q", name, value, got)
			}
			quoted := strings.Trim(fmt.Sprintf("%q", value[:min(len(value), 100)]), `"`)
			if !strings.Contains(err.Error(), quoted) {
				t.Errorf("%s=%q: the value is not in the error: %v", name, value, err)
			}
		}
	}
}

func TestPossibleValuesAreAccepted(t *testing.T) {
	base := recorded(t, "drop-in", "env.json")
	for _, changes := range [][]string{
		{"MESOS_CHECKPOINT=true"},
		{"MESOS_EXECUTOR_ID=task with spaces: ünïcode, .hidden"},
		{"MESOS_AGENT_ENDPOINT=[::1]:5051", "MESOS_SLAVE_PID=slave(12)@[::1]:5051"},
		{"MESOS_SUBSCRIPTION_BACKOFF_MAX=15secs"},
		{"MESOS_RECOVERY_TIMEOUT=0ns"},
		{"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD=0ns"},
		{"MESOS_DOMAIN_SOCKET=/var/run/mesos/agent.sock"},
		{"MESOS_DOMAIN_SOCKET=" + strings.Repeat("/too/long/for/an/address", 10) + "/agent.sock"},
		{"MESOS_DIRECTORY=/with:colon/runs/c_1-A"},
	} {
		if _, err := config.AgentFromEnviron(with(base, changes...)); err != nil {
			t.Errorf("%q: %v", changes, err)
		}
	}
}

func TestMissingVariables(t *testing.T) {
	always := []string{"MESOS_FRAMEWORK_ID", "MESOS_EXECUTOR_ID", "MESOS_SLAVE_ID", "MESOS_AGENT_ENDPOINT", "MESOS_SLAVE_PID", "MESOS_DIRECTORY"}
	checkpointing := []string{"MESOS_RECOVERY_TIMEOUT", "MESOS_SUBSCRIPTION_BACKOFF_MAX"}
	base := recorded(t, "drop-in", "env.json")

	for _, name := range slices.Concat(always, checkpointing) {
		_, err := config.AgentFromEnviron(with(base, name))
		if err == nil {
			t.Errorf("without %s: accepted", name)
			continue
		}
		if got := problems(t, err); !slices.Equal(got, []string{name}) {
			t.Errorf("without %s: problems with %q", name, got)
		}
	}

	without := with(base, "MESOS_CHECKPOINT", "MESOS_RECOVERY_TIMEOUT", "MESOS_SUBSCRIPTION_BACKOFF_MAX=nonsense", "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD")
	a, err := config.AgentFromEnviron(without)
	if err != nil {
		t.Fatal(err)
	}
	if a.Checkpoint || a.RecoveryTimeout != 15*time.Minute || a.SubscriptionBackoffMax != 2*time.Second || a.ShutdownGrace != 5*time.Second {
		t.Errorf("not the agent's defaults: %+v", a)
	}
}

func TestAllProblemsAreReportedAtOnce(t *testing.T) {
	env := []string{
		"MESOS_FRAMEWORK_ID=a/b", "MESOS_EXECUTOR_ID=", "MESOS_SLAVE_PID=agent", "MESOS_AGENT_ENDPOINT=here",
		"MESOS_DIRECTORY=sandbox", "MESOS_CHECKPOINT=1", "MESOS_RECOVERY_TIMEOUT=1d", "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD=soon",
	}
	_, err := config.AgentFromEnviron(env)
	got := problems(t, err)
	slices.Sort(got)
	want := []string{
		"MESOS_AGENT_ENDPOINT", "MESOS_DIRECTORY", "MESOS_EXECUTOR_ID", "MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", "MESOS_FRAMEWORK_ID",
		"MESOS_RECOVERY_TIMEOUT", "MESOS_SLAVE_ID", "MESOS_SLAVE_PID", "MESOS_SUBSCRIPTION_BACKOFF_MAX",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

func TestTokenStaysSecret(t *testing.T) {
	const token = "eyJhbGciOi.JIUzI1NiJ9.s3cr3t-_=+/~"
	base := recorded(t, "drop-in", "env.json")
	a, err := config.AgentFromEnviron(with(base, "MESOS_EXECUTOR_AUTHENTICATION_TOKEN="+token))
	if err != nil || a.Token != token {
		t.Fatalf("token %q, %v", a.Token, err)
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(format, a); strings.Contains(text, "s3cr3t") {
			t.Errorf("%s shows the token: %s", format, text)
		}
	}
	if text, err := json.Marshal(a); err != nil || strings.Contains(string(text), "s3cr3t") {
		t.Errorf("JSON shows the token: %s, %v", text, err)
	}
	for _, bad := range []string{"", "s3cr3t token", "s3cr3t\r\nHost: x", "s3cr3tü"} {
		_, err := config.AgentFromEnviron(with(base, "MESOS_EXECUTOR_AUTHENTICATION_TOKEN="+bad))
		if err == nil || !slices.Equal(problems(t, err), []string{"MESOS_EXECUTOR_AUTHENTICATION_TOKEN"}) {
			t.Errorf("token %q: %v", bad, err)
		}
		if err != nil && strings.Contains(err.Error(), "s3cr3t") {
			t.Errorf("the error shows the token: %v", err)
		}
	}
}

func TestDuplicateVariables(t *testing.T) {
	base := recorded(t, "drop-in", "env.json")
	same := append(slices.Clone(base), "MESOS_CHECKPOINT=1", "PORT=1", "PORT=2")
	if _, err := config.AgentFromEnviron(same); err != nil {
		t.Errorf("the same value twice: %v", err)
	}
	_, err := config.AgentFromEnviron(append(slices.Clone(base), "MESOS_CHECKPOINT=0", "MESOS_CHECKPOINT=2"))
	if err == nil || !slices.Equal(problems(t, err), []string{"MESOS_CHECKPOINT"}) {
		t.Errorf("different values: %v", err)
	}
	_, err = config.AgentFromEnviron(append(slices.Clone(base),
		"MESOS_EXECUTOR_AUTHENTICATION_TOKEN=s3cr3t1", "MESOS_EXECUTOR_AUTHENTICATION_TOKEN=s3cr3t2"))
	if err == nil || strings.Contains(err.Error(), "s3cr3t") {
		t.Errorf("two tokens: %v", err)
	}
}

// Agents pass paths on as their operator wrote them.
func TestPathsOfTheAgentAreBroughtIntoShortestForm(t *testing.T) {
	base := recorded(t, "drop-in", "env.json")
	for given, want := range map[string]string{
		"/var//lib/mesos/runs/c":   "/var/lib/mesos/runs/c",
		"/var/lib/./mesos/runs/c/": "/var/lib/mesos/runs/c",
		"//var/runs///c/.":         "/var/runs/c",
		"/link/../var/runs/c":      "/link/../var/runs/c", // where this leads only the file system knows
	} {
		a, err := config.AgentFromEnviron(with(base, "MESOS_DIRECTORY="+given, "MESOS_DOMAIN_SOCKET="+given))
		if err != nil || a.Directory != want || a.DomainSocket != want || a.ContainerID != "c" {
			t.Errorf("%s: directory %q, socket %q, container %q, %v", given, a.Directory, a.DomainSocket, a.ContainerID, err)
		}
		d, err := config.ParseDropIn([]string{
			"--container=mesos-c", "--sandbox_directory=" + given, "--mapped_directory=" + given, "--docker_socket=unix://" + given,
		})
		if err != nil || d.SandboxDirectory != want || d.MappedDirectory != want || d.DockerSocket != want {
			t.Errorf("%s: %+v, %v", given, d, err)
		}
	}
}
