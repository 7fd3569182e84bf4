//go:build acceptance

package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security"
)

// The executor's own decision about each task must be the one that its check expects: otherwise the check is wrong, or the
// executor is, and no Mesos is needed to see it.
func TestExecutorDecidesAsTheChecksExpect(t *testing.T) {
	for _, m := range []mode{dropIn, custom} {
		for _, c := range checks("secret-mark") {
			t.Run(string(m)+"/"+c.slug(), func(t *testing.T) {
				info := built(t, m, c)
				raw, err := info.Marshal()
				if err != nil {
					t.Fatal(err)
				}
				d := task.Decide(raw, task.Inputs{
					Mode: task.Mode(m), ContainerID: fakeContainerID, ContainerName: "mesos-" + fakeContainerID,
					Sandbox: "/var/lib/mesos/sandbox", SandboxSource: "/run/mesos-docker-executor/lease",
				}, security.BuiltIn())
				if c.expect.states[0] != mesos.TASK_ERROR {
					if d.Plan == nil {
						t.Fatalf("refused: %+v", d.Refusal)
					}
					notes := strings.Join(d.Plan.Notes, "; ")
					for _, w := range c.expect.startingSays {
						if !strings.Contains(notes, w) {
							t.Errorf("notes %q do not say %q", notes, w)
						}
					}
					return
				}
				if d.Refusal == nil {
					t.Fatal("accepted")
				}
				if d.Refusal.State != mesos.TASK_ERROR || d.Refusal.Reason != *c.expect.reason || !strings.Contains(strings.ToLower(d.Refusal.Message), c.expect.says[0]) {
					t.Errorf("refused with %s %s %q", d.Refusal.State, d.Refusal.Reason, d.Refusal.Message)
				}
			})
		}
	}
}

// built is a check's task as it goes into ACCEPT.
func built(t *testing.T, m mode, c check) mesos.TaskInfo {
	t.Helper()
	offer := mesos.Offer{Resources: offeredResources("web")}
	s, err := carve(offer, c.shape.needs())
	if err != nil {
		t.Fatal(err)
	}
	info, err := c.shape.build(m, place{
		taskID: "acceptance-1." + string(m) + "." + c.slug(), framework: fakeFrameworkID, agent: fakeAgentID, image: "busybox:local",
		binary: "/usr/libexec/mesos/mesos-docker-executor", share: s,
	})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func offeredResources(role string) []mesos.Resource {
	allocated := &mesos.Resource_AllocationInfo{Role: &role}
	return []mesos.Resource{
		{Name: "cpus", Type: mesos.SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: 2}, AllocationInfo: allocated},
		{Name: "mem", Type: mesos.SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: 8192}, AllocationInfo: allocated},
		{Name: "ports", Type: mesos.RANGES.Enum(), Ranges: &mesos.Value_Ranges{Range: []mesos.Value_Range{{Begin: 31000, End: 32000}}}, AllocationInfo: allocated},
	}
}

// A real agent accepted this ExecutorInfo (but for ids, names and the path).
func TestCustomExecutorHasTheShapeThatAnAgentAccepted(t *testing.T) {
	info := built(t, custom, checks("")[0])
	role := "web"
	want := &mesos.ExecutorInfo{
		Type: mesos.ExecutorInfo_CUSTOM, ExecutorID: mesos.ExecutorID{Value: info.TaskID.Value}, FrameworkID: &mesos.FrameworkID{Value: fakeFrameworkID},
		Command: &mesos.CommandInfo{Shell: new(false), Value: new("/usr/libexec/mesos/mesos-docker-executor"), Arguments: []string{"mesos-docker-executor"}, User: new("root")},
		Resources: []mesos.Resource{
			{Name: "cpus", Type: mesos.SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: 0.1}, AllocationInfo: &mesos.Resource_AllocationInfo{Role: &role}},
			{Name: "mem", Type: mesos.SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: 32}, AllocationInfo: &mesos.Resource_AllocationInfo{Role: &role}},
		},
	}
	if diff := cmp.Diff(want, info.Executor); diff != "" {
		t.Errorf("executor (-want +got):\n%s", diff)
	}
	if info.Command != nil {
		t.Error("a task with an executor must have no command")
	}
	if got := string(info.Data); !strings.HasPrefix(got, `{"environment":{"variables":[{"name":"ACCEPTANCE_MARK","value":""}]},"shell":true,"value":"`) {
		t.Errorf("data %s", got)
	}
}
