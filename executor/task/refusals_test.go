package task

import (
	"cmp"
	"math"
	"strings"
	"testing"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// refusal is a task that is invalid because of some fields.
type refusal struct {
	fields string // "Message.field", separated by blanks
	name   string
	change func(*mesos.TaskInfo)
	parts  []string // of the message
	// reason is REASON_TASK_INVALID if it is not set.
	reason mesos.TaskStatus_Reason
}

func docker(t *mesos.TaskInfo) *mesos.ContainerInfo_DockerInfo { return t.Container.Docker }

func withVolume(v mesos.Volume) func(*mesos.TaskInfo) {
	return func(t *mesos.TaskInfo) {
		if v.Mode == nil {
			v.Mode = mesos.RW.Enum()
		}
		if v.ContainerPath == "" {
			v.ContainerPath = "/data"
		}
		t.Container.Volumes = append(t.Container.Volumes, v)
	}
}

func withSource(s mesos.Volume_Source) func(*mesos.TaskInfo) {
	return withVolume(mesos.Volume{Source: &s})
}

func withLinux(l mesos.LinuxInfo) func(*mesos.TaskInfo) {
	return func(t *mesos.TaskInfo) { t.Container.LinuxInfo = &l }
}

func withRlimit(l mesos.RLimitInfo_RLimit) func(*mesos.TaskInfo) {
	return func(t *mesos.TaskInfo) {
		t.Container.RlimitInfo = &mesos.RLimitInfo{Rlimits: []mesos.RLimitInfo_RLimit{l}}
	}
}

func withUserNetwork(infos ...mesos.NetworkInfo) func(*mesos.TaskInfo) {
	return func(t *mesos.TaskInfo) {
		docker(t).Network = mesos.ContainerInfo_DockerInfo_USER.Enum()
		t.Container.NetworkInfos = infos
	}
}

func withLimit(name string, value float64) func(*mesos.TaskInfo) {
	return func(t *mesos.TaskInfo) { t.Limits = map[string]mesos.Value_Scalar{name: {Value: value}} }
}

func withDisk(d mesos.Resource_DiskInfo) func(*mesos.TaskInfo) {
	return func(t *mesos.TaskInfo) {
		disk := mesos.Resource{
			Name: "disk", Type: mesos.SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: 10},
			AllocationInfo: t.Resources[0].AllocationInfo,
			Reservations:   []mesos.Resource_ReservationInfo{{Role: ptr("web/front")}},
			Disk:           &d,
		}
		t.Resources = append(t.Resources, disk)
	}
}

func persistent(containerPath string) mesos.Resource_DiskInfo {
	return mesos.Resource_DiskInfo{
		Persistence: &mesos.Resource_DiskInfo_Persistence{ID: "p1"},
		Volume:      &mesos.Volume{ContainerPath: containerPath, Mode: mesos.RW.Enum()},
	}
}

func capabilities(names ...mesos.CapabilityInfo_Capability) *mesos.CapabilityInfo {
	return &mesos.CapabilityInfo{Capabilities: names}
}

func refusals() []refusal {
	return []refusal{
		{"DockerInfo.privileged", "privileged", func(t *mesos.TaskInfo) { docker(t).Privileged = ptr(true) },
			[]string{"container.docker.privileged", "no policy can allow"}, mesos.REASON_TASK_UNAUTHORIZED},
		{"TaskInfo.check", "check", func(t *mesos.TaskInfo) {
			t.Check = &mesos.CheckInfo{Type: mesos.CheckInfo_COMMAND}
		}, []string{"check: ", "not supported"}, 0},
		{"TaskInfo.task_id", "task id with a slash", func(t *mesos.TaskInfo) { t.TaskID.Value = "a/b" }, []string{"task_id.value"}, 0},
		{"ContainerInfo.mesos", "Mesos image", func(t *mesos.TaskInfo) {
			t.Container.Mesos = &mesos.ContainerInfo_MesosInfo{Image: &mesos.Image{Type: mesos.Image_DOCKER.Enum()}}
		}, []string{"container.mesos"}, 0},
		{"ContainerInfo.type", "`MESOS`", func(t *mesos.TaskInfo) { t.Container.Type = mesos.ContainerInfo_MESOS.Enum() }, []string{"container.type"}, 0},

		{"Volume.image", "image volume", withVolume(mesos.Volume{Image: &mesos.Image{Type: mesos.Image_DOCKER.Enum()}}),
			[]string{"container.volumes[0].image", "`host_path`"}, 0},
		{"", "two sources", withVolume(mesos.Volume{HostPath: ptr("a"), Source: &mesos.Volume_Source{}}),
			[]string{"container.volumes[0].source", "remove one"}, 0},
		{"Source.secret", "secret volume", withSource(mesos.Volume_Source{Type: mesos.Volume_Source_SECRET,
			Secret: &mesos.Secret{Type: mesos.Secret_VALUE, Value: &mesos.Secret_Value{Data: []byte("never-shown")}}}),
			[]string{"container.volumes[0].source.secret", "fetch the secret"}, 0},
		{"", "source without type", withSource(mesos.Volume_Source{}), []string{"container.volumes[0].source.type"}, 0},
		{"", "source of two types", withSource(mesos.Volume_Source{Type: mesos.Volume_Source_HOST_PATH,
			DockerVolume: &mesos.Volume_Source_DockerVolume{Name: "v"}}), []string{"container.volumes[0].source.docker_volume", "HOST_PATH"}, 0},
		{"", "source without its part", withSource(mesos.Volume_Source{Type: mesos.Volume_Source_DOCKER_VOLUME}),
			[]string{"container.volumes[0].source.docker_volume", "missing"}, 0},
		{"", "relative host path source", withSource(mesos.Volume_Source{Type: mesos.Volume_Source_HOST_PATH,
			HostPath: &mesos.Volume_Source_HostPath{Path: "data"}}), []string{"source.host_path.path", `"data"`, "SANDBOX_PATH"}, 0},
		{"SandboxPath.type", "sandbox of a parent", withSource(mesos.Volume_Source{Type: mesos.Volume_Source_SANDBOX_PATH,
			SandboxPath: &mesos.Volume_Source_SandboxPath{Type: mesos.Volume_Source_SandboxPath_PARENT, Path: "x"}}),
			[]string{"sandbox_path.type", "SELF"}, 0},
		{"", "path out of the sandbox", withSource(mesos.Volume_Source{Type: mesos.Volume_Source_SANDBOX_PATH,
			SandboxPath: &mesos.Volume_Source_SandboxPath{Type: mesos.Volume_Source_SandboxPath_SELF, Path: "../x"}}),
			[]string{"sandbox_path.path", `"../x"`}, 0},
		{"", "two drivers", func(t *mesos.TaskInfo) {
			docker(t).VolumeDriver = ptr("one")
			withSource(mesos.Volume_Source{Type: mesos.Volume_Source_DOCKER_VOLUME,
				DockerVolume: &mesos.Volume_Source_DockerVolume{Name: "v", Driver: ptr("two")}})(t)
		}, []string{"source.docker_volume", `"two"`, `"one"`, "only one"}, 0},
		{"", "driver options without a driver", withSource(mesos.Volume_Source{Type: mesos.Volume_Source_DOCKER_VOLUME,
			DockerVolume: &mesos.Volume_Source_DockerVolume{Name: "v", DriverOptions: &mesos.Parameters{
				Parameter: []mesos.Parameter{{Key: "password", Value: "never-shown"}}}}}), []string{"driver_options", "`driver`"}, 0},
		{"", "driver option twice", withSource(mesos.Volume_Source{Type: mesos.Volume_Source_DOCKER_VOLUME,
			DockerVolume: &mesos.Volume_Source_DockerVolume{Name: "v", Driver: ptr("d"), DriverOptions: &mesos.Parameters{
				Parameter: []mesos.Parameter{{Key: "k", Value: "never-shown"}, {Key: "k", Value: "never-shown2"}}}}}), []string{"driver_options[1]", `"k"`}, 0},
		{"", "volume without name", withSource(mesos.Volume_Source{Type: mesos.Volume_Source_DOCKER_VOLUME,
			DockerVolume: &mesos.Volume_Source_DockerVolume{}}), []string{"docker_volume.name"}, 0},

		{"NetworkInfo.groups", "network groups", withUserNetwork(mesos.NetworkInfo{Name: ptr("net1"), Groups: []string{"g"}}),
			[]string{"network_infos[0].groups"}, 0},
		{"", "user network without info", withUserNetwork(), []string{"container.network_infos", "one network info"}, 0},
		{"", "two networks", withUserNetwork(mesos.NetworkInfo{Name: ptr("a")}, mesos.NetworkInfo{Name: ptr("b")}), []string{"there are 2"}, 0},
		{"", "network without name", withUserNetwork(mesos.NetworkInfo{}), []string{"the network's name"}, 0},
		{"", "network infos of a bridge", func(t *mesos.TaskInfo) {
			t.Container.NetworkInfos = []mesos.NetworkInfo{{Name: ptr("net1")}}
		}, []string{"container.network_infos", "USER"}, 0},
		{"", "ports of a host network", func(t *mesos.TaskInfo) {
			docker(t).Network = nil
			docker(t).PortMappings = []mesos.ContainerInfo_DockerInfo_PortMapping{{HostPort: 1, ContainerPort: 1}}
		}, []string{"container.docker.port_mappings", "BRIDGE or USER"}, 0},
		{"", "network port that is not mapped", withUserNetwork(mesos.NetworkInfo{Name: ptr("n"),
			PortMappings: []mesos.NetworkInfo_PortMapping{{HostPort: 1, ContainerPort: 1}}}), []string{"network_infos[0].port_mappings[0]"}, 0},
		{"", "address of the other protocol", withUserNetwork(mesos.NetworkInfo{Name: ptr("n"), IPAddresses: []mesos.NetworkInfo_IPAddress{
			{Protocol: mesos.IPv6.Enum(), IPAddress: ptr("10.0.0.1")}}}), []string{"ip_addresses[0].ip_address", "IPv6"}, 0},
		{"", "two addresses", withUserNetwork(mesos.NetworkInfo{Name: ptr("n"), IPAddresses: []mesos.NetworkInfo_IPAddress{
			{IPAddress: ptr("10.0.0.1")}, {IPAddress: ptr("10.0.0.2")}}}), []string{"ip_addresses[1].ip_address"}, 0},
		{"", "hostname", func(t *mesos.TaskInfo) { t.Container.Hostname = ptr("a_b") }, []string{"container.hostname", `"a_b"`}, 0},

		{"", "limit below the request", withLimit("mem", 1), []string{"limits.mem", "below"}, 0},
		{"", "limit of NaN", withLimit("cpus", math.NaN()), []string{"limits.cpus", "NaN"}, 0},
		{"", "limit of minus infinity", withLimit("cpus", math.Inf(-1)), []string{"limits.cpus", "-Inf"}, 0},
		{"", "limit of another resource", withLimit("disk", 1000), []string{"limits.disk", "`cpus` and `mem`"}, 0},
		{"", "gpus as ranges", func(t *mesos.TaskInfo) {
			gpus := t.Resources[0]
			gpus.Name, gpus.Type, gpus.Scalar = "gpus", mesos.RANGES.Enum(), nil
			gpus.Ranges = &mesos.Value_Ranges{Range: []mesos.Value_Range{{Begin: 1, End: 2}}}
			t.Resources = append(t.Resources, gpus)
		}, []string{"resources[2]", "gpus"}, 0},
		{"", "gpus", func(t *mesos.TaskInfo) {
			gpu := t.Resources[0]
			gpu.Name = "gpus"
			t.Resources = append(t.Resources, gpu)
		}, []string{"gpus"}, 0},
		{"Source.type", "raw disk", withDisk(mesos.Resource_DiskInfo{Source: &mesos.Resource_DiskInfo_Source{Type: mesos.Resource_DiskInfo_Source_RAW}}),
			[]string{"resources[2].disk.source", "PATH and MOUNT"}, 0},
		{"", "persistent volume that the agent skips", withDisk(persistent("/data")),
			[]string{"resources[2].disk.volume.container_path", `at "/data" in drop-in mode`, `such as "data"`}, 0},
		{"", "persistent volume in a folder", withDisk(persistent("db/files")), []string{`"db/files"`, `such as "files"`}, 0},
		{"", "persistent volume at the root", withDisk(persistent("/")), []string{`such as "data"`}, 0},

		{"LinuxInfo.share_cgroups", "shared cgroups", withLinux(mesos.LinuxInfo{ShareCgroups: ptr(true)}), []string{"linux_info.share_cgroups"}, 0},
		{"SeccompInfo.profile_name", "seccomp profile", withLinux(mesos.LinuxInfo{Seccomp: &mesos.SeccompInfo{ProfileName: ptr("x")}}),
			[]string{"linux_info.seccomp.profile_name"}, 0},
		{"", "size of a shared /dev/shm", withLinux(mesos.LinuxInfo{IPCMode: mesos.LinuxInfo_SHARE_PARENT.Enum(), SHMSize: ptr(uint32(1))}),
			[]string{"linux_info.shm_size"}, 0},
		{"", "/dev/shm of nothing", withLinux(mesos.LinuxInfo{SHMSize: ptr(uint32(0))}), []string{"linux_info.shm_size", "0 MiB"}, 0},
		{"", "both names of the effective set", withLinux(mesos.LinuxInfo{CapabilityInfo: capabilities(), EffectiveCapabilities: capabilities()}),
			[]string{"linux_info.capability_info"}, 0},
		{"", "effective beyond bounding", withLinux(mesos.LinuxInfo{EffectiveCapabilities: capabilities(mesos.CapabilityInfo_KILL),
			BoundingCapabilities: capabilities(mesos.CapabilityInfo_CHOWN)}), []string{"effective_capabilities", "KILL", "bounding"}, 0},
		{"", "unknown capability", withLinux(mesos.LinuxInfo{EffectiveCapabilities: capabilities(mesos.CapabilityInfo_UNKNOWN)}),
			[]string{"effective_capabilities.capabilities[0]"}, 0},
		{"", "rlimit without type", withRlimit(mesos.RLimitInfo_RLimit{}), []string{"rlimits[0].type"}, 0},
		{"", "half an rlimit", withRlimit(mesos.RLimitInfo_RLimit{Type: mesos.RLimitInfo_RLimit_RLMT_CPU, Soft: ptr(uint64(1))}), []string{"rlimits[0]", "both"}, 0},
		{"", "soft above hard", withRlimit(mesos.RLimitInfo_RLimit{Type: mesos.RLimitInfo_RLimit_RLMT_CPU, Soft: ptr(uint64(2)), Hard: ptr(uint64(1))}),
			[]string{"rlimits[0]", "2:1"}, 0},
		{"", "rlimit twice", func(t *mesos.TaskInfo) {
			l := mesos.RLimitInfo_RLimit{Type: mesos.RLimitInfo_RLimit_RLMT_CPU}
			t.Container.RlimitInfo = &mesos.RLimitInfo{Rlimits: []mesos.RLimitInfo_RLimit{l, l}}
		}, []string{"rlimits[1]", "twice"}, 0},
		{"TTYInfo.window_size", "window size", func(t *mesos.TaskInfo) {
			t.Container.TTYInfo = &mesos.TTYInfo{WindowSize: &mesos.TTYInfo_WindowSize{Rows: 1, Columns: 1}}
		}, []string{"tty_info.window_size"}, 0},
		{"", "user", func(t *mesos.TaskInfo) { t.Command.User = ptr("a:b:c") }, []string{"command.user", `"a:b:c"`}, 0},
		{"Variable.secret", "secret variable", func(t *mesos.TaskInfo) {
			t.Command.Environment = &mesos.Environment{Variables: []mesos.Environment_Variable{{Name: "TOKEN", Type: mesos.Environment_Variable_SECRET.Enum(),
				Secret: &mesos.Secret{Type: mesos.Secret_VALUE, Value: &mesos.Secret_Value{Data: []byte("never-shown")}}}}}
		}, []string{"command.environment.variables[0]", "TOKEN", "secret"}, 0},
	}
}

func TestFieldsThatCannotBeHonouredAreRefusedByName(t *testing.T) {
	for _, r := range refusals() {
		t.Run(r.name, func(t *testing.T) {
			task := fixtureTask(t, "hello")
			r.change(&task)
			refused(t, marshal(t, task), testInputs(), cmp.Or(r.reason, mesos.REASON_TASK_INVALID), r.parts...)
		})
	}
}

func TestPersistentVolumeOfTheAgentNeedsNothing(t *testing.T) {
	plain := hello(t, testInputs(), func(*mesos.TaskInfo) {})
	plan := hello(t, testInputs(), withDisk(persistent("data")))
	if len(plan.Notes) != len(plain.Notes) || len(plan.Spec.Host.Mounts) != len(plain.Spec.Host.Mounts) {
		t.Errorf("notes %q, mounts %v", plan.Notes, plan.Spec.Host.Mounts)
	}
}

func TestPasswordInAnImageIsNotShown(t *testing.T) {
	for _, image := range []string{"https://user:canary@registry.example/app", "user:canary@registry.example/app", "//user:canary@r/app:1"} {
		raw := helloTask(t, func(task *mesos.TaskInfo) { task.Container.Docker.Image = image })
		message := refused(t, raw, testInputs(), mesos.REASON_TASK_INVALID, "container.docker.image", "is not an image reference")
		if strings.Contains(message, "canary") {
			t.Errorf("%s: %s", image, message)
		}
	}
}

// TestNothingIsMountedInASharedPersistentVolume: other tasks can write to it while the runtime walks there.
func TestNothingIsMountedInASharedPersistentVolume(t *testing.T) {
	for _, shared := range []bool{true, false} {
		task := fixtureTask(t, "hello")
		withDisk(persistent("/data"))(&task)
		if shared {
			task.Resources[len(task.Resources)-1].Shared = &mesos.Resource_SharedInfo{}
		}
		docker(&task).Parameters = parametersOf("volume ./a:/data/a")
		raw, in := inMode(t, Custom, task)
		d := Decide(raw, in, security.BuiltIn())
		if refused := d.Refusal != nil && strings.Contains(d.Refusal.Message, `"/data/a" is refused: it lies in "/data"`); refused != shared || !shared && d.Plan == nil {
			t.Errorf("shared %v: %+v", shared, d.Refusal)
		}
	}
}
