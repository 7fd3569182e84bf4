package task

import (
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// TestParametersAgreeWithStructuredFields: a parameter that says what a field says is taken, one that says something else
// names the field.
func TestParametersAgreeWithStructuredFields(t *testing.T) {
	userNetwork := func(task *mesos.TaskInfo) {
		task.Container.Docker.Network = mesos.ContainerInfo_DockerInfo_USER.Enum()
		task.Container.NetworkInfos = []mesos.NetworkInfo{{Name: ptr("web"), IPAddresses: []mesos.NetworkInfo_IPAddress{{IPAddress: ptr("10.0.0.1")}}}}
	}
	capabilities := func(names ...mesos.CapabilityInfo_Capability) *mesos.CapabilityInfo {
		return &mesos.CapabilityInfo{Capabilities: names}
	}
	for field, test := range map[string]struct {
		change        func(*mesos.TaskInfo)
		agrees, other string
	}{
		"container.hostname": {func(task *mesos.TaskInfo) {
			task.Container.Hostname, task.Container.Docker.Network = ptr("a"), mesos.ContainerInfo_DockerInfo_BRIDGE.Enum()
		}, "hostname a", "h b"},
		"command.user":                  {func(task *mesos.TaskInfo) { task.Command.User = ptr("a") }, "user a", "u b"},
		"container.linux_info.shm_size": {func(task *mesos.TaskInfo) { task.Container.LinuxInfo = &mesos.LinuxInfo{SHMSize: ptr(uint32(64))} }, "shm-size 64m", "shm-size 1m"},
		"container.rlimit_info.rlimits[0]": {func(task *mesos.TaskInfo) {
			limit := mesos.RLimitInfo_RLimit{Type: mesos.RLimitInfo_RLimit_RLMT_NOFILE, Hard: ptr(uint64(10)), Soft: ptr(uint64(5))}
			task.Container.RlimitInfo = &mesos.RLimitInfo{Rlimits: []mesos.RLimitInfo_RLimit{limit}}
		}, "ulimit nofile=5:10", "ulimit nofile=5"},
		"container.linux_info.bounding_capabilities": {func(task *mesos.TaskInfo) {
			task.Container.LinuxInfo = &mesos.LinuxInfo{BoundingCapabilities: capabilities(mesos.CapabilityInfo_KILL)}
		}, "cap-add KILL", "cap-add cap_chown"},
		"container.linux_info.effective_capabilities": {func(task *mesos.TaskInfo) {
			task.Container.LinuxInfo = &mesos.LinuxInfo{EffectiveCapabilities: capabilities(mesos.CapabilityInfo_CHOWN)}
		}, "cap-drop KILL", "cap-drop CHOWN"},
		"container.linux_info.capability_info": {func(task *mesos.TaskInfo) {
			task.Container.LinuxInfo = &mesos.LinuxInfo{CapabilityInfo: capabilities(mesos.CapabilityInfo_CHOWN)}
		}, "cap-drop ALL", "cap-drop Cap_Chown"},
		"container.linux_info.seccomp.unconfined": {func(task *mesos.TaskInfo) {
			task.Container.LinuxInfo = &mesos.LinuxInfo{Seccomp: &mesos.SeccompInfo{Unconfined: ptr(true)}}
		}, "security-opt seccomp=unconfined", "security-opt seccomp=web"},
		"container.tty_info":                      {func(task *mesos.TaskInfo) { task.Container.TTYInfo = &mesos.TTYInfo{} }, "tty true", "t false"},
		"container.docker.volume_driver":          {func(task *mesos.TaskInfo) { task.Container.Docker.VolumeDriver = ptr("a") }, "volume-driver a", "volume-driver b"},
		"container.network_infos[0].name":         {userNetwork, "network web", "net other"},
		"container.network_infos[0].ip_addresses": {userNetwork, "ip 10.0.0.1", "ip 10.0.0.2"},
	} {
		if message := problemsOf(t, test.change, test.agrees); message != "" {
			t.Errorf("%s and %s: %s", field, test.agrees, message)
		}
		if message := problemsOf(t, test.change, test.other); !strings.Contains(message, "contradicts "+field) || !strings.Contains(message, "; keep one of them") {
			t.Errorf("%s and %s: %s", field, test.other, message)
		}
	}
}

// TestContradictionsShowBothValues: unless one of them may be a secret.
func TestContradictionsShowBothValues(t *testing.T) {
	bridge := func(task *mesos.TaskInfo) { docker(task).Network = mesos.ContainerInfo_DockerInfo_BRIDGE.Enum() }
	for _, test := range []struct {
		want       string
		change     func(*mesos.TaskInfo)
		parameters []string
	}{
		{"`host` contradicts container.docker.network (BRIDGE); keep one of them.", bridge, []string{"network host"}},
		{"`web` contradicts container.docker.network (BRIDGE); keep", bridge, []string{"net name=web,driver-opt=password=never-shown"}},
		{"`team-b` contradicts container.network_infos[0].name (team-a); keep", withUserNetwork(mesos.NetworkInfo{Name: ptr("team-a")}), []string{"network team-b"}},
		{"`1g` contradicts container.linux_info.shm_size (64 MiB); keep", withLinux(mesos.LinuxInfo{SHMSize: ptr(uint32(64))}), []string{"shm-size 1g"}},
		{"`nofile=5` contradicts container.docker.parameters[0] `ulimit` (4:8); keep", nil, []string{"ulimit nofile=4:8", "ulimit nofile=5"}},
		{"`10` contradicts kill_policy.grace_period (5s); keep", func(task *mesos.TaskInfo) {
			task.KillPolicy = &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: 5e9}}
		}, []string{"stop-timeout 10"}},
		{"`b` contradicts container.docker.parameters[0] `workdir` (/a)", nil, []string{"workdir /a", "w b"}},
		{"`net.ipv4.ip_forward=0` contradicts container.docker.parameters[0] `sysctl` (1); keep", nil, []string{"sysctl net.ipv4.ip_forward=1", "sysctl net.ipv4.ip_forward=0"}},
		{"The parameter contradicts container.docker.parameters[0] `log-opt`; keep", nil, []string{"log-opt token=never-shown", "log-opt token=never-shown-2"}},
		{"The parameter contradicts container.docker.parameters[0] `health-cmd`; keep", nil, []string{"health-cmd never-shown", "health-cmd never-shown-2"}},
		{"The parameter contradicts container.docker.parameters[0] `storage-opt`; keep", nil, []string{"storage-opt size=never-shown", "storage-opt size=never-shown-2"}},
	} {
		if message := problemsOf(t, test.change, test.parameters...); !strings.Contains(message, test.want) || strings.Contains(message, "never-shown") {
			t.Errorf("%v: got %q, want %q", test.parameters, message, test.want)
		}
	}
}

// TestOneParameterDoesNotHideAContradiction: what linux_info says stands, whatever another parameter said of it before.
func TestOneParameterDoesNotHideAContradiction(t *testing.T) {
	sets := func(task *mesos.TaskInfo) {
		only := &mesos.CapabilityInfo{Capabilities: []mesos.CapabilityInfo_Capability{mesos.CapabilityInfo_KILL}}
		task.Container.LinuxInfo = &mesos.LinuxInfo{EffectiveCapabilities: only, BoundingCapabilities: only}
	}
	for _, parameters := range [][]string{{"cap-drop CHOWN", "cap-add CHOWN"}, {"cap-add KILL", "cap-drop KILL"}} {
		if message := problemsOf(t, sets, parameters...); !strings.HasPrefix(message, "container.docker.parameters[1] ") || strings.Contains(message, "\n") {
			t.Errorf("%v: %q", parameters, message)
		}
	}
}

// TestTheVolumeDriverIsThatOfTheTasksVolumes: the policy sees it with each volume that has it.
func TestTheVolumeDriverIsThatOfTheTasksVolumes(t *testing.T) {
	rules := security.BuiltInRules()
	rules.Mounts.Volumes = []security.VolumeRule{{Driver: "nfs", Names: []string{"*"}}}
	raw := helloTask(t, func(task *mesos.TaskInfo) {
		task.Container.Docker.Parameters = parametersOf("volume data:/x", "volume-driver nfs")
	})
	d := Decide(raw, testInputs(), security.New("test", rules))
	if d.Refusal != nil {
		t.Fatal(d.Refusal.Message)
	}
	if m := d.Plan.Spec.Host.Mounts[1]; d.Plan.Spec.Host.VolumeDriver != "" || m.VolumeOptions.DriverConfig.Name != "nfs" {
		t.Errorf("%+v", d.Plan.Spec.Host)
	}
}
