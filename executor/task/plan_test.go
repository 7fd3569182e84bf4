package task

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/google/go-cmp/cmp"
	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

func ptr[T any](v T) *T { return &v }

// hello returns the plan of hello.json with a change.
func hello(t testing.TB, in Inputs, change func(*mesos.TaskInfo)) *Plan {
	t.Helper()
	task := fixtureTask(t, "hello")
	change(&task)
	return accepted(t, marshal(t, task), in)
}

func TestCommandFollowsTheStockExecutor(t *testing.T) {
	tests := []struct {
		name            string
		command         mesos.CommandInfo
		entrypoint, cmd []string
	}{
		{"shell by default", mesos.CommandInfo{Value: ptr("echo $A")}, []string{"/bin/sh"}, []string{"-c", "echo $A"}},
		{"empty shell command", mesos.CommandInfo{Value: ptr("")}, []string{"/bin/sh"}, []string{"-c", ""}},
		{"arguments of a shell are ignored", mesos.CommandInfo{Value: ptr("a"), Arguments: []string{"b"}}, []string{"/bin/sh"}, []string{"-c", "a"}},
		{"image's own", mesos.CommandInfo{Shell: ptr(false)}, nil, nil},
		{"value", mesos.CommandInfo{Shell: ptr(false), Value: ptr("ls")}, nil, []string{"ls"}},
		{"arguments", mesos.CommandInfo{Shell: ptr(false), Arguments: []string{"a", "b"}}, nil, []string{"a", "b"}},
		{"value and arguments", mesos.CommandInfo{Shell: ptr(false), Value: ptr("ls"), Arguments: []string{"-l", ""}}, nil, []string{"ls", "-l", ""}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			plan := hello(t, testInputs(), func(task *mesos.TaskInfo) { task.Command = &test.command })
			if diff := cmp.Diff(test.entrypoint, []string(plan.Spec.Config.Entrypoint)); diff != "" {
				t.Error("entrypoint:", diff)
			}
			if diff := cmp.Diff(test.cmd, []string(plan.Spec.Config.Cmd)); diff != "" {
				t.Error("cmd:", diff)
			}
		})
	}
}

func TestCustomModeFindsTheCommand(t *testing.T) {
	info := mesos.CommandInfo{Shell: ptr(false), Value: ptr("from-data")}
	encoded, err := info.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		data  []byte
		words []string
		cmd   []string
	}{
		{"JSON", []byte(`{"shell": false, "value": "from-data"}`), []string{"unused"}, []string{"from-data"}},
		{"JSON after a line feed", []byte("\n {\"shell\": false, \"value\": \"from-data\"}\n"), nil, []string{"from-data"}},
		{"protobuf", encoded, nil, []string{"from-data"}},
		{"words", nil, []string{"prog", "-x"}, []string{"prog", "-x"}},
		{"image's own", nil, nil, nil},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := testInputs()
			in.Mode, in.Words = Custom, test.words
			plan := hello(t, in, func(task *mesos.TaskInfo) { task.Command, task.Data = nil, test.data })
			if diff := cmp.Diff(test.cmd, []string(plan.Spec.Config.Cmd)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestCustomModeRefusesDataThatIsNoCommand(t *testing.T) {
	tests := []struct{ name, data, want string }{
		{"unknown key", `{"value": "x", "valeu": "never-shown"}`, "data.valeu"},
		{"wrong type", `{"value": 5}`, "data.value"},
		{"wrong type below", `{"environment": {"variables": [{"name": "A", "value": ["never-shown"]}]}}`, "data.environment.variables[0].value"},
		{"unknown enum name", `{"environment": {"variables": [{"name": "A", "type": "never-shown", "value": ""}]}}`, "VALUE, SECRET"},
		{"cut off", `{"value": "never-shown`, "not JSON"},
		{"opaque bytes", "never-shown", "data: "},
		{"shell without value", `{}`, "data.value"},
		{"secret", `{"value": "x", "environment": {"variables": [{"name": "A", "type": "SECRET", "secret": {"type": "VALUE", "value": {"data": "bmV2ZXItc2hvd24="}}}]}}`, "data.environment.variables[0]"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			in := testInputs()
			in.Mode = Custom
			task := fixtureTask(t, "hello")
			task.Command, task.Data = nil, []byte(test.data)
			refused(t, marshal(t, task), in, mesos.REASON_TASK_INVALID, test.want)
		})
	}
}

func TestCommandAndExecutorMustFitTheMode(t *testing.T) {
	custom := testInputs()
	custom.Mode = Custom
	refused(t, fixture(t, "hello"), custom, mesos.REASON_TASK_INVALID, "command: ", "`data`")

	task := fixtureTask(t, "hello")
	task.Executor = &mesos.ExecutorInfo{
		Type: mesos.ExecutorInfo_CUSTOM, ExecutorID: mesos.ExecutorID{Value: "e"},
		Container: &mesos.ContainerInfo{Type: ptr(mesos.ContainerInfo_DOCKER)}, Resources: task.Resources,
	}
	refused(t, marshal(t, task), testInputs(), mesos.REASON_TASK_INVALID, "executor: ", "executor.container: ")
}

func TestEnvironmentPrecedence(t *testing.T) {
	in := testInputs()
	in.TaskEnvironment = map[string]string{"HOOK": "h", "BOTH": "hook", "MESOS_SANDBOX": "forged"}
	variable := func(name, value string) mesos.Environment_Variable {
		return mesos.Environment_Variable{Name: name, Value: &value}
	}
	plan := hello(t, in, func(task *mesos.TaskInfo) {
		task.Command.Environment = &mesos.Environment{Variables: []mesos.Environment_Variable{
			variable("A", "first"), variable("BOTH", "framework"), variable("A", "x=y"), variable("EMPTY", ""),
			variable("MESOS_ALLOCATION_ROLE", "root"), variable("MESOS_CONTAINER_NAME", "other"),
		}}
	})
	want := []string{
		"A=x=y", "BOTH=hook", "EMPTY=", "MESOS_ALLOCATION_ROLE=demo", "MESOS_CONTAINER_NAME=" + in.ContainerName,
		"HOOK=h", "MESOS_SANDBOX=" + DefaultMappedDirectory, "NVIDIA_VISIBLE_DEVICES=void",
	}
	if diff := cmp.Diff(want, plan.Spec.Config.Env); diff != "" {
		t.Error(diff)
	}
}

func TestResources(t *testing.T) {
	scalar := func(name string, value float64) mesos.Resource {
		return mesos.Resource{Name: name, Type: mesos.SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: value}}
	}
	tests := []struct {
		name          string
		resources     []mesos.Resource
		shares, quota int64
		memoryMiB     int64
	}{
		{"plain", []mesos.Resource{scalar("cpus", 0.5), scalar("mem", 128)}, 512, 50_000, 128},
		{"one cpu", []mesos.Resource{scalar("cpus", 1), scalar("mem", 128)}, 1024, 100_000, 128},
		{"sums", []mesos.Resource{scalar("cpus", 0.1), scalar("mem", 40), scalar("cpus", 0.2), scalar("mem", 24)}, 307, 30_000, 64},
		{"minimums", []mesos.Resource{scalar("cpus", 0.001), scalar("mem", 1)}, 2, 1000, 32},
		{"nothing is the minimum", []mesos.Resource{scalar("disk", 10)}, 2, 1000, 32},
		{"whole MiB", []mesos.Resource{scalar("cpus", 1), scalar("mem", 100.9)}, 1024, 100_000, 100},
		{"more shares than the kernel has", []mesos.Resource{scalar("cpus", 1000), scalar("mem", 64)}, 262144, 100_000_000, 64},
		{"others have no effect", []mesos.Resource{scalar("cpus", 1), scalar("mem", 64), scalar("disk", 5), scalar("bananas", 3)}, 1024, 100_000, 64},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, enforce := range []bool{false, true} {
				in := testInputs()
				in.EnforceCFS = enforce
				host := hello(t, in, func(task *mesos.TaskInfo) { task.Resources = test.resources }).Spec.Host
				period, quota := int64(0), int64(0)
				if enforce {
					period, quota = 100_000, test.quota
				}
				got := []int64{host.CPUShares, host.CPUPeriod, host.CPUQuota, host.Memory}
				if diff := cmp.Diff([]int64{test.shares, period, quota, test.memoryMiB << 20}, got); diff != "" {
					t.Errorf("EnforceCFS %v: %s", enforce, diff)
				}
			}
		})
	}
}

func TestAbsurdScalarsAreRefused(t *testing.T) {
	for _, value := range []float64{math.NaN(), math.Inf(1), math.Inf(-1), -0.1, 1e12} {
		task := fixtureTask(t, "hello")
		task.Resources[0].Scalar.Value = value
		refused(t, marshal(t, task), testInputs(), mesos.REASON_TASK_INVALID, "resources[0]")
	}
}

func TestRoleIsTheOneOfAllResources(t *testing.T) {
	plan := hello(t, testInputs(), func(*mesos.TaskInfo) {})
	if env := plan.Spec.Config.Env; !slices.Contains(env, "MESOS_ALLOCATION_ROLE=demo") {
		t.Errorf("environment %q", env)
	}
	task := fixtureTask(t, "hello")
	task.Resources[1].AllocationInfo = nil
	refused(t, marshal(t, task), testInputs(), mesos.REASON_TASK_INVALID, "resources[1].allocation_info.role")
}

func TestVolumesComeFromTheSandbox(t *testing.T) {
	source := testInputs().SandboxSource
	tests := []struct {
		name                 string
		hostPath, target     string
		wantSource, wantDest string
		wantDirs             []string
	}{
		{"relative", "data", "/data", source + "/data", "/data", []string{"data"}},
		{"relative, not clean", "./a//b/../c/", "/data//x/", source + "/a/c", "/data/x", []string{"a/c"}},
		{"the sandbox itself", ".", "/again", source, "/again", nil},
		{"absolute in the sandbox", "/sandbox/data", "/data", source + "/data", "/data", []string{"data"}},
		{"absolute, relative target", "/sandbox/data", "in/here", source + "/data", "/mnt/mesos/sandbox/in/here", []string{"data"}},
		{"out and back in", "../sandbox/data", "/data", source + "/data", "/data", []string{"data"}},
		{"the mount source named directly", source + "/data", "/data", source + "/data", "/data", []string{"data"}},
		{"colon and comma", "a:b,c", "/x:y", source + "/a:b,c", "/x:y", []string{"a:b,c"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			plan := hello(t, testInputs(), func(task *mesos.TaskInfo) {
				task.Container.Volumes = []mesos.Volume{{HostPath: &test.hostPath, ContainerPath: test.target, Mode: ptr(mesos.RO)}}
			})
			rprivate := &mount.BindOptions{Propagation: mount.PropagationRPrivate}
			want := []mount.Mount{
				{Type: mount.TypeBind, Source: test.wantSource, Target: test.wantDest, ReadOnly: true, BindOptions: rprivate},
				{Type: mount.TypeBind, Source: source, Target: DefaultMappedDirectory, BindOptions: rprivate},
			}
			if diff := cmp.Diff(want, plan.Spec.Host.Mounts); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(test.wantDirs, plan.SandboxDirs); diff != "" {
				t.Error("folders:", diff)
			}
		})
	}
}

func TestPortsArePublished(t *testing.T) {
	plan := accepted(t, fixture(t, "web"), testInputs())
	bindings := plan.Spec.Host.PortBindings["8080/tcp"]
	if len(bindings) != 1 || bindings[0].HostPort != "31010" || bindings[0].HostIP != "" {
		t.Errorf("bindings: %v", plan.Spec.Host.PortBindings)
	}
	if _, exposed := plan.Spec.Config.ExposedPorts["8080/tcp"]; !exposed {
		t.Error("the port is not exposed")
	}
}

func TestParametersReachTheContainer(t *testing.T) {
	spec := accepted(t, fixture(t, "batch"), testInputs()).Spec
	if c := spec.Config; c.User != "1000:1000" || c.Hostname != "batch-1" || c.WorkingDir != "/tmp" {
		t.Errorf("config: %+v", c)
	}
	if h := spec.Host; !h.ReadonlyRootfs || !*h.Init || h.NetworkMode != "none" || !slices.Equal(h.CapAdd, []string{"CAP_CHOWN"}) {
		t.Errorf("host config: %+v", h)
	}
	web := accepted(t, fixture(t, "web"), testInputs()).Spec
	if web.Config.Labels["MESOS_TASK_ID"] != "web_front.instance-1" || len(web.Config.Labels) != 1 {
		t.Errorf("labels: %v", web.Config.Labels)
	}
	if diff := cmp.Diff([]*container.Ulimit{{Name: "nofile", Soft: 4096, Hard: 4096}, {Name: "core"}}, web.Host.Ulimits); diff != "" {
		t.Error(diff)
	}
}

func TestImageGetsATag(t *testing.T) {
	digest := "sha256:" + strings.Repeat("a", 64)
	tests := map[string]string{
		"busybox":                            "busybox:latest",
		"docker.io/library/busybox":          "busybox:latest",
		"registry.example:5000/team/app":     "registry.example:5000/team/app:latest",
		"registry.example:5000/team/app:1.2": "registry.example:5000/team/app:1.2",
		"busybox@" + digest:                  "busybox@" + digest,
		"busybox:1@" + digest:                "busybox:1@" + digest,
	}
	for image, want := range tests {
		spec := hello(t, testInputs(), func(task *mesos.TaskInfo) { task.Container.Docker.Image = image }).Spec
		if spec.Image != want || spec.Config.Image != want {
			t.Errorf("%s: got %s and %s, want %s", image, spec.Image, spec.Config.Image, want)
		}
	}
}

func TestPlanHoldsTheRestOfTheTask(t *testing.T) {
	task := fixtureTask(t, "web")
	task.MaxCompletionTime = &mesos.DurationInfo{Nanoseconds: int64(time.Minute)}
	task.Container.Docker.ForcePullImage = ptr(true)
	task.Command.URIs = []mesos.CommandInfo_URI{{Value: "https://example.org/x.tar.gz"}}
	plan := accepted(t, marshal(t, task), testInputs())
	if plan.TaskID != "web.front.1" || !plan.ForcePull {
		t.Errorf("%+v", plan)
	}
	if plan.KillGrace == nil || *plan.KillGrace != 10*time.Second || plan.MaxCompletion != time.Minute {
		t.Errorf("grace %v, completion %v", plan.KillGrace, plan.MaxCompletion)
	}
	if plan.Spec.Name != testInputs().ContainerName {
		t.Errorf("name %q", plan.Spec.Name)
	}
}

func TestNotesSayWhatRunsOtherwise(t *testing.T) {
	plan := accepted(t, fixture(t, "demo-trimmed"), testInputs())
	want := []string{
		"trimmed CAP_NET_ADMIN (parameter 0 `cap-add`)",
		"trimmed CAP_SYS_ADMIN (parameter 1 `cap-add`)",
		"forced no-new-privileges, no swap, pids limit 4096, ulimit core=0:0, Docker health checks off, init off",
		"policy built-in@sha256:" + security.BuiltIn().Digest(),
	}
	if diff := cmp.Diff(want, plan.Notes); diff != "" {
		t.Error(diff)
	}
	if notes := accepted(t, fixture(t, "web"), testInputs()).Notes; !slices.Contains(notes, "health check not performed") {
		t.Errorf("notes: %q", notes)
	}
}

func TestParametersOfThePolicyAreTrimmedOrKept(t *testing.T) {
	parameters := func(list ...string) func(*mesos.TaskInfo) {
		return func(task *mesos.TaskInfo) {
			for _, p := range list {
				key, value, _ := strings.Cut(p, " ")
				task.Container.Docker.Parameters = append(task.Container.Docker.Parameters, mesos.Parameter{Key: key, Value: value})
			}
		}
	}
	spec := hello(t, testInputs(), parameters("label "+security.ReservedLabelPrefix+"task=x", "label a=b=c", "label a=d", "label bare")).Spec
	if diff := cmp.Diff(map[string]string{"a": "d", "bare": ""}, spec.Config.Labels); diff != "" {
		t.Error(diff)
	}
	spec = hello(t, testInputs(), parameters("ulimit core=-1", "ulimit nofile=1024:1000000", "ulimit core=-1")).Spec
	if diff := cmp.Diff([]*container.Ulimit{{Name: "core"}, {Name: "nofile", Soft: 1024, Hard: 65536}}, spec.Host.Ulimits); diff != "" {
		t.Error(diff)
	}
	spec = hello(t, testInputs(), parameters("hostname a", "hostname a", "init 1", "read-only f")).Spec
	if spec.Config.Hostname != "a" || !*spec.Host.Init || spec.Host.ReadonlyRootfs {
		t.Errorf("%+v", spec)
	}
}
