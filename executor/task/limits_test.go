package task

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// helloTask returns hello.json with a change, encoded.
func helloTask(t *testing.T, change func(*mesos.TaskInfo)) []byte {
	t.Helper()
	task := fixtureTask(t, "hello")
	change(&task)
	return marshal(t, task)
}

// filled returns so many copies of an element.
func filled[T any](count int, element T) []T {
	list := make([]T, count)
	for i := range list {
		list[i] = element
	}
	return list
}

func TestListsHaveABound(t *testing.T) {
	in := testInputs()
	span := mesos.Value_Range{Begin: 31000, End: 31000}
	variable := mesos.Environment_Variable{Name: "A", Value: ptr("never-shown")}
	tests := []struct {
		field  string
		limit  int
		change func(task *mesos.TaskInfo, count int)
	}{
		{"resources", 1000, func(task *mesos.TaskInfo, n int) { task.Resources = filled(n, task.Resources[0]) }},
		{"resources.ranges", 1000, func(task *mesos.TaskInfo, n int) {
			ports := mesos.Resource{Name: "ports", Type: mesos.RANGES.Enum(), Ranges: &mesos.Value_Ranges{Range: filled(n, span)}, AllocationInfo: task.Resources[0].AllocationInfo}
			task.Resources = append(task.Resources, ports)
		}},
		{"container.volumes", 1000, func(task *mesos.TaskInfo, n int) {
			for i := range n {
				task.Container.Volumes = append(task.Container.Volumes, mesos.Volume{HostPath: ptr("d"), ContainerPath: fmt.Sprintf("/v/%d", i), Mode: ptr(mesos.RO)})
			}
		}},
		{"container.network_infos", 1000, func(task *mesos.TaskInfo, n int) { task.Container.NetworkInfos = make([]mesos.NetworkInfo, n) }},
		{"container.docker.parameters", 1000, func(task *mesos.TaskInfo, n int) {
			task.Container.Docker.Parameters = filled(n, mesos.Parameter{Key: "cap-add", Value: "CHOWN"})
		}},
		{"command.environment.variables", 10_000, func(task *mesos.TaskInfo, n int) {
			task.Command.Environment = &mesos.Environment{Variables: filled(n, variable)}
		}},
		{"command.arguments", 10_000, func(task *mesos.TaskInfo, n int) { task.Command.Arguments = filled(n, "never-shown") }},
	}
	for _, test := range tests {
		t.Run(test.field, func(t *testing.T) {
			accepted(t, helloTask(t, func(task *mesos.TaskInfo) { test.change(task, test.limit) }), in)
			message := refused(t, helloTask(t, func(task *mesos.TaskInfo) { test.change(task, test.limit+1) }), in, mesos.REASON_TASK_INVALID,
				fmt.Sprintf("%s: There are %d entries, and at most %d are supported", test.field, test.limit+1, test.limit))
			if strings.Contains(message, "problems") {
				t.Errorf("the list was translated: %s", message)
			}
		})
	}
	refused(t, helloTask(t, func(task *mesos.TaskInfo) {
		task.Container.Docker.PortMappings = filled(40_000, mesos.ContainerInfo_DockerInfo_PortMapping{HostPort: 1, ContainerPort: 1})
		task.Limits = map[string]mesos.Value_Scalar{}
		for i := range 1001 {
			task.Limits[fmt.Sprint(i)] = mesos.Value_Scalar{}
		}
	}), in, mesos.REASON_TASK_INVALID, "container.docker.port_mappings: There are 40000", "limits: There are 1001")
}

func TestListsInDataHaveTheSameBound(t *testing.T) {
	in := testInputs()
	in.Mode = Custom
	command := mesos.CommandInfo{Value: ptr("x"), Environment: &mesos.Environment{Variables: filled(10_001, mesos.Environment_Variable{Name: "A", Value: ptr("never-shown")})}}
	data, err := command.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	raw := helloTask(t, func(task *mesos.TaskInfo) { task.Command, task.Data = nil, data })
	refused(t, raw, in, mesos.REASON_TASK_INVALID, "data.environment.variables: There are 10001 entries")
}

func TestMessagesHaveABoundOfValues(t *testing.T) {
	parameter := encode(5, bytes.Join([][]byte{encode(1, "cap-add"), encode(2, "KILL")}, nil))
	docker := append(encode(1, "busybox"), bytes.Repeat(parameter, 300_000)...)
	raw := append(helloTask(t, func(task *mesos.TaskInfo) { task.Container = nil }), encode(fieldContainer, encode(fieldDocker, docker))...)
	refused(t, raw, testInputs(), mesos.REASON_TASK_INVALID, "holds more than 250000 values")

	custom := testInputs()
	custom.Mode = Custom
	raw = helloTask(t, func(task *mesos.TaskInfo) {
		task.Command, task.Data = nil, []byte(`{"arguments": [""`+strings.Repeat(`,""`, 300_000)+`]}`)
	})
	refused(t, raw, custom, mesos.REASON_TASK_INVALID, "holds more than 250000 values")
}

func TestManyProblemsMakeABoundedMessage(t *testing.T) {
	raw := bytes.Repeat(encode(99, strings.Repeat("x", 1000)), 10_000)
	if message := refused(t, raw, testInputs(), mesos.REASON_TASK_INVALID); len(message) > maxMessage {
		t.Errorf("the message has %d bytes", len(message))
	}
	for _, key := range []string{"k", strings.Repeat("k", 5000), strings.Repeat("\U0010ffff", 5000)} {
		raw := helloTask(t, func(task *mesos.TaskInfo) { task.Container.Docker.Parameters = filled(1000, mesos.Parameter{Key: key}) })
		message := refused(t, raw, testInputs(), mesos.REASON_TASK_INVALID, "1000 problems", "(1) container.docker.parameters[0]", " more")
		if len(message) > maxMessage {
			t.Errorf("the message has %d bytes", len(message))
		}
		for _, f := range Decide(raw, testInputs(), security.BuiltIn()).Findings {
			if len(f.Origin) > 2000 || len(f.Field) > 2000 || len(f.Message) > 4000 {
				t.Fatalf("a finding has %d, %d and %d bytes", len(f.Origin), len(f.Field), len(f.Message))
			}
		}
	}
	refused(t, helloTask(t, func(task *mesos.TaskInfo) { task.TaskID.Value = strings.Repeat("\x1b", 1<<20) }), testInputs(),
		mesos.REASON_TASK_INVALID, `task_id.value: "\x1b\x1b`)
}

func TestManyTrimsMakeBoundedNotes(t *testing.T) {
	for _, name := range []string{"x", strings.Repeat("x", 5000), strings.Repeat("\u2028", 5000)} {
		plan := hello(t, testInputs(), func(task *mesos.TaskInfo) {
			for i := range 1000 {
				p := mesos.Parameter{Key: "label", Value: fmt.Sprintf("%s%04d%s", security.ReservedLabelPrefix, i, name)}
				task.Container.Docker.Parameters = append(task.Container.Docker.Parameters, p)
			}
			task.HealthCheck = &mesos.HealthCheck{}
		})
		notes := strings.Join(plan.Notes, "; ")
		if len(notes) > maxMessage || len(plan.Notes) > maxTrims+5 {
			t.Errorf("%d notes of %d bytes", len(plan.Notes), len(notes))
		}
		for _, want := range []string{"trimmed " + security.ReservedLabelPrefix, " more; forced ", "health check not performed"} {
			if !strings.Contains(notes, want) {
				t.Errorf("the notes have no %q: %.300s", want, notes)
			}
		}
	}
}

func TestWhatIsForcedManyTimesIsNamedOnce(t *testing.T) {
	plan := hello(t, testInputs(), func(task *mesos.TaskInfo) {
		for i := range 900 {
			task.Container.Docker.Parameters = append(task.Container.Docker.Parameters, mesos.Parameter{Key: "tmpfs", Value: fmt.Sprintf("/t%d", i)})
		}
	})
	if notes := strings.Join(plan.Notes, "; "); strings.Count(notes, "tmpfs") != 1 {
		t.Errorf("the notes are %.2000s", notes)
	}
	var forced []string
	for i := range 900 {
		forced = append(forced, fmt.Sprintf("%04d", i))
	}
	if note := oneNote("forced ", forced); len(note) != 1 || len(note[0]) > 2*maxForced || !strings.HasSuffix(note[0], " more") {
		t.Errorf("the note is %q", note)
	}
}

func TestManySpellingsOfPrivilegedAreCounted(t *testing.T) {
	raw := helloTask(t, func(task *mesos.TaskInfo) {
		task.Container.Docker.Parameters = filled(1000, mesos.Parameter{Key: "privileged", Value: "true"})
	})
	refused(t, raw, testInputs(), mesos.REASON_TASK_UNAUTHORIZED,
		"container.docker.parameters[0] `privileged`, container.docker.parameters[1] `privileged`, container.docker.parameters[2] `privileged` and 997 more: ")
}

func TestPathsThatNoHostTakesAreRefused(t *testing.T) {
	deep := func(folders int) string { return strings.TrimSuffix(strings.Repeat("d/", folders), "/") }
	long := func(bytes int) string { return (strings.Repeat(strings.Repeat("n", 249)+"/", 17))[:bytes] }
	lease := testInputs().SandboxSource
	tests := []struct{ name, hostPath, target, want string }{
		{"component", strings.Repeat("n", 256), "/x", "container.volumes[0].host_path: The path \"nnn"},
		{"component of the target", "x", "/" + strings.Repeat("n", 256), "has 256 bytes, and the kernel takes 255"},
		{"depth", deep(65), "/x", "more than 64 folders deep"},
		{"depth of the target", "x", "/" + deep(65), "container.volumes[0].container_path: "},
		{"length", long(4096), "/x", "it has 4096 bytes, and the kernel takes 4095"},
		{"length of the target", "x", "/" + long(4095), "container.volumes[0].container_path: "},
		{"length before it is cleaned", strings.Repeat("./", 1<<20) + "x", "/x", "it has 2097153 bytes"},
		{"length with the sandbox", long(4095 - len(lease)), "/x", "it has 4096 bytes"},
		{"length of the target with the sandbox", "/sandbox/x", long(4090), "container.volumes[0].container_path: "},
		{"control character", "a\nb", "/x", `container.volumes[0].host_path: The path "a\nb"`},
		{"control character in the target", "a", "/x\x1b[2K", `container.volumes[0].container_path: The path "/x\x1b[2K"`},
		{"NUL", "a\x00b", "/x", "control character"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			message := refused(t, helloTask(t, func(task *mesos.TaskInfo) {
				task.Container.Volumes = []mesos.Volume{{HostPath: &test.hostPath, ContainerPath: test.target, Mode: ptr(mesos.RW)}}
			}), testInputs(), mesos.REASON_TASK_INVALID, test.want)
			if len(message) > 1000 {
				t.Errorf("the message has %d bytes", len(message))
			}
		})
	}
	hello(t, testInputs(), func(task *mesos.TaskInfo) {
		task.Container.Volumes = []mesos.Volume{
			{HostPath: ptr(long(4094 - len(lease))), ContainerPath: "/" + long(4094), Mode: ptr(mesos.RW)},
			{HostPath: ptr(deep(60) + "/" + strings.Repeat("n", 255)), ContainerPath: "/" + deep(64), Mode: ptr(mesos.RW)},
		}
	})
}

func TestNamesWithControlCharactersAreRefused(t *testing.T) {
	in := testInputs()
	in.TaskEnvironment = map[string]string{"A\nB": "never-shown"}
	refused(t, fixture(t, "hello"), in, mesos.REASON_TASK_INVALID, `--task_environment: Variable "A\nB"`)

	message := refused(t, helloTask(t, func(task *mesos.TaskInfo) {
		task.Command.Environment = &mesos.Environment{Variables: []mesos.Environment_Variable{{Name: "A\nB", Value: ptr("never-shown")}}}
		task.Container.Docker.Parameters = []mesos.Parameter{
			{Key: "label", Value: "a\x1b[2K=b"}, {Key: "cap-add\nallow", Value: "x"}, {Key: "hostname", Value: "a\nb"}, {Key: "cap-add", Value: "KILL\nx"},
		}
		task.Limits = map[string]mesos.Value_Scalar{"mem\nx": {Value: 1}}
	}), testInputs(), mesos.REASON_TASK_INVALID,
		`Variable "A\nB"`, `The label's name "a\x1b[2K"`, "parameters[1] `cap-add\\nallow`", `Hostname "a\nb"`, `"KILL\nx" is not a capability`, `limits.mem\nx: `)
	if strings.ContainsAny(message, "\n\x1b") {
		t.Errorf("the message is not one line: %q", message)
	}

	// In a value a line break means nothing to anybody.
	plan := hello(t, testInputs(), func(task *mesos.TaskInfo) {
		task.Container.Docker.Parameters = []mesos.Parameter{{Key: "label", Value: "a=b\nc"}}
	})
	if plan.Spec.Config.Labels["a"] != "b\nc" {
		t.Errorf("%q", plan.Spec.Config.Labels)
	}
}

func TestRefusalIsTheSameEveryTime(t *testing.T) {
	raw := helloTask(t, func(task *mesos.TaskInfo) {
		task.Limits = map[string]mesos.Value_Scalar{}
		for i := range 20 {
			task.Limits[fmt.Sprint("r", i)] = mesos.Value_Scalar{Value: 1}
		}
	})
	first := refused(t, raw, testInputs(), mesos.REASON_TASK_INVALID, "limits.r0: ", "limits.r19: ")
	for range 20 {
		if again := refused(t, raw, testInputs(), mesos.REASON_TASK_INVALID); again != first {
			t.Fatalf("%s\n%s", first, again)
		}
	}
}

func TestMemoryIsAllThereIs(t *testing.T) {
	host := hello(t, testInputs(), func(*mesos.TaskInfo) {}).Spec.Host
	if host.MemorySwap != host.Memory || host.Memory != 64<<20 {
		t.Errorf("memory %d, with swap %d", host.Memory, host.MemorySwap)
	}
}
