package task

import (
	"time"

	"github.com/docker/docker/api/types/blkiodev"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"

	"mesos-docker-executor/security"
)

// effects has a row for each flag that is translated, and one for each of its other names.
func effects() []effect {
	type spec = security.Spec
	healthy := func(change func(*container.HealthConfig)) func(*spec) {
		return func(s *spec) {
			s.Config.Healthcheck = &container.HealthConfig{}
			change(s.Config.Healthcheck)
		}
	}
	throttle := []*blkiodev.ThrottleDevice{{Path: "/dev/sda", Rate: 1 << 20}}
	operations := []*blkiodev.ThrottleDevice{{Path: "/dev/sda", Rate: 100}}
	endpoint := func(e network.EndpointSettings) func(*spec) {
		return func(s *spec) {
			s.Network.EndpointsConfig = map[string]*network.EndpointSettings{string(s.Host.NetworkMode): &e}
		}
	}
	onNet := func(e effect) effect { return with(e, "network web") }
	const endpointField = "Network.EndpointsConfig[web]"

	return []effect{
		// The process.
		sets("hostname a.b", "Config.Hostname", func(s *spec) *string { return &s.Config.Hostname }, "a.b"),
		sets("h a", "Config.Hostname", func(s *spec) *string { return &s.Config.Hostname }, "a"),
		sets("domainname example.org", "Config.Domainname", func(s *spec) *string { return &s.Config.Domainname }, "example.org"),
		{"entrypoint /bin/app", func(s *spec) { s.Config.Entrypoint = []string{"/bin/app"} }, []string{"Config.Entrypoint"}, nil},
		{"entrypoint", func(s *spec) { s.Config.Entrypoint = []string{""} }, []string{"Config.Entrypoint"}, nil},
		{"env A=b=c", func(s *spec) { s.Config.Env = append(s.Config.Env, "A=b=c") }, nil, nil},
		{"e A=", func(s *spec) { s.Config.Env = append(s.Config.Env, "A=") }, nil, nil},
		{"env HOOK=hook", func(*spec) {}, nil, nil},
		{"init true", func(s *spec) { s.Host.Init = ptr(true) }, []string{"Host.Init"}, nil},
		{"init 0", func(s *spec) { s.Host.Init = ptr(false) }, []string{"Host.Init"}, nil},
		{"label a=b=c", func(s *spec) { s.Config.Labels = map[string]string{"a": "b=c"} }, []string{"Config.Labels[a]"}, nil},
		{"l a", func(s *spec) { s.Config.Labels = map[string]string{"a": ""} }, []string{"Config.Labels[a]"}, nil},
		sets("log-driver syslog", "Host.LogConfig.Type", func(s *spec) *string { return &s.Host.LogConfig.Type }, "syslog"),
		{"log-opt max-size=1m", func(s *spec) { s.Host.LogConfig.Config = map[string]string{"max-size": "1m"} }, []string{"Host.LogConfig.Config", "Host.LogConfig.Config[max-size]"}, nil},
		sets("read-only T", "Host.ReadonlyRootfs", func(s *spec) *bool { return &s.Host.ReadonlyRootfs }, true),
		sets("restart on-failure:3", "Host.RestartPolicy", func(s *spec) *container.RestartPolicy { return &s.Host.RestartPolicy },
			container.RestartPolicy{Name: "on-failure", MaximumRetryCount: 3}),
		sets("restart always", "Host.RestartPolicy", func(s *spec) *container.RestartPolicy { return &s.Host.RestartPolicy }, container.RestartPolicy{Name: "always"}),
		sets("stop-signal SIGUSR1", "Config.StopSignal", func(s *spec) *string { return &s.Config.StopSignal }, "SIGUSR1"),
		{"stop-timeout 7", func(s *spec) { s.Config.StopTimeout = ptr(7) }, []string{"Config.StopTimeout"}, nil},
		sets("tty true", "Config.Tty", func(s *spec) *bool { return &s.Config.Tty }, true),
		sets("t 1", "Config.Tty", func(s *spec) *bool { return &s.Config.Tty }, true),
		sets("ulimit nofile=1:2", "Host.Ulimits[nofile]", func(s *spec) *[]*container.Ulimit { return &s.Host.Ulimits }, []*container.Ulimit{{Name: "nofile", Soft: 1, Hard: 2}}),
		sets("user 5:6", "Config.User", func(s *spec) *string { return &s.Config.User }, "5:6"),
		sets("u nobody", "Config.User", func(s *spec) *string { return &s.Config.User }, "nobody"),
		sets("workdir /a//b/", "Config.WorkingDir", func(s *spec) *string { return &s.Config.WorkingDir }, "/a/b"),
		sets("w /a", "Config.WorkingDir", func(s *spec) *string { return &s.Config.WorkingDir }, "/a"),

		// Docker's health check.
		{"health-cmd a b", healthy(func(h *container.HealthConfig) { h.Test = []string{"CMD-SHELL", "a b"} }), []string{"Config.Healthcheck"}, nil},
		{"health-interval 1m", healthy(func(h *container.HealthConfig) { h.Interval = time.Minute }), []string{"Config.Healthcheck"}, nil},
		{"health-retries 3", healthy(func(h *container.HealthConfig) { h.Retries = 3 }), []string{"Config.Healthcheck"}, nil},
		{"health-start-interval 2s", healthy(func(h *container.HealthConfig) { h.StartInterval = 2 * time.Second }), []string{"Config.Healthcheck"}, nil},
		{"health-start-period 2s", healthy(func(h *container.HealthConfig) { h.StartPeriod = 2 * time.Second }), []string{"Config.Healthcheck"}, nil},
		{"health-timeout 1500ms", healthy(func(h *container.HealthConfig) { h.Timeout = 1500 * time.Millisecond }), []string{"Config.Healthcheck"}, nil},
		{"no-healthcheck true", healthy(func(h *container.HealthConfig) { h.Test = []string{"NONE"} }), []string{"Config.Healthcheck"}, nil},

		// Rights.
		{"cap-add KILL", func(s *spec) { s.Host.CapAdd = []string{"KILL"} }, []string{"Host.CapAdd[KILL]"}, nil},
		{"cap-drop all", func(s *spec) { s.Host.CapDrop = []string{"all"} }, []string{"Host.CapDrop[all]"}, nil},
		sets("cgroup-parent /x", "Host.CgroupParent", func(s *spec) *string { return &s.Host.CgroupParent }, "/x"),
		sets("cgroupns private", "Host.CgroupnsMode", func(s *spec) *container.CgroupnsMode { return &s.Host.CgroupnsMode }, "private"),
		sets("device /dev/fuse", "Host.Devices[/dev/fuse]", func(s *spec) *[]container.DeviceMapping { return &s.Host.Devices },
			[]container.DeviceMapping{{PathOnHost: "/dev/fuse", PathInContainer: "/dev/fuse", CgroupPermissions: "rwm"}}),
		sets("device /dev/a:r", "Host.Devices[/dev/a]", func(s *spec) *[]container.DeviceMapping { return &s.Host.Devices },
			[]container.DeviceMapping{{PathOnHost: "/dev/a", PathInContainer: "/dev/a", CgroupPermissions: "r"}}),
		sets("device /dev/a:/dev//b:mr", "Host.Devices[/dev/b]", func(s *spec) *[]container.DeviceMapping { return &s.Host.Devices },
			[]container.DeviceMapping{{PathOnHost: "/dev/a", PathInContainer: "/dev/b", CgroupPermissions: "mr"}}),
		sets("device-cgroup-rule c 1:* rm", "Host.DeviceCgroupRules[c 1:* rm]", func(s *spec) *[]string { return &s.Host.DeviceCgroupRules }, []string{"c 1:* rm"}),
		sets("group-add audio", "Host.GroupAdd[audio]", func(s *spec) *[]string { return &s.Host.GroupAdd }, []string{"audio"}),
		sets("ipc shareable", "Host.IpcMode", func(s *spec) *container.IpcMode { return &s.Host.IpcMode }, "shareable"),
		sets("pid container:x", "Host.PidMode", func(s *spec) *container.PidMode { return &s.Host.PidMode }, "container:x"),
		sets("privileged true", "Host.Privileged", func(s *spec) *bool { return &s.Host.Privileged }, true),
		sets("runtime runsc", "Host.Runtime", func(s *spec) *string { return &s.Host.Runtime }, "runsc"),
		sets("security-opt apparmor=unconfined", "Host.SecurityOpt[apparmor=unconfined]", func(s *spec) *[]string { return &s.Host.SecurityOpt }, []string{"apparmor=unconfined"}),
		sets("security-opt no-new-privileges", "Host.SecurityOpt", func(s *spec) *[]string { return &s.Host.SecurityOpt }, []string{"no-new-privileges"}),
		sets("security-opt label:disable", "Host.SecurityOpt", func(s *spec) *[]string { return &s.Host.SecurityOpt }, []string{"label:disable"}),
		sets("sysctl net.core.somaxconn=5", "Host.Sysctls[net.core.somaxconn]", func(s *spec) *map[string]string { return &s.Host.Sysctls }, map[string]string{"net.core.somaxconn": "5"}),
		sets("userns host", "Host.UsernsMode", func(s *spec) *container.UsernsMode { return &s.Host.UsernsMode }, "host"),
		sets("uts host", "Host.UTSMode", func(s *spec) *container.UTSMode { return &s.Host.UTSMode }, "host"),

		// The network.
		sets("add-host a=10.0.0.1", "Host.ExtraHosts[a:10.0.0.1]", func(s *spec) *[]string { return &s.Host.ExtraHosts }, []string{"a:10.0.0.1"}),
		sets("add-host a:[::1]", "Host.ExtraHosts[a:::1]", func(s *spec) *[]string { return &s.Host.ExtraHosts }, []string{"a:::1"}),
		sets("add-host a:host-gateway", "Host.ExtraHosts", func(s *spec) *[]string { return &s.Host.ExtraHosts }, []string{"a:host-gateway"}),
		sets("dns 10.0.0.53", "Host.DNS[10.0.0.53]", func(s *spec) *[]string { return &s.Host.DNS }, []string{"10.0.0.53"}),
		sets("dns 0:0:0:0:0:0:0:1", "Host.DNS", func(s *spec) *[]string { return &s.Host.DNS }, []string{"::1"}),
		sets("dns-option ndots:2", "Host.DNSOptions[ndots:2]", func(s *spec) *[]string { return &s.Host.DNSOptions }, []string{"ndots:2"}),
		sets("dns-opt use-vc", "Host.DNSOptions", func(s *spec) *[]string { return &s.Host.DNSOptions }, []string{"use-vc"}),
		sets("dns-search example.org.", "Host.DNSSearch[example.org]", func(s *spec) *[]string { return &s.Host.DNSSearch }, []string{"example.org"}),
		sets("dns-search .", "Host.DNSSearch", func(s *spec) *[]string { return &s.Host.DNSSearch }, []string{"."}),
		sets("network none", "Host.NetworkMode", func(s *spec) *container.NetworkMode { return &s.Host.NetworkMode }, "none"),
		sets("net container:x", "Host.NetworkMode", func(s *spec) *container.NetworkMode { return &s.Host.NetworkMode }, "container:x"),
		sets("network default", "Host.NetworkMode", func(s *spec) *container.NetworkMode { return &s.Host.NetworkMode }, "bridge"),
		{`network name=Web,alias=a,ip=10.0.0.2,ip6=fd00::2,link-local-ip=169.254.1.1,mac-address=02:00:00:00:00:01,"driver-opt=k=v",gw-priority=-2`, func(s *spec) {
			s.Host.NetworkMode = "web"
			endpoint(network.EndpointSettings{
				Aliases: []string{"a"}, MacAddress: "02:00:00:00:00:01", DriverOpts: map[string]string{"k": "v"}, GwPriority: -2,
				IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: "10.0.0.2", IPv6Address: "fd00::2", LinkLocalIPs: []string{"169.254.1.1"}},
			})(s)
		}, []string{"Host.NetworkMode", endpointField, endpointField + ".Aliases[a]"}, nil},
		onNet(effect{"ip 10.0.0.2", endpoint(network.EndpointSettings{IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: "10.0.0.2"}}), []string{endpointField, "Network.EndpointsConfig"}, nil}),
		onNet(effect{"ip6 fd00::2", endpoint(network.EndpointSettings{IPAMConfig: &network.EndpointIPAMConfig{IPv6Address: "fd00::2"}}), []string{endpointField}, nil}),
		onNet(effect{"link-local-ip 169.254.1.1", endpoint(network.EndpointSettings{IPAMConfig: &network.EndpointIPAMConfig{LinkLocalIPs: []string{"169.254.1.1"}}}), []string{endpointField}, nil}),
		onNet(effect{"network-alias db", endpoint(network.EndpointSettings{Aliases: []string{"db"}}), []string{endpointField + ".Aliases[db]"}, nil}),
		onNet(effect{"net-alias db", endpoint(network.EndpointSettings{Aliases: []string{"db"}}), []string{endpointField + ".Aliases"}, nil}),
		onNet(effect{"link other:db", endpoint(network.EndpointSettings{Links: []string{"other:db"}}), []string{endpointField + ".Links[other:db]"}, nil}),
		with(sets("link other", "Host.Links[other]", func(s *spec) *[]string { return &s.Host.Links }, []string{"other"}), "network bridge"),
		onNet(effect{"mac-address 02:00:00:00:00:01", endpoint(network.EndpointSettings{MacAddress: "02:00:00:00:00:01"}), []string{endpointField + ".MacAddress"}, nil}),

		// Ports.
		{"publish 31000:80", publishes("", "80/tcp", "31000"), []string{"Host.PortBindings[80/tcp]"}, nil},
		{"p 127.0.0.1:31000:80/UDP", publishes("127.0.0.1", "80/udp", "31000"), []string{"Host.PortBindings[80/udp]"}, nil},
		{"publish [::1]:31000:80/sctp", publishes("::1", "80/sctp", "31000"), []string{"Host.PortBindings[80/sctp]"}, nil},
		{"publish published=31000,target=80,protocol=udp", publishes("", "80/udp", "31000"), nil, nil},
		{"publish 31000-31001:80-81", func(s *spec) {
			publishes("", "80/tcp", "31000")(s)
			publishes("", "81/tcp", "31001")(s)
		}, []string{"Host.PortBindings[80/tcp]", "Host.PortBindings[81/tcp]"}, nil},
		sets("publish-all true", "Host.PublishAllPorts", func(s *spec) *bool { return &s.Host.PublishAllPorts }, true),
		sets("P true", "Host.PublishAllPorts", func(s *spec) *bool { return &s.Host.PublishAllPorts }, true),
		sets("expose 80-81/udp", "Config.ExposedPorts[81/udp]", func(s *spec) *nat.PortSet { return &s.Config.ExposedPorts }, nat.PortSet{"80/udp": {}, "81/udp": {}}),
		with(effect{"expose 80", func(s *spec) { s.Config.ExposedPorts["80/tcp"] = struct{}{} }, []string{"Config.ExposedPorts[80/tcp]"}, nil}, "publish 31000:8080"),

		// Mounts.
		mounts("volume data:/data", mount.Mount{Type: "volume", Source: "data", Target: "/data"}),
		mounts("v data:/data:ro,nocopy", mount.Mount{Type: "volume", Source: "data", Target: "/data", ReadOnly: true, VolumeOptions: &mount.VolumeOptions{NoCopy: true}}),
		with(mounts("volume data:/data:rw", mount.Mount{Type: "volume", Source: "data", Target: "/data",
			VolumeOptions: &mount.VolumeOptions{DriverConfig: &mount.Driver{Name: "nfs"}}}), "volume-driver nfs"),
		mounts("volume /etc:/host//etc:ro", mount.Mount{Type: "bind", Source: "/etc", Target: "/host/etc", ReadOnly: true}),
		mounts("volume ./data/../x:/data:rslave,cached", mount.Mount{Type: "bind", Source: testInputs().SandboxSource + "/x", Target: "/data", Consistency: "cached",
			BindOptions: &mount.BindOptions{Propagation: "rslave"}}),
		mounts("volume /sandbox/a:in", mount.Mount{Type: "bind", Source: testInputs().SandboxSource + "/a", Target: "/mnt/mesos/sandbox/in"}),
		{"volume /data", func(s *spec) { s.Config.Volumes = map[string]struct{}{"/data": {}} }, []string{"Config.Volumes", "Config.Volumes[/data]"}, nil},
		{"volume-driver nfs", func(*spec) {}, nil, nil}, // there is no volume
		with(effect{"volume /data", func(s *spec) { s.Config.Volumes, s.Host.VolumeDriver = map[string]struct{}{"/data": {}}, "nfs" },
			[]string{"Host.VolumeDriver"}, nil}, "volume-driver nfs"),
		with(mounts("mount src=data,dst=/data", mount.Mount{Type: "volume", Source: "data", Target: "/data"}), "volume-driver nfs"), // as in docker run
		sets("volumes-from other:ro", "Host.VolumesFrom[other:ro]", func(s *spec) *[]string { return &s.Host.VolumesFrom }, []string{"other:ro"}),
		mounts("mount type=bind,src=data,dst=/data,ro,bind-propagation=shared,bind-nonrecursive", mount.Mount{Type: "bind", Source: testInputs().SandboxSource + "/data", Target: "/data", ReadOnly: true,
			BindOptions: &mount.BindOptions{Propagation: "shared", NonRecursive: true}}),
		mounts("mount Type=bind,source=/,target=/host,readonly=false,bind-recursive=disabled,consistency=cached", mount.Mount{Type: "bind", Source: "/", Target: "/host", Consistency: "cached",
			BindOptions: &mount.BindOptions{NonRecursive: true}}),
		mounts("mount type=bind,source=/,target=/h,ro,bind-propagation=rprivate,bind-recursive=readonly", mount.Mount{Type: "bind", Source: "/", Target: "/h", ReadOnly: true,
			BindOptions: &mount.BindOptions{Propagation: "rprivate", ReadOnlyForceRecursive: true}}),
		mounts("mount type=bind,source=/,target=/h,ro,bind-recursive=writable", mount.Mount{Type: "bind", Source: "/", Target: "/h", ReadOnly: true,
			BindOptions: &mount.BindOptions{ReadOnlyNonRecursive: true}}),
		mounts(`mount source=v1,target=/v,volume-driver=local,"volume-opt=o=a,b",volume-opt=type=nfs,volume-label=x=y,volume-nocopy,volume-subpath=s`, mount.Mount{Type: "volume", Source: "v1", Target: "/v",
			VolumeOptions: &mount.VolumeOptions{NoCopy: true, Subpath: "s", Labels: map[string]string{"x": "y"},
				DriverConfig: &mount.Driver{Name: "local", Options: map[string]string{"o": "a,b", "type": "nfs"}}}}),
		mounts("mount type=tmpfs,target=/t,tmpfs-size=1m,tmpfs-mode=1770", mount.Mount{Type: "tmpfs", Target: "/t", TmpfsOptions: &mount.TmpfsOptions{SizeBytes: 1 << 20, Mode: 0o1770}}),
		mounts("mount type=image,source=busybox,target=/i,image-subpath=bin", mount.Mount{Type: "image", Source: "busybox", Target: "/i", ImageOptions: &mount.ImageOptions{Subpath: "bin"}}),
		sets("tmpfs /run/:size=64m,exec", "Host.Tmpfs[/run]", func(s *spec) *map[string]string { return &s.Host.Tmpfs }, map[string]string{"/run": "size=64m,exec"}),
		sets("tmpfs /run", "Host.Tmpfs", func(s *spec) *map[string]string { return &s.Host.Tmpfs }, map[string]string{"/run": ""}),
		sets("storage-opt size=1G", "Host.StorageOpt[size]", func(s *spec) *map[string]string { return &s.Host.StorageOpt }, map[string]string{"size": "1G"}),

		// Limits.
		sets("blkio-weight 300", "Host.BlkioWeight", func(s *spec) *uint16 { return &s.Host.BlkioWeight }, 300),
		sets("blkio-weight-device /dev/sda:10", "Host.BlkioWeightDevice[/dev/sda]", func(s *spec) *[]*blkiodev.WeightDevice { return &s.Host.BlkioWeightDevice }, []*blkiodev.WeightDevice{{Path: "/dev/sda", Weight: 10}}),
		sets("device-read-bps /dev/sda:1mb", "Host.BlkioDeviceReadBps[/dev/sda]", func(s *spec) *[]*blkiodev.ThrottleDevice { return &s.Host.BlkioDeviceReadBps }, throttle),
		sets("device-write-bps /dev/sda:1m", "Host.BlkioDeviceWriteBps", func(s *spec) *[]*blkiodev.ThrottleDevice { return &s.Host.BlkioDeviceWriteBps }, throttle),
		sets("device-read-iops /dev/sda:100", "Host.BlkioDeviceReadIOps", func(s *spec) *[]*blkiodev.ThrottleDevice { return &s.Host.BlkioDeviceReadIOps }, operations),
		sets("device-write-iops /dev/sda:100", "Host.BlkioDeviceWriteIOps", func(s *spec) *[]*blkiodev.ThrottleDevice { return &s.Host.BlkioDeviceWriteIOps }, operations),
		sets("cpu-rt-period 1000", "Host.CPURealtimePeriod", func(s *spec) *int64 { return &s.Host.CPURealtimePeriod }, 1000),
		sets("cpu-rt-runtime 0x10", "Host.CPURealtimeRuntime", func(s *spec) *int64 { return &s.Host.CPURealtimeRuntime }, 16),
		sets("cpuset-cpus 0-3,5", "Host.CpusetCpus", func(s *spec) *string { return &s.Host.CpusetCpus }, "0-3,5"),
		sets("cpuset-mems 0", "Host.CpusetMems", func(s *spec) *string { return &s.Host.CpusetMems }, "0"),
		sets("kernel-memory 4m", "Host.KernelMemory", func(s *spec) *int64 { return &s.Host.KernelMemory }, 4<<20),
		sets("memory-swap 1g", "Host.MemorySwap", func(s *spec) *int64 { return &s.Host.MemorySwap }, 1<<30),
		sets("memory-swap -1", "Host.MemorySwap", func(s *spec) *int64 { return &s.Host.MemorySwap }, -1),
		{"memory-swappiness 0", func(s *spec) { s.Host.MemorySwappiness = ptr(int64(0)) }, []string{"Host.MemorySwappiness"}, nil},
		{"oom-kill-disable true", func(s *spec) { s.Host.OomKillDisable = ptr(true) }, []string{"Host.OomKillDisable"}, nil},
		sets("oom-score-adj -5", "Host.OomScoreAdj", func(s *spec) *int { return &s.Host.OomScoreAdj }, -5),
		{"pids-limit -1", func(s *spec) { s.Host.PidsLimit = ptr(int64(-1)) }, []string{"Host.PidsLimit"}, nil},
		sets("shm-size 64m", "Host.ShmSize", func(s *spec) *int64 { return &s.Host.ShmSize }, 64<<20),
	}
}

func publishes(ip string, port nat.Port, hostPort string) func(*security.Spec) {
	return func(s *security.Spec) {
		if s.Host.PortBindings == nil {
			s.Host.PortBindings, s.Config.ExposedPorts = nat.PortMap{}, nat.PortSet{}
		}
		s.Host.PortBindings[port] = []nat.PortBinding{{HostIP: ip, HostPort: hostPort}}
		s.Config.ExposedPorts[port] = struct{}{}
	}
}

func mounts(parameter string, m mount.Mount) effect {
	return effect{
		parameter: parameter,
		change:    func(s *security.Spec) { s.Host.Mounts = append(s.Host.Mounts, m) },
		origins:   []string{"Host.Mounts[" + m.Target + "]"},
	}
}
