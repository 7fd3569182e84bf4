package security

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/go-connections/nat"
	"github.com/google/go-cmp/cmp"
)

// reviewWith reviews with the built-in rules, changed.
func reviewWith(rules func(*Rules), change func(*Spec)) Decision {
	r, spec := BuiltInRules(), goodSpec()
	rules(&r)
	change(&spec)
	return New("test", r).Review(spec, testRoots)
}

// onTeamNetwork connects the container to a user network, with these settings.
func onTeamNetwork(e network.EndpointSettings) func(*Spec) {
	return func(s *Spec) {
		s.Host.NetworkMode = "team-a"
		s.Network.EndpointsConfig = map[string]*network.EndpointSettings{"team-a": &e}
	}
}

func mounting(m mount.Mount) func(*Spec) {
	return func(s *Spec) {
		m.Target = "/x"
		s.Host.Mounts = append(s.Host.Mounts, m)
	}
}

// wish is what the built-in policy rejects by one rule, and other rules accept unchanged.
type wish struct {
	name        string
	change      func(*Spec)
	field, rule string
	base        func(*Rules) // what it needs beside the rule
	allow       func(*Rules)
}

func wishes() []wish {
	teams := func(r *Rules) { r.Network.Names = []string{"team-*"} }
	never := int64(1 << 20)
	return []wish{
		{"host network", func(s *Spec) { s.Host.NetworkMode = "host" }, "Host.NetworkMode", "network.modes",
			nil, func(r *Rules) { r.Network.Modes = []string{"host"} }},
		{"user network", func(s *Spec) { s.Host.NetworkMode = "team-a" }, "Host.NetworkMode", "network.modes", nil, teams},
		{"alias", onTeamNetwork(network.EndpointSettings{Aliases: []string{"db"}}),
			"Network.EndpointsConfig[team-a].Aliases[db]", "network.aliases", teams, func(r *Rules) { r.Network.Aliases = true }},
		{"address", onTeamNetwork(network.EndpointSettings{IPAMConfig: &network.EndpointIPAMConfig{IPv4Address: "10.9.0.7"}}),
			"Network.EndpointsConfig[team-a].IPAMConfig.IPv4Address", "network.addresses", teams, func(r *Rules) { r.Network.StaticAddresses = true }},
		{"IPv6 address", onTeamNetwork(network.EndpointSettings{IPAMConfig: &network.EndpointIPAMConfig{IPv6Address: "fd00::7"}}),
			"Network.EndpointsConfig[team-a].IPAMConfig.IPv6Address", "network.addresses", teams, func(r *Rules) { r.Network.StaticAddresses = true }},
		{"link-local address", onTeamNetwork(network.EndpointSettings{IPAMConfig: &network.EndpointIPAMConfig{LinkLocalIPs: []string{"169.254.3.4"}}}),
			"Network.EndpointsConfig[team-a].IPAMConfig.LinkLocalIPs[169.254.3.4]", "network.addresses", teams, func(r *Rules) { r.Network.StaticAddresses = true }},
		{"hardware address on the bridge", func(s *Spec) {
			s.Network.EndpointsConfig = map[string]*network.EndpointSettings{"bridge": {MacAddress: "02:42:ac:11:00:02"}}
		}, "Network.EndpointsConfig[bridge].MacAddress", "network.mac_address", nil, func(r *Rules) { r.Network.MACAddress = true }},
		{"hardware address of an endpoint", onTeamNetwork(network.EndpointSettings{MacAddress: "02:42:ac:11:00:02"}),
			"Network.EndpointsConfig[team-a].MacAddress", "network.mac_address", teams, func(r *Rules) { r.Network.MACAddress = true }},
		{"host IP of a port", func(s *Spec) {
			s.Host.PortBindings = nat.PortMap{"80/tcp": {{HostIP: "127.0.0.1", HostPort: "31000"}}}
			s.Config.ExposedPorts = nat.PortSet{"80/tcp": {}}
		}, "Host.PortBindings[80/tcp]", "network.host_ip", nil, func(r *Rules) { r.Network.HostIPs = []string{"127.0.0.1"} }},
		{"host gateway", func(s *Spec) { s.Host.ExtraHosts = []string{"host:host-gateway"} }, "Host.ExtraHosts[host:host-gateway]", "add_host",
			nil, func(r *Rules) { r.Network.HostGateway = true }},

		{"image from elsewhere", func(*Spec) {}, "Image", "image.allow",
			func(r *Rules) { r.Images.Allow = []string{"registry.example/**"} }, func(r *Rules) { r.Images.Allow = append(r.Images.Allow, "docker.io/library/*") }},
		{"image without a digest", func(*Spec) {}, "Image", "image.digest",
			func(r *Rules) { r.Images.RequireDigest = true }, func(r *Rules) { r.Images.RequireDigest = false }},
		{"capability", func(s *Spec) { s.Host.CapAdd = []string{"NET_ADMIN"} }, "Host.CapAdd[NET_ADMIN]", "capabilities.allow",
			func(r *Rules) { r.Capabilities.OnViolation = Reject }, func(r *Rules) { r.Capabilities.Allow = append(r.Capabilities.Allow, "CAP_NET_ADMIN") }},

		{"host path", mounting(mount.Mount{Type: mount.TypeBind, Source: "/srv/shared/a", ReadOnly: true}), "Host.Mounts[/x]", "mounts.sources",
			nil, func(r *Rules) { r.Mounts.HostPaths = []HostPath{{Path: "/srv/shared"}} }},
		{"host path for writing", mounting(mount.Mount{Type: mount.TypeBind, Source: "/srv/shared/a"}), "Host.Mounts[/x]", "mounts.modes",
			func(r *Rules) { r.Mounts.HostPaths = []HostPath{{Path: "/srv/shared"}} },
			func(r *Rules) { r.Mounts.HostPaths = append(r.Mounts.HostPaths, HostPath{"/srv/shared/a", true}) }},
		{"part of /etc", mounting(mount.Mount{Type: mount.TypeBind, Source: "/etc/ssl/certs/a", ReadOnly: true}), "Host.Mounts[/x]", "mounts.denied",
			func(r *Rules) { r.Mounts.HostPaths = []HostPath{{Path: "/etc"}} },
			func(r *Rules) { r.Mounts.HostPaths = append(r.Mounts.HostPaths, HostPath{Path: "/etc/ssl/certs"}) }},
		{"named volume", mounting(mount.Mount{Type: mount.TypeVolume, Source: "team-data"}), "Host.Mounts[/x]", "mounts.volumes",
			nil, func(r *Rules) { r.Mounts.Volumes = []VolumeRule{{Driver: "local", Names: []string{"team-*"}}} }},
		{"volume of a plugin", mounting(mount.Mount{Type: mount.TypeVolume, Source: "v1", VolumeOptions: &mount.VolumeOptions{
			NoCopy: true, Subpath: "a/b", DriverConfig: &mount.Driver{Name: "rexray"}}}), "Host.Mounts[/x]", "mounts.volumes",
			nil, func(r *Rules) { r.Mounts.Volumes = []VolumeRule{{Driver: "rexray", Names: []string{"v*"}}} }},
		{"option of a plugin", mounting(mount.Mount{Type: mount.TypeVolume, Source: "v1", VolumeOptions: &mount.VolumeOptions{
			DriverConfig: &mount.Driver{Name: "rexray", Options: map[string]string{"size": "10"}}}}),
			"Host.Mounts[/x].VolumeOptions.DriverConfig.Options[size]", "mounts.volume_options",
			func(r *Rules) { r.Mounts.Volumes = []VolumeRule{{Driver: "rexray", Names: []string{"v*"}}} },
			func(r *Rules) { r.Mounts.Volumes[0].Options = []string{"size"} }},
		{"anonymous volume", func(s *Spec) { s.Config.Volumes = map[string]struct{}{"/data": {}} }, "Config.Volumes[/data]", "mounts.anonymous",
			nil, func(r *Rules) { r.Mounts.AnonymousVolumes = true }},
		{"anonymous volume as a mount", mounting(mount.Mount{Type: mount.TypeVolume}), "Host.Mounts[/x]", "mounts.anonymous",
			nil, func(r *Rules) { r.Mounts.AnonymousVolumes = true }},
		{"executable tmpfs", mounting(mount.Mount{Type: mount.TypeTmpfs, TmpfsOptions: &mount.TmpfsOptions{SizeBytes: 1 << 20, Options: [][]string{{"exec"}}}}),
			"Host.Mounts[/x]", "mounts.tmpfs", nil, func(r *Rules) { r.Mounts.TmpfsOptions = []string{"nosuid", "nodev"} }},
		{"executable tmpfs by option", func(s *Spec) { s.Host.Tmpfs = map[string]string{"/x": "exec,nodev,nosuid,size=1048576"} },
			"Host.Tmpfs[/x]", "mounts.tmpfs", nil, func(r *Rules) { r.Mounts.TmpfsOptions = []string{"nosuid", "nodev"} }},

		{"device", func(s *Spec) {
			s.Host.Devices = []container.DeviceMapping{{PathOnHost: "/dev/fuse", PathInContainer: "/dev/fuse", CgroupPermissions: "rw"}}
		}, "Host.Devices[/dev/fuse]", "devices",
			nil, func(r *Rules) { r.Devices = []DeviceRule{{"/dev/fuse", "rwm"}} }},
		{"more of a device", func(s *Spec) {
			s.Host.Devices = []container.DeviceMapping{{PathOnHost: "/dev/ttyUSB0", PathInContainer: "/dev/modem", CgroupPermissions: "rwm"}}
		}, "Host.Devices[/dev/modem]", "devices",
			func(r *Rules) { r.Devices = []DeviceRule{{"/dev/ttyUSB*", "rw"}} }, func(r *Rules) { r.Devices[0].Permissions = "mrw" }},
		{"device cgroup rule", func(s *Spec) { s.Host.DeviceCgroupRules = []string{"c 10:229 rwm"} }, "Host.DeviceCgroupRules[c 10:229 rwm]", "devices.cgroup_rules",
			nil, func(r *Rules) { r.DeviceCgroupRules = []string{"c 10:229 rwm"} }},
		{"GPU", func(s *Spec) {
			s.Host.DeviceRequests = []container.DeviceRequest{{Count: 1, Capabilities: [][]string{{"gpu", "utility"}}}}
		}, "Host.DeviceRequests[0]", "devices.requests", nil, func(r *Rules) { r.GPUs = true }},

		{"no-new-privileges off", func(s *Spec) { s.Host.SecurityOpt = []string{"no-new-privileges=false"} },
			"Host.SecurityOpt[no-new-privileges=false]", "no_new_privileges", nil, func(r *Rules) { r.NewPrivileges = true }},
		{"seccomp profile", func(s *Spec) { s.Host.SecurityOpt = []string{"seccomp=web"} }, "Host.SecurityOpt[seccomp=web]", "security_opt.seccomp",
			nil, func(r *Rules) { r.SeccompProfiles = map[string]string{"web": `{"defaultAction":"SCMP_ACT_ERRNO"}`} }},
		{"AppArmor profile", func(s *Spec) { s.Host.SecurityOpt = []string{"apparmor:web"} }, "Host.SecurityOpt[apparmor:web]", "security_opt.apparmor",
			nil, func(r *Rules) { r.AppArmorProfiles = []string{"web"} }},
		{"SELinux label", func(s *Spec) { s.Host.SecurityOpt = []string{"label=level:s0:c1,c2"} }, "Host.SecurityOpt[label=level:s0:c1,c2]", "security_opt.selinux",
			nil, func(r *Rules) { r.SELinuxLabels = []string{"level:s0:*"} }},

		{"host UTS", func(s *Spec) { s.Host.UTSMode = "host" }, "Host.UTSMode", "namespaces.uts", nil, func(r *Rules) { r.HostNamespaces = []string{"uts"} }},
		{"host cgroups", func(s *Spec) { s.Host.CgroupnsMode = "host" }, "Host.CgroupnsMode", "namespaces.cgroup", nil, func(r *Rules) { r.HostNamespaces = []string{"cgroup"} }},

		{"sysctl", func(s *Spec) { s.Host.Sysctls = map[string]string{"net.core.somaxconn": "1024"} }, "Host.Sysctls[net.core.somaxconn]", "sysctls",
			nil, func(r *Rules) { r.Sysctls = []string{"net.core.*"} }},
		{"group", func(s *Spec) { s.Host.GroupAdd = []string{"docker"} }, "Host.GroupAdd[docker]", "groups", nil, func(r *Rules) { r.DeniedGroups = nil }},
		{"root where it is not wanted", func(s *Spec) { s.Config.User = "0:0" }, "Config.User", "user.non_root",
			func(r *Rules) { r.RunAsNonRoot = true }, func(r *Rules) { r.RunAsNonRoot = false }},
		{"runtime", func(s *Spec) { s.Host.Runtime = "runsc" }, "Host.Runtime", "runtime", nil, func(r *Rules) { r.Runtimes = []string{"runsc"} }},
		{"log driver", func(s *Spec) { s.Host.LogConfig.Type = "journald" }, "Host.LogConfig.Type", "log_driver",
			nil, func(r *Rules) { r.LogDrivers = []LogDriver{{Name: "journald"}} }},
		{"log option", func(s *Spec) { s.Host.LogConfig.Config = map[string]string{"max-size": "1m"} }, "Host.LogConfig.Config[max-size]", "log_options",
			nil, func(r *Rules) { r.LogDrivers = []LogDriver{{Options: []string{"max-size"}}} }},
		{"no memory limit", func(s *Spec) { s.Host.Memory, s.Host.MemoryReservation = 0, never }, "Host.Memory", "memory",
			nil, func(r *Rules) { r.UnlimitedMemory = true }},
		{"spared by the OOM killer", func(s *Spec) { s.Host.OomScoreAdj = -100 }, "Host.OomScoreAdj", "memory.oom_score_adj",
			nil, func(r *Rules) { r.OOMScoreAdj = -100 }},
		{"ulimit", func(s *Spec) { s.Host.Ulimits = []*container.Ulimit{{Name: "new", Soft: 1, Hard: 1}, {Name: "core"}} }, "Host.Ulimits[new]", "ulimits",
			nil, func(r *Rules) { r.Ulimits["new"] = 1 }},
	}
}

func TestOtherRulesLetThroughWhatTheBuiltInOnesReject(t *testing.T) {
	for _, test := range wishes() {
		t.Run(test.name, func(t *testing.T) {
			base := func(r *Rules) {
				if test.base != nil {
					test.base(r)
				}
			}
			r := reviewWith(base, test.change).Rejections()
			if len(r) != 1 || r[0].Field != test.field || r[0].Rule != test.rule || !strings.HasSuffix(r[0].Message, ".") {
				t.Fatalf("without the rule: got %+v, want %s by rule %s", r, test.field, test.rule)
			}
			allowed := func(r *Rules) { base(r); test.allow(r) }
			d := reviewWith(allowed, test.change)
			if d.Rejected() {
				t.Fatalf("with the rule: %+v", d.Rejections())
			}
			sentAsAsked(t, d, test.change)
			rules := BuiltInRules()
			allowed(&rules)
			again := New("test", rules).Review(d.Spec, testRoots)
			if diff := cmp.Diff(d.Spec, again.Spec); diff != "" {
				t.Errorf("a second review changes it (%+v): %s", again.Rejections(), diff)
			}
		})
	}
}

// sentAsAsked checks that what a change of a Spec asks for is sent.
func sentAsAsked(t *testing.T, d Decision, change func(*Spec)) {
	t.Helper()
	asked := goodSpec()
	change(&asked)
	for _, part := range []struct{ got, want any }{
		{d.Spec.Network, asked.Network}, {d.Spec.Config.Volumes, asked.Config.Volumes},
		{d.Spec.Host.Devices, asked.Host.Devices}, {d.Spec.Host.DeviceCgroupRules, asked.Host.DeviceCgroupRules},
		{d.Spec.Host.DeviceRequests, asked.Host.DeviceRequests}, {d.Spec.Host.Sysctls, asked.Host.Sysctls},
		{d.Spec.Host.LogConfig, asked.Host.LogConfig}, {d.Spec.Host.Runtime, asked.Host.Runtime}, {d.Spec.Host.Tmpfs, asked.Host.Tmpfs},
		{d.Spec.Host.ExtraHosts, asked.Host.ExtraHosts}, {d.Spec.Host.PortBindings, asked.Host.PortBindings},
		{d.Spec.Host.NetworkMode, asked.Host.NetworkMode}, {d.Spec.Host.UTSMode, asked.Host.UTSMode},
		{d.Spec.Host.UsernsMode, asked.Host.UsernsMode}, {d.Spec.Host.CgroupnsMode, asked.Host.CgroupnsMode},
		{d.Spec.Host.OomScoreAdj, asked.Host.OomScoreAdj}, {d.Spec.Host.Memory, asked.Host.Memory}, {d.Spec.Host.GroupAdd, asked.Host.GroupAdd},
		{len(d.Spec.Host.Mounts), len(asked.Host.Mounts)}, {d.Spec.Config.User, asked.Config.User},
	} {
		if !reflect.DeepEqual(part.got, part.want) {
			t.Errorf("sent %+v, asked for %+v", part.got, part.want)
		}
	}
}

// everyRule allows as much as rules can.
func everyRule() Rules {
	r := BuiltInRules()
	r.Capabilities.Allow = append(r.Capabilities.Allow, sortedCapabilities()...)
	all := []string{"*", "*/*", "*/*/*", "*/*/*/*"}
	r.NewPrivileges, r.GPUs, r.UnlimitedMemory, r.NoNewPrivileges = true, true, true, false
	r.SeccompProfiles = map[string]string{"unconfined": "unconfined", "none": "unconfined", "web": `{"defaultAction":"SCMP_ACT_ERRNO"}`}
	r.AppArmorProfiles = []string{"unconfined", ":root:unconfined", "web"}
	r.SELinuxLabels = []string{"disable", "*", "type:spc_t"}
	r.HostNamespaces = []string{"cgroup", "ipc", "mnt", "net", "pid", "user", "userns", "uts"}
	r.DeniedGroups, r.DeniedEnvironment = nil, nil
	r.Network = NetworkRules{Modes: []string{"bridge", "host", "none"}, Names: append(all, "container:x"),
		Aliases: true, StaticAddresses: true, MACAddress: true, HostIPs: []string{"0.0.0.0"}, HostGateway: true}
	r.Mounts.HostPaths = []HostPath{{"/", true}, {"/run", true}, {"/var/run", true}, {"/run/docker.sock", true}, {"/var/run/docker.sock", true},
		{"/var", true}, {"/etc", true}, {"/run/containerd", true}, {"/proc", true}, {"/dev", true}, {"/sys", true}, {"/srv", true}}
	r.Mounts.Volumes = []VolumeRule{{Driver: "local", Names: all, Options: []string{"type", "o", "device"}}}
	r.Mounts.AnonymousVolumes, r.Mounts.TmpfsOptions = true, nil
	r.Devices, r.DeviceCgroupRules = []DeviceRule{{"/dev/*", "rwm"}}, []string{"a *:* rwm"}
	r.Sysctls, r.Runtimes, r.OOMScoreAdj = all, []string{"any"}, -1000
	r.LogDrivers = []LogDriver{{Name: "syslog", Options: []string{"syslog-address"}}}
	return r
}

// TestWhatNoPolicyCanAllow: neither can audit mode, where other rules have their say without effect.
func TestWhatNoPolicyCanAllow(t *testing.T) {
	yes, seconds, swappiness := true, 1, int64(0)
	bind := func(source string) func(*Spec) {
		return mounting(mount.Mount{Type: mount.TypeBind, Source: source, ReadOnly: true})
	}
	tests := []struct {
		name, field, rule string
		change            func(*Spec)
	}{
		{"privileged", "Host.Privileged", "privileged", func(s *Spec) { s.Host.Privileged = true }},
		{"host PIDs", "Host.PidMode", "namespaces.pid", func(s *Spec) { s.Host.PidMode = "host" }},
		{"host IPC", "Host.IpcMode", "namespaces.ipc", func(s *Spec) { s.Host.IpcMode = "host" }},
		{"host users", "Host.UsernsMode", "namespaces.userns", func(s *Spec) { s.Host.UsernsMode = "host" }},
		{"another container's PIDs", "Host.PidMode", "namespaces.pid", func(s *Spec) { s.Host.PidMode = "container:x" }},
		{"another container's IPC", "Host.IpcMode", "namespaces.ipc", func(s *Spec) { s.Host.IpcMode = "container:x" }},
		{"IPC for others", "Host.IpcMode", "namespaces.ipc", func(s *Spec) { s.Host.IpcMode = "shareable" }},
		{"another container's network", "Host.NetworkMode", "network.modes", func(s *Spec) { s.Host.NetworkMode = "container:x" }},
		{"no network mode", "Host.NetworkMode", "network.modes", func(s *Spec) { s.Host.NetworkMode = "" }},
		{"a network called default", "Host.NetworkMode", "network.modes", func(s *Spec) { s.Host.NetworkMode = "default" }},
		{"the start of a network's ID", "Host.NetworkMode", "network.modes", func(s *Spec) { s.Host.NetworkMode = "7f3a" }},
		{"two networks", "Network.EndpointsConfig[team-a]", "network.endpoints", func(s *Spec) {
			s.Network.EndpointsConfig = map[string]*network.EndpointSettings{"team-a": nil}
		}},
		{"an endpoint on the host's network", "Network.EndpointsConfig[host]", "network.endpoints", func(s *Spec) {
			s.Host.NetworkMode = "host"
			s.Network.EndpointsConfig = map[string]*network.EndpointSettings{"host": {}}
		}},
		{"link", "Host.Links[a:b]", "network.links", func(s *Spec) { s.Host.Links = []string{"a:b"} }},
		{"all ports", "Host.PublishAllPorts", "network.publish_all", func(s *Spec) { s.Host.PublishAllPorts = true }},
		{"volumes of others", "Host.VolumesFrom[x]", "mounts.volumes_from", func(s *Spec) { s.Host.VolumesFrom = []string{"x"} }},
		{"binds", "Host.Binds[/srv:/x]", "mounts.binds", func(s *Spec) { s.Host.Binds = []string{"/srv:/x"} }},
		{"options of a local volume", "Host.Mounts[/x].VolumeOptions.DriverConfig.Options[device]", "mounts.volume_options",
			mounting(mount.Mount{Type: mount.TypeVolume, Source: "v1", VolumeOptions: &mount.VolumeOptions{
				DriverConfig: &mount.Driver{Options: map[string]string{"device": "/etc"}}}})},
		{"image as a mount", "Host.Mounts[/x]", "mounts.types", mounting(mount.Mount{Type: mount.TypeImage, Source: "busybox"})},
		{"named pipe", "Host.Mounts[/x]", "mounts.types", mounting(mount.Mount{Type: mount.TypeNamedPipe, Source: "x"})},
		{"cluster volume", "Host.Mounts[/x]", "mounts.types", mounting(mount.Mount{Type: mount.TypeCluster, Source: "x"})},
		{"shared mount", "Host.Mounts[/x]", "mounts.propagation",
			mounting(mount.Mount{Type: mount.TypeBind, Source: "/srv", BindOptions: &mount.BindOptions{Propagation: mount.PropagationRShared}})},
		{"the root", "Host.Mounts[/x]", "mounts.sources", bind("/")},
		{"the engine's socket", "Host.Mounts[/x]", "mounts.denied", bind("/var/run/docker.sock")},
		{"the engine's socket by its other name", "Host.Mounts[/x]", "mounts.denied", bind("/run/docker.sock")},
		{"the folder of the engine's socket", "Host.Mounts[/x]", "mounts.denied", bind("/run")},
		{"containerd's socket", "Host.Mounts[/x]", "mounts.denied", bind("/run/containerd/containerd.sock")},
		{"a folder above Docker's", "Host.Mounts[/x]", "mounts.denied", bind("/var")},
		{"Docker's folder", "Host.Mounts[/x]", "mounts.denied", bind("/var/lib/docker")},
		{"/etc", "Host.Mounts[/x]", "mounts.denied", bind("/etc")},
		{"another process's root", "Host.Mounts[/x]", "mounts.denied", bind("/proc/1/root/srv")},
		{"devices as files", "Host.Mounts[/x]", "mounts.denied", bind("/dev")},
		{"masked paths", "Host.MaskedPaths", "security_opt.systempaths", func(s *Spec) { s.Host.MaskedPaths = []string{} }},
		{"read-only paths", "Host.ReadonlyPaths", "security_opt.systempaths", func(s *Spec) { s.Host.ReadonlyPaths = []string{"/proc/bus"} }},
		{"system paths", "Host.SecurityOpt[systempaths=unconfined]", "security_opt.systempaths", func(s *Spec) { s.Host.SecurityOpt = []string{"systempaths=unconfined"} }},
		{"no seccomp", "Host.SecurityOpt[seccomp=unconfined]", "security_opt.seccomp", func(s *Spec) { s.Host.SecurityOpt = []string{"seccomp=unconfined"} }},
		{"no seccomp with a colon", "Host.SecurityOpt[seccomp:unconfined]", "security_opt.seccomp", func(s *Spec) { s.Host.SecurityOpt = []string{"seccomp:unconfined"} }},
		{"no seccomp by the name of a profile", "Host.SecurityOpt[seccomp=none]", "security_opt.seccomp", func(s *Spec) { s.Host.SecurityOpt = []string{"seccomp=none"} }},
		{"no AppArmor", "Host.SecurityOpt[apparmor=unconfined]", "security_opt.apparmor", func(s *Spec) { s.Host.SecurityOpt = []string{"apparmor=unconfined"} }},
		{"no AppArmor in a namespace", "Host.SecurityOpt[apparmor=:root:unconfined]", "security_opt.apparmor", func(s *Spec) { s.Host.SecurityOpt = []string{"apparmor=:root:unconfined"} }},
		{"no AppArmor, stacked", "Host.SecurityOpt[apparmor=web//&unconfined]", "security_opt.apparmor", func(s *Spec) { s.Host.SecurityOpt = []string{"apparmor=web//&unconfined"} }},
		{"no SELinux", "Host.SecurityOpt[label=disable]", "security_opt.selinux", func(s *Spec) { s.Host.SecurityOpt = []string{"label=disable"} }},
		{"no SELinux with a colon", "Host.SecurityOpt[label:disable]", "security_opt.selinux", func(s *Spec) { s.Host.SecurityOpt = []string{"label:disable"} }},
		{"a type that SELinux does not confine", "Host.SecurityOpt[label=type:spc_t]", "security_opt.selinux", func(s *Spec) { s.Host.SecurityOpt = []string{"label=type:spc_t"} }},
		{"a type of the host's services", "Host.SecurityOpt[label=type:unconfined_service_t]", "security_opt.selinux", func(s *Spec) { s.Host.SecurityOpt = []string{"label=type:unconfined_service_t"} }},
		{"a type with the start of a level", "Host.SecurityOpt[label=type:spc_t:s0]", "security_opt.selinux", func(s *Spec) {
			s.Host.SecurityOpt = []string{"label=type:spc_t:s0", "label=level:c0", "label=filetype:container_file_t"}
		}},
		{"a user with all of a context", "Host.SecurityOpt[label=user:system_u:system_r:spc_t:s0]", "security_opt.selinux", func(s *Spec) {
			s.Host.SecurityOpt = []string{"label=user:system_u:system_r:spc_t:s0"}
		}},
		{"a label that is none", "Host.SecurityOpt[label=nested]", "security_opt.selinux", func(s *Spec) { s.Host.SecurityOpt = []string{"label=nested"} }},
		{"writable cgroups", "Host.SecurityOpt[writable-cgroups=true]", "security_opt", func(s *Spec) { s.Host.SecurityOpt = []string{"writable-cgroups=true"} }},
		{"seccomp profile of the task", "Host.SecurityOpt[seccomp={}]", "security_opt.seccomp", func(s *Spec) { s.Host.SecurityOpt = []string{"seccomp={}"} }},
		{"restart", "Host.RestartPolicy", "restart", func(s *Spec) { s.Host.RestartPolicy.Name = "always" }},
		{"removal", "Host.AutoRemove", "auto_remove", func(s *Spec) { s.Host.AutoRemove = true }},
		{"cgroup", "Host.CgroupParent", "cgroup_parent", func(s *Spec) { s.Host.CgroupParent = "/" }},
		{"ID file", "Host.ContainerIDFile", "container_id_file", func(s *Spec) { s.Host.ContainerIDFile = "/etc/x" }},
		{"health check", "Config.Healthcheck", "health_checks", func(s *Spec) { s.Config.Healthcheck = &container.HealthConfig{Test: []string{"CMD", "true"}} }},
		{"stop timeout", "Config.StopTimeout", "stop_timeout", func(s *Spec) { s.Config.StopTimeout = &seconds }},
		{"OOM killer off", "Host.OomKillDisable", "memory.oom_kill_disable", func(s *Spec) { s.Host.OomKillDisable = &yes }},
		{"swap", "Host.MemorySwap", "memory_swap", func(s *Spec) { s.Host.MemorySwap = -1 }},
		{"swappiness", "Host.MemorySwappiness", "memory.swappiness", func(s *Spec) { s.Host.MemorySwappiness = &swappiness }},
		{"kernel memory", "Host.KernelMemory", "memory.kernel", func(s *Spec) { s.Host.KernelMemory = 1 }},
		{"CPUs", "Host.CpusetCpus", "cpu.set", func(s *Spec) { s.Host.CpusetCpus = "0" }},
		{"real time", "Host.CPURealtimeRuntime", "cpu.realtime", func(s *Spec) { s.Host.CPURealtimeRuntime = 1 }},
		{"disk weight", "Host.BlkioWeight", "blkio", func(s *Spec) { s.Host.BlkioWeight = 10 }},
		{"storage option", "Host.StorageOpt[size]", "storage_opt", func(s *Spec) { s.Host.StorageOpt = map[string]string{"size": "1g"} }},
		{"annotation", "Host.Annotations[a]", "annotations", func(s *Spec) { s.Host.Annotations = map[string]string{"a": "b"} }},
		{"isolation", "Host.Isolation", "isolation", func(s *Spec) { s.Host.Isolation = "hyperv" }},
		{"user namespace by name", "Host.UsernsMode", "namespaces.userns", func(s *Spec) { s.Host.UsernsMode = "container:x" }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			spec := goodSpec()
			test.change(&spec)
			r := New("everything", everyRule()).Review(spec, testRoots).Rejections()
			if len(r) != 1 || r[0].Field != test.field || r[0].Rule != test.rule {
				t.Fatalf("got %+v, want %s by rule %s", r, test.field, test.rule)
			}
			if !strings.HasSuffix(r[0].Message, ".") || r[0].Place != "fixed" && r[0].Rule != "network.modes" && r[0].Rule != "security_opt.seccomp" {
				t.Errorf("not a sentence, or not fixed: %+v", r[0])
			}
			rules := everyRule()
			rules.Mode = Audit
			if audited := New("everything", rules).Review(spec, testRoots).Rejections(); !reflect.DeepEqual(r, audited) {
				t.Errorf("in audit mode: %+v", audited)
			}
		})
	}
}

// TestABroaderPathDoesNotOpenADeniedFolder: neither does audit mode, only a path of its own.
func TestABroaderPathDoesNotOpenADeniedFolder(t *testing.T) {
	for _, source := range []string{"/var/lib/docker/volumes", "/etc/shadow", "/dev/sda"} {
		spec, rules := goodSpec(), everyRule()
		mounting(mount.Mount{Type: mount.TypeBind, Source: source, ReadOnly: true})(&spec)
		r := New("everything", rules).Review(spec, testRoots).Rejections()
		if len(r) != 1 || r[0].Field != "Host.Mounts[/x]" || r[0].Rule != "mounts.denied" || r[0].Place != "everything" {
			t.Errorf("%s: %+v", source, r)
		}
		rules.Mode = Audit
		if d := New("everything", rules).Review(spec, testRoots); !d.Rejected() {
			t.Errorf("%s in audit mode: %+v", source, d.Findings)
		}
		rules.Mounts.HostPaths = []HostPath{{Path: source}}
		if d := New("everything", rules).Review(spec, testRoots); d.Rejected() || len(d.Spec.Host.Mounts) != 2 {
			t.Errorf("%s by a path of its own: %+v", source, d.Rejections())
		}
	}
}

func sortedCapabilities() []string { return slices.Sorted(maps.Keys(knownCapabilities())) }
