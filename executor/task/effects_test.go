package task

import (
	"math"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// effect is a task whose fields show in what the engine says of the created container.
type fieldEffect struct {
	fields string // "Message.field", separated by blanks
	name   string
	change func(*mesos.TaskInfo)
	want   map[string]string // path in the answer of inspect -> its JSON, with the placeholders below
	custom bool              // in custom mode
	// beyondPolicy: no policy lets it through, so this is the container that there would be without one.
	beyondPolicy bool
}

// Placeholders in what is wanted.
const (
	sandboxHere = "@SANDBOX" // the folder that stands for the lease
	workHere    = "@WORKDIR" // the agent's work_dir
	testNetwork = "effects"  // a user network of the test's engine
)

func withResource(name string, value float64) func(*mesos.TaskInfo) {
	return func(t *mesos.TaskInfo) {
		for i := range t.Resources {
			if t.Resources[i].Name == name {
				t.Resources[i].Scalar.Value = value
			}
		}
	}
}

func inTurn(changes ...func(*mesos.TaskInfo)) func(*mesos.TaskInfo) {
	return func(t *mesos.TaskInfo) {
		for _, change := range changes {
			change(t)
		}
	}
}

func withPorts(begin, end uint64) func(*mesos.TaskInfo) {
	return func(t *mesos.TaskInfo) {
		t.Resources = append(t.Resources, mesos.Resource{
			Name: "ports", Type: mesos.RANGES.Enum(), AllocationInfo: t.Resources[0].AllocationInfo,
			Ranges: &mesos.Value_Ranges{Range: []mesos.Value_Range{{Begin: begin, End: end}}},
		})
	}
}

// effects has at least one row for each field that a container can show.
func fieldEffects() []fieldEffect {
	return concat(commandEffects(), resourceEffects(), containerEffects(), volumeEffects(), linuxEffects())
}

func concat(groups ...[]fieldEffect) []fieldEffect {
	var all []fieldEffect
	for _, g := range groups {
		all = append(all, g...)
	}
	return all
}

func commandEffects() []fieldEffect {
	return []fieldEffect{
		{
			fields: "TaskInfo.command CommandInfo.shell CommandInfo.value", name: "shell command",
			change: func(t *mesos.TaskInfo) { t.Command = &mesos.CommandInfo{Value: ptr("echo $A")} },
			want:   map[string]string{"Config.Entrypoint": `["/bin/sh"]`, "Config.Cmd": `["-c","echo $A"]`},
		}, {
			fields: "CommandInfo.arguments", name: "arguments",
			change: func(t *mesos.TaskInfo) {
				t.Command = &mesos.CommandInfo{Shell: ptr(false), Value: ptr("ls"), Arguments: []string{"-l", ""}}
			},
			want: map[string]string{"Config.Entrypoint": `null`, "Config.Cmd": `["ls","-l",""]`},
		}, {
			fields: "TaskInfo.data", name: "command in data", custom: true,
			change: func(t *mesos.TaskInfo) { t.Data = []byte(`{"shell": false, "value": "ls"}`) },
			want:   map[string]string{"Config.Cmd": `["ls"]`},
		}, {
			fields: "CommandInfo.user", name: "user",
			change: func(t *mesos.TaskInfo) { t.Command.User = ptr("1000:nobody") },
			want:   map[string]string{"Config.User": `"1000:nobody"`},
		}, {
			fields: "Variable.name Variable.value Resource.allocation_info", name: "environment",
			change: func(t *mesos.TaskInfo) {
				t.Command.Environment = &mesos.Environment{Variables: []mesos.Environment_Variable{{Name: "A", Value: ptr("1")}}}
			},
			want: map[string]string{"Config.Env": `["A=1","MESOS_SANDBOX=/mnt/mesos/sandbox",` +
				`"MESOS_CONTAINER_NAME=@NAME","MESOS_ALLOCATION_ROLE=demo","NVIDIA_VISIBLE_DEVICES=void",` +
				`"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]`},
		},
	}
}

func resourceEffects() []fieldEffect {
	return []fieldEffect{
		{
			fields: "TaskInfo.resources Resource.name Resource.type Resource.scalar", name: "cpus and mem",
			change: inTurn(withResource("cpus", 1.5), withResource("mem", 100)),
			want: map[string]string{"HostConfig.CpuShares": "1536", "HostConfig.CpuQuota": "0", "HostConfig.Memory": "104857600",
				"HostConfig.MemoryReservation": "0"},
		}, {
			fields: "TaskInfo.limits", name: "limits",
			change: inTurn(withResource("cpus", 1), withResource("mem", 64), func(t *mesos.TaskInfo) {
				t.Limits = map[string]mesos.Value_Scalar{"cpus": {Value: 2}, "mem": {Value: 128}}
			}),
			want: map[string]string{"HostConfig.CpuShares": "1024", "HostConfig.CpuPeriod": "100000", "HostConfig.CpuQuota": "200000",
				"HostConfig.Memory": "134217728", "HostConfig.MemoryReservation": "67108864", "HostConfig.OomScoreAdj": "938"},
		}, {
			name: "infinite limits",
			change: inTurn(withResource("mem", 512), func(t *mesos.TaskInfo) {
				t.Limits = map[string]mesos.Value_Scalar{"cpus": {Value: math.Inf(1)}, "mem": {Value: math.Inf(1)}}
			}),
			want: map[string]string{"HostConfig.CpuQuota": "0", "HostConfig.Memory": "0",
				"HostConfig.MemoryReservation": "536870912", "HostConfig.OomScoreAdj": "500"},
		}, {
			fields: "Resource.ranges ContainerInfo.docker DockerInfo.port_mappings " +
				"PortMapping.host_port PortMapping.container_port PortMapping.protocol", name: "published port",
			change: inTurn(withPorts(31000, 31010), func(t *mesos.TaskInfo) {
				docker(t).PortMappings = []mesos.ContainerInfo_DockerInfo_PortMapping{{HostPort: 31005, ContainerPort: 53, Protocol: ptr("udp")}}
			}),
			want: map[string]string{"HostConfig.PortBindings": `{"53/udp":[{"HostIp":"","HostPort":"31005"}]}`},
		}, {
			fields: "Resource.disk Resource.reservations ReservationInfo.role DiskInfo.persistence DiskInfo.volume Persistence.id",
			name:   "persistent volume", custom: true,
			change: withDisk(mesos.Resource_DiskInfo{
				Persistence: &mesos.Resource_DiskInfo_Persistence{ID: "p1"},
				Volume:      &mesos.Volume{ContainerPath: "data", Mode: mesos.RW.Enum()},
			}),
			want: map[string]string{"HostConfig.Mounts": `[` + bind(workHere+"/volumes/roles/web front/p1", "/mnt/mesos/sandbox/data", false) + `,` + sandboxMount + `]`},
		}, {
			fields: "Resource.role Resource.reservation", name: "persistent volume before reservations had a stack", custom: true,
			change: inTurn(withDisk(mesos.Resource_DiskInfo{
				Persistence: &mesos.Resource_DiskInfo_Persistence{ID: "p1"},
				Volume:      &mesos.Volume{ContainerPath: "/data", Mode: mesos.RO.Enum()},
			}), func(t *mesos.TaskInfo) {
				disk := &t.Resources[len(t.Resources)-1]
				disk.Reservations, disk.Role, disk.Reservation = nil, ptr("old"), &mesos.Resource_ReservationInfo{}
			}),
			want: map[string]string{"HostConfig.Mounts": `[` + bind(workHere+"/volumes/roles/old/p1", "/data", true) + `,` + sandboxMount + `]`},
		}, {
			fields: "DiskInfo.source Source.path", name: "persistent volume of a PATH disk", custom: true,
			change: withDisk(mesos.Resource_DiskInfo{
				Persistence: &mesos.Resource_DiskInfo_Persistence{ID: "p1"},
				Volume:      &mesos.Volume{ContainerPath: "data", Mode: mesos.RO.Enum()},
				Source: &mesos.Resource_DiskInfo_Source{Type: mesos.Resource_DiskInfo_Source_PATH,
					Path: &mesos.Resource_DiskInfo_Source_Path{Root: ptr("disk1")}},
			}),
			want: map[string]string{"HostConfig.Mounts": `[` + bind(workHere+"/disk1/volumes/roles/web front/p1", "/mnt/mesos/sandbox/data", true) + `,` + sandboxMount + `]`},
		}, {
			fields: "Source.mount", name: "persistent volume of a MOUNT disk", custom: true,
			change: withDisk(mesos.Resource_DiskInfo{
				Persistence: &mesos.Resource_DiskInfo_Persistence{ID: "p1"},
				Volume:      &mesos.Volume{ContainerPath: "data", Mode: mesos.RW.Enum()},
				Source: &mesos.Resource_DiskInfo_Source{Type: mesos.Resource_DiskInfo_Source_MOUNT,
					Mount: &mesos.Resource_DiskInfo_Source_Mount{Root: ptr("disk2")}},
			}),
			want: map[string]string{"HostConfig.Mounts": `[` + bind(workHere+"/disk2", "/mnt/mesos/sandbox/data", false) + `,` + sandboxMount + `]`},
		},
	}
}

func containerEffects() []fieldEffect {
	return []fieldEffect{
		{
			fields: "TaskInfo.container DockerInfo.image DockerInfo.network", name: "image and bridge",
			change: func(*mesos.TaskInfo) {},
			want:   map[string]string{"Config.Image": `"busybox:local"`, "HostConfig.NetworkMode": `"bridge"`},
		}, {
			name:   "host network, by default",
			change: func(t *mesos.TaskInfo) { docker(t).Network = nil },
			want:   map[string]string{"HostConfig.NetworkMode": `"host"`},
		}, {
			name:   "no network",
			change: func(t *mesos.TaskInfo) { docker(t).Network = mesos.ContainerInfo_DockerInfo_NONE.Enum() },
			want:   map[string]string{"HostConfig.NetworkMode": `"none"`},
		}, {
			fields: "ContainerInfo.network_infos NetworkInfo.name NetworkInfo.ip_addresses IPAddress.ip_address", name: "user network",
			change: withUserNetwork(mesos.NetworkInfo{Name: ptr(testNetwork), IPAddresses: []mesos.NetworkInfo_IPAddress{
				{Protocol: mesos.IPv4.Enum(), IPAddress: ptr("10.77.0.9")}, {Protocol: mesos.IPv6.Enum()}}}),
			want: map[string]string{"HostConfig.NetworkMode": `"` + testNetwork + `"`,
				"NetworkSettings.Networks." + testNetwork + ".IPAMConfig": `{"IPv4Address":"10.77.0.9"}`},
		}, {
			fields: "NetworkInfo.port_mappings", name: "ports of a user network",
			change: inTurn(withPorts(31000, 31010), withUserNetwork(mesos.NetworkInfo{Name: ptr(testNetwork),
				PortMappings: []mesos.NetworkInfo_PortMapping{{HostPort: 31005, ContainerPort: 80}}}), func(t *mesos.TaskInfo) {
				docker(t).PortMappings = []mesos.ContainerInfo_DockerInfo_PortMapping{{HostPort: 31005, ContainerPort: 80, Protocol: ptr("TCP")}}
			}),
			want: map[string]string{"HostConfig.PortBindings": `{"80/tcp":[{"HostIp":"","HostPort":"31005"}]}`},
		}, {
			fields: "ContainerInfo.hostname", name: "hostname",
			change: func(t *mesos.TaskInfo) { t.Container.Hostname = ptr("web-1") },
			want:   map[string]string{"Config.Hostname": `"web-1"`},
		}, {
			fields: "ContainerInfo.tty_info", name: "terminal",
			change: func(t *mesos.TaskInfo) { t.Container.TTYInfo = &mesos.TTYInfo{} },
			want:   map[string]string{"Config.Tty": `true`},
		}, {
			fields: "DockerInfo.parameters Parameter.key Parameter.value", name: "parameter",
			change: func(t *mesos.TaskInfo) { docker(t).Parameters = []mesos.Parameter{{Key: "workdir", Value: "/tmp"}} },
			want:   map[string]string{"Config.WorkingDir": `"/tmp"`},
		},
	}
}

func volumeEffects() []fieldEffect {
	return []fieldEffect{
		{
			fields: "ContainerInfo.volumes Volume.host_path Volume.container_path Volume.mode", name: "path in the sandbox, read only",
			change: withVolume(mesos.Volume{HostPath: ptr("data"), ContainerPath: "/data", Mode: mesos.RO.Enum()}),
			want:   map[string]string{"HostConfig.Mounts": `[` + bind(sandboxHere+"/data", "/data", true) + `,` + sandboxMount + `]`},
		}, {
			name:   "absolute path below the sandbox in the container",
			change: withVolume(mesos.Volume{HostPath: ptr("/srv"), ContainerPath: "host-srv"}),
			want:   map[string]string{"HostConfig.Mounts": `[` + bind("/srv", "/mnt/mesos/sandbox/host-srv", false) + `,` + sandboxMount + `]`},
		}, {
			fields: "Volume.source Source.host_path HostPath.path HostPath.mount_propagation", name: "host path with propagation",
			change: withSource(mesos.Volume_Source{Type: mesos.Volume_Source_HOST_PATH, HostPath: &mesos.Volume_Source_HostPath{Path: "/srv",
				MountPropagation: &mesos.MountPropagation{Mode: mesos.MountPropagation_HOST_TO_CONTAINER.Enum()}}}),
			want: map[string]string{"HostConfig.Mounts": `[{"Type":"bind","Source":"/srv","Target":"/data","BindOptions":{"Propagation":"rslave"}},` + sandboxMount + `]`},
		}, {
			fields: "Source.sandbox_path SandboxPath.path", name: "path of the own sandbox",
			change: withSource(mesos.Volume_Source{Type: mesos.Volume_Source_SANDBOX_PATH,
				SandboxPath: &mesos.Volume_Source_SandboxPath{Type: mesos.Volume_Source_SandboxPath_SELF, Path: "data"}}),
			want: map[string]string{"HostConfig.Mounts": `[` + bind(sandboxHere+"/data", "/data", false) + `,` + sandboxMount + `]`},
		}, {
			fields: "Source.docker_volume DockerVolume.driver DockerVolume.driver_options", name: "Docker volume with options", beyondPolicy: true,
			change: withSource(mesos.Volume_Source{Type: mesos.Volume_Source_DOCKER_VOLUME, DockerVolume: &mesos.Volume_Source_DockerVolume{
				Name: "effects", Driver: ptr("local"), DriverOptions: &mesos.Parameters{Parameter: []mesos.Parameter{
					{Key: "type", Value: "tmpfs"}, {Key: "device", Value: "tmpfs"}}}}}),
			want: map[string]string{"HostConfig.Mounts": `[{"Type":"volume","Source":"effects","Target":"/data","VolumeOptions":` +
				`{"DriverConfig":{"Name":"local","Options":{"device":"tmpfs","type":"tmpfs"}}}},` +
				`{"Type":"bind","Source":"` + sandboxHere + `","Target":"/mnt/mesos/sandbox"}]`},
		}, {
			fields: "DockerInfo.volume_driver", name: "volume driver and a name for the host path",
			change: inTurn(func(t *mesos.TaskInfo) { docker(t).VolumeDriver = ptr("local") },
				withVolume(mesos.Volume{HostPath: ptr("effects2"), ContainerPath: "/data", Mode: mesos.RO.Enum()})),
			want: map[string]string{"HostConfig.Mounts": `[{"Type":"volume","Source":"effects2","Target":"/data","ReadOnly":true,"VolumeOptions":` +
				`{"DriverConfig":{"Name":"local"}}},` + sandboxMount + `]`},
		},
	}
}

func linuxEffects() []fieldEffect {
	return []fieldEffect{
		{
			fields: "ContainerInfo.linux_info LinuxInfo.effective_capabilities", name: "effective capabilities",
			change: withLinux(mesos.LinuxInfo{EffectiveCapabilities: capabilities(mesos.CapabilityInfo_CHOWN, mesos.CapabilityInfo_KILL)}),
			want:   map[string]string{"HostConfig.CapDrop": `["ALL"]`, "HostConfig.CapAdd": `["CAP_CHOWN","CAP_KILL"]`},
		}, {
			fields: "LinuxInfo.capability_info", name: "the former name of effective capabilities",
			change: withLinux(mesos.LinuxInfo{CapabilityInfo: capabilities()}),
			want:   map[string]string{"HostConfig.CapDrop": `["ALL"]`, "HostConfig.CapAdd": `null`},
		}, {
			fields: "LinuxInfo.bounding_capabilities", name: "bounding capabilities",
			change: withLinux(mesos.LinuxInfo{BoundingCapabilities: capabilities(mesos.CapabilityInfo_CHOWN)}),
			want:   map[string]string{"HostConfig.CapAdd": `["CAP_CHOWN"]`},
		}, {
			fields: "LinuxInfo.share_pid_namespace", name: "the host's pid namespace",
			change: withLinux(mesos.LinuxInfo{SharePIDNamespace: ptr(true)}),
			want:   map[string]string{"HostConfig.PidMode": `"host"`},
		}, {
			fields: "LinuxInfo.seccomp SeccompInfo.unconfined", name: "no seccomp profile",
			change: withLinux(mesos.LinuxInfo{Seccomp: &mesos.SeccompInfo{Unconfined: ptr(true)}}),
			want:   map[string]string{"HostConfig.SecurityOpt": `["no-new-privileges","seccomp=unconfined"]`},
		}, {
			fields: "LinuxInfo.ipc_mode LinuxInfo.shm_size", name: "IPC namespace and /dev/shm",
			change: withLinux(mesos.LinuxInfo{IPCMode: mesos.LinuxInfo_PRIVATE.Enum(), SHMSize: ptr(uint32(16))}),
			want:   map[string]string{"HostConfig.IpcMode": `"private"`, "HostConfig.ShmSize": `16777216`},
		}, {
			name:   "the host's IPC namespace",
			change: withLinux(mesos.LinuxInfo{IPCMode: mesos.LinuxInfo_SHARE_PARENT.Enum()}),
			want:   map[string]string{"HostConfig.IpcMode": `"host"`},
		}, {
			fields: "ContainerInfo.rlimit_info RLimit.type RLimit.soft RLimit.hard", name: "rlimits",
			change: func(t *mesos.TaskInfo) {
				t.Container.RlimitInfo = &mesos.RLimitInfo{Rlimits: []mesos.RLimitInfo_RLimit{
					{Type: mesos.RLimitInfo_RLimit_RLMT_AS, Soft: ptr(uint64(1 << 30)), Hard: ptr(uint64(math.MaxUint64))},
					{Type: mesos.RLimitInfo_RLimit_RLMT_CPU},
				}}
			},
			want: map[string]string{"HostConfig.Ulimits": `[{"Name":"as","Hard":-1,"Soft":1073741824},` +
				`{"Name":"cpu","Hard":-1,"Soft":-1},{"Name":"core","Hard":0,"Soft":0}]`},
		},
	}
}

const sandboxMount = `{"Type":"bind","Source":"` + sandboxHere + `","Target":"/mnt/mesos/sandbox","BindOptions":{"Propagation":"rprivate"}}`

// bind is a bind mount as the engine shows it.
func bind(source, target string, readOnly bool) string {
	ro := ""
	if readOnly {
		ro = `"ReadOnly":true,`
	}
	return `{"Type":"bind","Source":"` + source + `","Target":"` + target + `",` + ro + `"BindOptions":{"Propagation":"rprivate"}}`
}
