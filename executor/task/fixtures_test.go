package task

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

const tasksDir = "../../testdata/tasks"

func testInputs() Inputs {
	return Inputs{
		Mode:          DropIn,
		ContainerID:   "4de9fde7-441d-4541-a155-771feae6296b",
		ContainerName: "mesos-4de9fde7-441d-4541-a155-771feae6296b",
		Sandbox:       "/sandbox",
		SandboxSource: "/run/leases/4de9fde7.1",
	}
}

func readFixture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(tasksDir, name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// fixture reads a task file of testdata and returns it as an agent would send it.
func fixture(t testing.TB, name string) []byte {
	t.Helper()
	return marshal(t, fixtureTask(t, name))
}

func fixtureTask(t testing.TB, name string) mesos.TaskInfo {
	t.Helper()
	task, err := FromJSON(readFixture(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return task
}

func marshal(t testing.TB, task mesos.TaskInfo) []byte {
	t.Helper()
	raw, err := task.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func fixtureNames(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(tasksDir, dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no task files in %s: %v", dir, err)
	}
	var names []string
	for _, f := range files {
		names = append(names, filepath.Join(dir, strings.TrimSuffix(filepath.Base(f), ".json")))
	}
	return names
}

func accepted(t testing.TB, raw []byte, in Inputs) *Plan {
	t.Helper()
	d := Decide(raw, in, security.BuiltIn())
	if d.Refusal != nil || d.Plan == nil {
		t.Fatalf("the task was refused: %+v", d.Refusal)
	}
	return d.Plan
}

func refused(t testing.TB, raw []byte, in Inputs, reason mesos.TaskStatus_Reason, parts ...string) string {
	t.Helper()
	d := Decide(raw, in, security.BuiltIn())
	if d.Refusal == nil || d.Plan != nil {
		t.Fatal("the task was accepted")
	}
	if d.Refusal.State != mesos.TASK_ERROR || d.Refusal.Reason != reason {
		t.Errorf("got %v %v, want TASK_ERROR %v", d.Refusal.State, d.Refusal.Reason, reason)
	}
	for _, part := range parts {
		if !strings.Contains(d.Refusal.Message, part) {
			t.Errorf("the message has no %q: %s", part, d.Refusal.Message)
		}
	}
	if strings.Contains(d.Refusal.Message, "never-shown") {
		t.Errorf("the message shows a secret: %s", d.Refusal.Message)
	}
	return d.Refusal.Message
}

func TestGoodTasksAreAccepted(t *testing.T) {
	for _, name := range fixtureNames(t, ".") {
		if strings.HasSuffix(name, "-refused") {
			continue
		}
		t.Run(name, func(t *testing.T) { accepted(t, fixture(t, name), testInputs()) })
	}
}

func TestBadTasksAreRefusedByName(t *testing.T) {
	// What the message, or the error of FromJSON for files that cannot be read, has to name.
	want := map[string][]string{
		"no-container":             {"container: ", "type DOCKER"},
		"no-docker":                {"container.docker"},
		"mesos-container":          {"container.type"},
		"no-command":               {"command: "},
		"shell-without-value":      {"command.value", "`shell` to false"},
		"image-upper-case":         {"container.docker.image", `"BusyBox"`, "lower case"},
		"image-empty":              {"container.docker.image"},
		"no-resources":             {"resources", "`cpus` and `mem`"},
		"mixed-roles":              {"resources[1].allocation_info.role", `"batch"`, `"web"`},
		"negative-cpus":            {"resources[0]", "-1"},
		"nan-mem":                  {"resources[1]", "NaN"},
		"infinite-cpus":            {"resources[0]", "+Inf"},
		"mem-as-ranges":            {"resources[1]", "SCALAR"},
		"variable-name":            {"command.environment.variables[0]", `"A=B"`},
		"health-check-as-check":    {"check: "},
		"volume-both-relative":     {"container.volumes[0]", "are relative"},
		"volume-twice":             {"container.volumes[1].container_path", `"/data"`, "container.volumes[0]"},
		"volume-over-sandbox":      {"container.volumes[0].container_path", "the sandbox"},
		"port-not-offered":         {"container.docker.port_mappings[0].host_port", "31000"},
		"port-zero":                {"container.docker.port_mappings[0].host_port", "0"},
		"port-protocol":            {"container.docker.port_mappings[0].protocol", `"sctp"`},
		"port-twice":               {"container.docker.port_mappings[1].host_port", "31000/tcp"},
		"port-without-network":     {"container.docker.port_mappings", "BRIDGE"},
		"negative-grace":           {"kill_policy.grace_period", "-1 ns"},
		"negative-completion-time": {"max_completion_time", "-5 ns"},
		"parameter-unknown":        {"container.docker.parameters[0] `frobnicate`", "not a flag of docker run"},
		"parameter-dashes":         {"`--label`", "without dashes"},
		"parameter-upper-case":     {"`Label`", "write `label`"},
		"parameter-contradiction":  {"container.docker.parameters[1] `hostname`", "contradicts container.docker.parameters[0]"},
		"parameter-boolean-empty":  {"`init`", "true nor false"},
		"ulimit-unknown":           {"`ulimit`", `"as=1"`},
		"ulimit-order":             {"`ulimit`", `"nofile=5:4"`},
		"ulimit-contradiction":     {"container.docker.parameters[1] `ulimit`", "contradicts"},
		"hostname-invalid":         {"`hostname`", `"a_b"`},
		"workdir-relative":         {"`workdir`", `"tmp"`},
		"user-invalid":             {"`user`", `"a:b:c"`},
		"task-id-slash":            {"task_id.value", `"a/b"`},

		"unknown-field": {"container.docker.privilegd", "no such field"},
		"unknown-enum":  {"container.docker.network", "HOST, BRIDGE, NONE, USER"},
		"camel-case":    {"container.docker.forcePullImage"},
		"wrong-type":    {"container.docker.image", "string"},
		"missing-image": {"container.docker.image", "required"},
		"duplicate-key": {"container.docker.image", "more than once"},
		"not-json":      {"not JSON"},
		"trailing-text": {"after the JSON object"},
	}
	for _, name := range fixtureNames(t, "bad") {
		t.Run(name, func(t *testing.T) {
			parts, listed := want[filepath.Base(name)]
			if !listed {
				t.Fatal("the file has no entry in the table")
			}
			task, err := FromJSON(readFixture(t, name))
			if err == nil {
				refused(t, marshal(t, task), testInputs(), mesos.REASON_TASK_INVALID, parts...)
				return
			}
			for _, part := range parts {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("the error has no %q: %v", part, err)
				}
			}
		})
	}
}

func TestRefusalNamesEveryRejection(t *testing.T) {
	message := refused(t, fixture(t, "hostile/several"), testInputs(), mesos.REASON_TASK_UNAUTHORIZED,
		"5 problems", "container.docker.privileged: ", "container.docker.network: ",
		"container.docker.parameters[0] `pid`", "container.docker.parameters[1] `cap-add`", "container.volumes[0]: ")
	if strings.ContainsAny(message, "\n\x00") {
		t.Errorf("the message is not one line: %q", message)
	}
}

func TestUnsetNetworkIsToldWhatToWrite(t *testing.T) {
	refused(t, fixture(t, "hostile/unset-network"), testInputs(), mesos.REASON_TASK_UNAUTHORIZED,
		"container.docker.network (unset)", "default is HOST", "set the network to BRIDGE or NONE")
}

func TestEverySpellingOfPrivilegedIsNamedOnce(t *testing.T) {
	refused(t, fixture(t, "hostile/privileged-everywhere"), testInputs(), mesos.REASON_TASK_UNAUTHORIZED,
		"container.docker.privileged, container.docker.parameters[0] `privileged`, container.docker.parameters[1] `privileged`", "no policy can allow")
}

func TestOneMistakeIsOneProblem(t *testing.T) {
	for _, name := range []string{"bad/no-container", "bad/no-docker", "bad/image-upper-case", "bad/no-resources", "bad/shell-without-value"} {
		if message := refused(t, fixture(t, name), testInputs(), mesos.REASON_TASK_INVALID); strings.Contains(message, "problems:") {
			t.Errorf("%s: %s", name, message)
		}
	}
}
