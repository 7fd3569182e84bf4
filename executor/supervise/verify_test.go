package supervise

import (
	"strings"
	"testing"

	api "github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/process"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security"
)

func TestRightsAreThoseThatWereDecided(t *testing.T) {
	const seccomp, remap = "name=seccomp,profile=default", "name=userns"
	for _, test := range []struct {
		name   string
		host   api.HostConfig
		engine []string
		want   process.RightsLimit
	}{
		{"nothing", api.HostConfig{}, nil, process.RightsLimit{HostNamespaces: []string{"cgroup", "user"}}},
		{
			"the usual", api.HostConfig{CapAdd: []string{"CAP_CHOWN"}, SecurityOpt: []string{"no-new-privileges"}}, []string{"name=apparmor", seccomp},
			process.RightsLimit{Capabilities: []string{"CAP_CHOWN"}, NoNewPrivs: true, Seccomp: true, HostNamespaces: []string{"cgroup", "user"}},
		},
		{
			"less confinement", api.HostConfig{SecurityOpt: []string{"no-new-privileges=false", "seccomp=unconfined"}}, []string{seccomp},
			process.RightsLimit{HostNamespaces: []string{"cgroup", "user"}},
		},
		{
			"a profile of the policy's", api.HostConfig{SecurityOpt: []string{"seccomp={}"}}, []string{seccomp},
			process.RightsLimit{Seccomp: true, HostNamespaces: []string{"cgroup", "user"}},
		},
		{
			"the host's namespaces", api.HostConfig{NetworkMode: "host", IpcMode: "host", PidMode: "host", UTSMode: "host", UsernsMode: "host", CgroupnsMode: "host"}, []string{remap},
			process.RightsLimit{HostNamespaces: []string{"cgroup", "ipc", "net", "pid", "user", "uts"}},
		},
		{
			"an engine that confines nobody", api.HostConfig{SecurityOpt: []string{"apparmor=unconfined", "systempaths=unconfined"}}, []string{"name=seccomp,profile=unconfined"},
			process.RightsLimit{HostNamespaces: []string{"cgroup", "user"}},
		},
		{
			"a profile at an engine that confines nobody", api.HostConfig{SecurityOpt: []string{"seccomp={}"}}, []string{"name=seccomp,profile=unconfined"},
			process.RightsLimit{Seccomp: true, HostNamespaces: []string{"cgroup", "user"}},
		},
		{
			"a profile at an engine without seccomp", api.HostConfig{SecurityOpt: []string{"seccomp={}"}}, nil,
			process.RightsLimit{HostNamespaces: []string{"cgroup", "user"}},
		},
		{"namespaces of its own", api.HostConfig{CgroupnsMode: "private"}, []string{remap}, process.RightsLimit{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, rightsLimit(security.Spec{Host: test.host}, false, test.engine)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestRootIsRuledOutWhereThePolicyRulesItOut(t *testing.T) {
	for _, nonRoot := range []bool{false, true} {
		if got := rightsLimit(security.Spec{}, nonRoot, nil).NonRoot; got != nonRoot {
			t.Errorf("got %v, want %v", got, nonRoot)
		}
	}
}

func TestContainerThatMayDoMoreThanDecidedIsKilled(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toSeen...)
	s.tell(Started{})
	s.did()
	s.tell(Inspected{Exceeds: []string{"The container runs without a seccomp filter, though it was to have one."}})
	s.want("SIGKILL kill_ladder=1s")
	s.tell(died, OutputEnded{})
	if got := s.last(); !strings.HasPrefix(got, "the container may do more than the policy decided, and is killed: The container runs without") {
		t.Errorf("message %q", got)
	}
	s.want("log_drain=2s FAILED acknowledgement=1m0s Discard")
}

func TestKilledContainerThatMayDoTooMuchStaysAKilledOne(t *testing.T) {
	s := newScript(t, task.Plan{})
	s.tell(toSeen...)
	s.tell(Started{}, killNow(), Inspected{Exceeds: []string{"Too much."}}, died, OutputEnded{})
	var states []mesos.TaskState
	for _, c := range s.out {
		if sent, ok := c.(Send); ok {
			states = append(states, sent.Status.GetState())
		}
	}
	if diff := cmp.Diff([]mesos.TaskState{mesos.TASK_STARTING, mesos.TASK_KILLING, mesos.TASK_KILLED}, states); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
