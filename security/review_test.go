package security

import (
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

var testRoots = Grants{Roots: []string{"/lease/1"}}

func goodSpec() Spec {
	return Spec{
		Name:   "mesos-1",
		Image:  "busybox:local",
		Config: container.Config{Image: "busybox:local", Cmd: []string{"true"}, Env: []string{"A=b"}},
		Host: container.HostConfig{
			NetworkMode: "bridge",
			Resources:   container.Resources{Memory: 32 << 20, CPUShares: 2},
			Mounts:      []mount.Mount{{Type: mount.TypeBind, Source: "/lease/1", Target: "/mnt/mesos/sandbox"}},
		},
		Origins: Origins{},
	}
}

func reviewOf(change func(*Spec)) Decision {
	spec := goodSpec()
	change(&spec)
	return BuiltIn().Review(spec, testRoots)
}

func TestPlainSpecIsConfined(t *testing.T) {
	d := reviewOf(func(*Spec) {})
	if d.Rejected() {
		t.Fatal(d.Rejections())
	}
	if problem := violation(d.Spec, testRoots.Roots); problem != "" {
		t.Error(problem)
	}
	if !slices.Equal(d.Spec.Host.CapAdd, BuiltIn().rules.Capabilities.Base) || len(d.Spec.Host.CapAdd) != 12 {
		t.Errorf("capabilities %q", d.Spec.Host.CapAdd)
	}
	if *d.Spec.Host.PidsLimit != 4096 || *d.Spec.Host.Init || d.Spec.Host.RestartPolicy.Name != "no" {
		t.Errorf("%+v", d.Spec.Host)
	}
}

func TestRejections(t *testing.T) {
	mountOf := func(change func(*mount.Mount)) func(*Spec) {
		return func(s *Spec) {
			m := mount.Mount{Type: mount.TypeBind, Source: "/lease/1/x", Target: "/x"}
			change(&m)
			s.Host.Mounts = append(s.Host.Mounts, m)
		}
	}
	published := func(port nat.Port, b nat.PortBinding) func(*Spec) {
		return func(s *Spec) { s.Host.PortBindings = nat.PortMap{port: {b}} }
	}
	yes := true
	tests := []struct {
		name   string
		change func(*Spec)
		field  string
		rule   string
	}{
		{"privileged", func(s *Spec) { s.Host.Privileged = true }, "Host.Privileged", "privileged"},
		{"host network", func(s *Spec) { s.Host.NetworkMode = "host" }, "Host.NetworkMode", "network.modes"},
		{"no network mode", func(s *Spec) { s.Host.NetworkMode = "" }, "Host.NetworkMode", "network.modes"},
		{"default network", func(s *Spec) { s.Host.NetworkMode = "default" }, "Host.NetworkMode", "network.modes"},
		{"another container's network", func(s *Spec) { s.Host.NetworkMode = "container:x" }, "Host.NetworkMode", "network.modes"},
		{"network endpoint", func(s *Spec) { s.Network.EndpointsConfig = map[string]*network.EndpointSettings{"host": nil} }, "Network.EndpointsConfig[host]", "network.endpoints"},
		{"ports without a bridge", func(s *Spec) {
			s.Host.NetworkMode = "none"
			s.Host.PortBindings = nat.PortMap{"80/tcp": {{HostPort: "31000"}}}
		}, "Host.PortBindings[80/tcp]", "network.ports"},
		{"port range", published("80/tcp", nat.PortBinding{HostPort: "1-65535"}), "Host.PortBindings[80/tcp]", "network.ports"},
		{"any host port", published("80/tcp", nat.PortBinding{}), "Host.PortBindings[80/tcp]", "network.ports"},
		{"host address", published("80/tcp", nat.PortBinding{HostIP: "10.0.0.1", HostPort: "80"}), "Host.PortBindings[80/tcp]", "network.host_ip"},
		{"sctp", published("80/sctp", nat.PortBinding{HostPort: "80"}), "Host.PortBindings[80/sctp]", "network.ports"},
		{"exposed range", func(s *Spec) { s.Config.ExposedPorts = nat.PortSet{"80-90/tcp": {}} }, "Config.ExposedPorts[80-90/tcp]", "network.expose"},
		{"exposed protocol", func(s *Spec) { s.Config.ExposedPorts = nat.PortSet{"80/icmp": {}} }, "Config.ExposedPorts[80/icmp]", "network.expose"},
		{"mount of a sibling", mountOf(func(m *mount.Mount) { m.Source = "/lease/10" }), "Host.Mounts[/x]", "mounts.sources"},
		{"mount with dots", mountOf(func(m *mount.Mount) { m.Source = "/lease/1/../2" }), "Host.Mounts[/x]", "mounts.sources"},
		{"named volume", mountOf(func(m *mount.Mount) { m.Type, m.Source = mount.TypeVolume, "v" }), "Host.Mounts[/x]", "mounts.volumes"},
		{"mount options", mountOf(func(m *mount.Mount) { m.VolumeOptions = &mount.VolumeOptions{} }), "Host.Mounts[/x].VolumeOptions", "unknown"},
		{"propagation", mountOf(func(m *mount.Mount) { m.BindOptions = &mount.BindOptions{Propagation: mount.PropagationShared} }), "Host.Mounts[/x]", "mounts.propagation"},
		{"mount point made by the daemon", mountOf(func(m *mount.Mount) { m.BindOptions = &mount.BindOptions{CreateMountpoint: true} }), "Host.Mounts[/x].BindOptions.CreateMountpoint", "mounts.options"},
		{"target taken", mountOf(func(m *mount.Mount) { m.Target = "/mnt/mesos/sandbox" }), "Host.Mounts[/mnt/mesos/sandbox]", "mounts.targets"},
		{"target relative", mountOf(func(m *mount.Mount) { m.Target = "x" }), "Host.Mounts[x]", "mounts.targets"},
		{"target in /sys", mountOf(func(m *mount.Mount) { m.Target = "/sys/fs/cgroup" }), "Host.Mounts[/sys/fs/cgroup]", "mounts.targets"},
		{"unknown capability", func(s *Spec) { s.Host.CapAdd = []string{"CAP_ALL"} }, "Host.CapAdd[CAP_ALL]", "capabilities.known"},
		{"security option", func(s *Spec) { s.Host.SecurityOpt = []string{"seccomp=unconfined"} }, "Host.SecurityOpt[seccomp=unconfined]", "security_opt.seccomp"},
		{"host pids", func(s *Spec) { s.Host.PidMode = "host" }, "Host.PidMode", "namespaces.pid"},
		{"host ipc", func(s *Spec) { s.Host.IpcMode = "host" }, "Host.IpcMode", "namespaces.ipc"},
		{"device", func(s *Spec) { s.Host.Devices = []container.DeviceMapping{{}} }, "Host.Devices[]", "devices"},
		{"oom killer", func(s *Spec) { s.Host.OomKillDisable = &yes }, "Host.OomKillDisable", "memory.oom_kill_disable"},
		{"masked paths emptied", func(s *Spec) { s.Host.MaskedPaths = []string{} }, "Host.MaskedPaths", "security_opt.systempaths"},
		{"log driver", func(s *Spec) { s.Host.LogConfig.Type = "syslog" }, "Host.LogConfig.Type", "log_driver"},
		{"restart", func(s *Spec) { s.Host.RestartPolicy.Name = "always" }, "Host.RestartPolicy", "restart"},
		{"auto remove", func(s *Spec) { s.Host.AutoRemove = yes }, "Host.AutoRemove", "auto_remove"},
		{"cgroup parent of the task", func(s *Spec) { s.Host.CgroupParent = "/" }, "Host.CgroupParent", "cgroup_parent"},
		{"target of two lines", mountOf(func(m *mount.Mount) { m.Target = "/x\ny" }), "Host.Mounts[/x\\ny]", "mounts.targets"},
		{"no memory limit", func(s *Spec) { s.Host.Memory = 0 }, "Host.Memory", "memory"},
		{"swap of the task", func(s *Spec) { s.Host.MemorySwap = -1 }, "Host.MemorySwap", "memory_swap"},
		{"no cpu at all", func(s *Spec) { s.Host.CPUPeriod, s.Host.CPUQuota = 100_000, 0 }, "Host.CPUQuota", "cpu"},
		{"negative cpu", func(s *Spec) { s.Host.CPUPeriod, s.Host.CPUQuota = 100_000, -2 }, "Host.CPUQuota", "cpu"},
		{"shares", func(s *Spec) { s.Host.CPUShares = 0 }, "Host.CPUShares", "cpu"},
		{"ulimit without maximum", func(s *Spec) { s.Host.Ulimits = []*container.Ulimit{{Name: "swap"}} }, "Host.Ulimits[swap]", "ulimits"},
		{"ulimit twice", func(s *Spec) { s.Host.Ulimits = []*container.Ulimit{{Name: "cpu"}, {Name: "cpu"}} }, "Host.Ulimits[cpu]", "ulimits"},
		{"ulimit negative", func(s *Spec) { s.Host.Ulimits = []*container.Ulimit{{Name: "cpu", Soft: -2, Hard: -2}} }, "Host.Ulimits[cpu]", "ulimits"},
		{"ulimit nil", func(s *Spec) { s.Host.Ulimits = []*container.Ulimit{nil} }, "Host.Ulimits", "ulimits"},
		{"workdir in /proc", func(s *Spec) { s.Config.WorkingDir = "/proc/self/fd/7" }, "Config.WorkingDir", "workdir"},
		{"workdir in /proc by the link in /dev", func(s *Spec) { s.Config.WorkingDir = "/dev/fd/8" }, "Config.WorkingDir", "workdir"},
		{"workdir with dots", func(s *Spec) { s.Config.WorkingDir = "/tmp/../proc" }, "Config.WorkingDir", "workdir"},
		{"hostname", func(s *Spec) { s.Config.Hostname = "-x" }, "Config.Hostname", "hostname"},
		{"user", func(s *Spec) { s.Config.User = "4294967295" }, "Config.User", "user"},
		{"variable taken away", func(s *Spec) { s.Config.Env = []string{"PATH"} }, "Config.Env[0]", "environment"},
		{"variable of two lines", func(s *Spec) { s.Config.Env = []string{"A\nB=c"} }, "Config.Env[0]", "environment"},
		{"label of two lines", func(s *Spec) { s.Config.Labels = map[string]string{"a\x1bb": "x"} }, "Config.Labels[a\\x1bb]", "labels"},
		{"label without name", func(s *Spec) { s.Config.Labels = map[string]string{" ": "x"} }, "Config.Labels[ ]", "labels"},
		{"NUL in the command", func(s *Spec) { s.Config.Cmd = []string{"a\x00b"} }, "Config.Cmd[0]", "text"},
		{"bytes that JSON would change", func(s *Spec) { s.Config.Env = []string{"A=\xff"} }, "Config.Env[0]", "text"},
		{"image without tag", func(s *Spec) { s.Image, s.Config.Image = "busybox", "busybox" }, "Image", "image"},
		{"two images", func(s *Spec) { s.Config.Image = "busybox:other" }, "Image", "image"},
		{"name", func(s *Spec) { s.Name = "../x" }, "Name", "name"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			d := reviewOf(test.change)
			r := d.Rejections()
			if len(r) != 1 || r[0].Field != test.field || r[0].Rule != test.rule {
				t.Fatalf("got %+v, want %s by rule %s", r, test.field, test.rule)
			}
			if !reflect.DeepEqual(d.Spec, Spec{}) {
				t.Error("a rejected Spec can be sent")
			}
			if !strings.HasSuffix(r[0].Message, ".") {
				t.Errorf("not a sentence: %s", r[0].Message)
			}
		})
	}
}

func TestEveryRejectionIsCollectedInAStableOrder(t *testing.T) {
	change := func(s *Spec) {
		s.Host.Privileged, s.Host.NetworkMode, s.Host.PidMode = true, "host", "host"
		s.Host.Sysctls = map[string]string{"b": "1", "a": "2"}
		s.Config.Labels = map[string]string{"": "", " ": "", "  ": ""}
	}
	first := reviewOf(change)
	if len(first.Rejections()) != 8 {
		t.Fatalf("%d rejections: %+v", len(first.Rejections()), first.Rejections())
	}
	for range 20 {
		if diff := cmp.Diff(first, reviewOf(change)); diff != "" {
			t.Fatal(diff)
		}
	}
}

func TestFindingsCarryTheOrigin(t *testing.T) {
	d := reviewOf(func(s *Spec) {
		s.Host.CapAdd = []string{"net_admin", "KILL"}
		s.Host.Mounts = append(s.Host.Mounts, mount.Mount{Type: mount.TypeBind, Source: "/etc", Target: "/x"})
		s.Origins = Origins{"Host.CapAdd[net_admin]": "parameter 0", "Host.Mounts": "volumes"}
	})
	origins := map[string]string{}
	for _, f := range d.Findings {
		origins[string(f.Action)+" "+f.Field] = f.Origin
	}
	want := map[string]string{"trim Host.CapAdd[net_admin]": "parameter 0", "allow Host.CapAdd[KILL]": "", "reject Host.Mounts[/x]": "volumes"}
	for key, origin := range want {
		if got, found := origins[key]; !found || got != origin {
			t.Errorf("%s: origin %q, found %v in %v", key, got, found, origins)
		}
	}
}

func TestReviewSharesNothingWithItsInput(t *testing.T) {
	spec := goodSpec()
	spec.Config.Labels = map[string]string{"a": "b", ReservedLabelPrefix + "x": "y"}
	before := clone(spec)
	d := BuiltIn().Review(spec, testRoots)
	if diff := cmp.Diff(before, spec); diff != "" {
		t.Error("the input changed:", diff)
	}
	d.Spec.Config.Env[0], d.Spec.Config.Labels["a"], d.Spec.Host.Mounts[0].Target = "X=y", "z", "/"
	d.Spec.Host.CapAdd[0] = "CAP_SYS_ADMIN"
	if diff := cmp.Diff(before, spec); diff != "" {
		t.Error("the decision shares memory with the input:", diff)
	}
	if again := BuiltIn().Review(spec, testRoots); slices.Contains(again.Spec.Host.CapAdd, "CAP_SYS_ADMIN") {
		t.Error("the decision shares memory with the policy")
	}
}

func TestReviewedSpecIsAcceptedUnchanged(t *testing.T) {
	first := reviewOf(func(s *Spec) { s.Host.CapDrop = []string{"ALL"}; s.Host.CapAdd = []string{"CHOWN", "SYS_ADMIN"} })
	second := BuiltIn().Review(first.Spec, testRoots)
	if second.Rejected() {
		t.Fatal(second.Rejections())
	}
	if diff := cmp.Diff(first.Spec, second.Spec); diff != "" {
		t.Error(diff)
	}
}

func TestBindRootsThatWouldOpenTheHostAreIgnored(t *testing.T) {
	for _, root := range []string{"/", "", "lease", "/lease/../", "/lease/1/"} {
		if d := BuiltIn().Review(goodSpec(), Grants{Roots: []string{root}}); !d.Rejected() {
			t.Errorf("%q lets %s be mounted", root, goodSpec().Host.Mounts[0].Source)
		}
	}
}

func TestTrims(t *testing.T) {
	d := reviewOf(func(s *Spec) {
		s.Config.Labels = map[string]string{"ok": "1", ReservedLabelPrefix + "task": "x", "Mesos-Docker-Executor.y": "z"}
		s.Host.Ulimits = []*container.Ulimit{{Name: "nofile", Soft: 10, Hard: -1}, {Name: "rtprio", Soft: 5, Hard: 99}, {Name: "stack", Soft: -1, Hard: -1}}
	})
	if d.Rejected() {
		t.Fatal(d.Rejections())
	}
	if diff := cmp.Diff(map[string]string{"ok": "1"}, d.Spec.Config.Labels); diff != "" {
		t.Error(diff)
	}
	want := []*container.Ulimit{{Name: "nofile", Soft: 10, Hard: 65536}, {Name: "rtprio"}, {Name: "stack", Soft: -1, Hard: -1}, {Name: "core"}}
	if diff := cmp.Diff(want, d.Spec.Host.Ulimits); diff != "" {
		t.Error(diff)
	}
	var trimmed []string
	for _, c := range d.Changes() {
		if c.Action == Trim {
			trimmed = append(trimmed, c.Value)
		}
	}
	if diff := cmp.Diff([]string{"Mesos-Docker-Executor.y", ReservedLabelPrefix + "task", "ulimit nofile=10:-1", "ulimit rtprio=5:99"}, trimmed); diff != "" {
		t.Error(diff)
	}
}

func TestPolicyHashNamesTheRules(t *testing.T) {
	a, b := BuiltIn(), BuiltIn()
	if a.Hash() != b.Hash() || !strings.HasPrefix(a.Hash(), "built-in:") || len(a.Hash()) != len("built-in:")+12 {
		t.Errorf("%s, %s", a.Hash(), b.Hash())
	}
	rules := BuiltInRules()
	rules.PidsLimit++
	if a.Hash() == New("built-in", rules).Hash() {
		t.Error("other rules, same hash")
	}
	if d := reviewOf(func(*Spec) {}); d.PolicyHash != a.Hash() {
		t.Errorf("the decision names %s", d.PolicyHash)
	}
}

func TestZeroPolicyAllowsNoContainer(t *testing.T) {
	if d := (Policy{}).Review(goodSpec(), testRoots); !d.Rejected() {
		t.Errorf("%+v", d)
	}
}

func TestHostnamesAndUsers(t *testing.T) {
	for name, good := range map[string]bool{
		"a": true, "web-1.example": true, "A9": true, strings.Repeat("a", 63): true,
		"": false, "-a": false, "a-": false, "a..b": false, "a_b": false, "a b": false, strings.Repeat("a", 64): false, "ä": false, "a\n": false,
	} {
		if err := CheckHostname(name); (err == nil) != good {
			t.Errorf("hostname %q: %v", name, err)
		}
	}
	for user, good := range map[string]bool{
		"root": true, "0": true, "1000:1000": true, "www-data:www-data": true, "machine$": true, "2147483647": true,
		"": false, "a:": false, ":a": false, "a:b:c": false, "-1": false, "2147483648": false, "a b": false, "../x": false, "+1": false,
	} {
		if err := CheckUser(user); (err == nil) != good {
			t.Errorf("user %q: %v", user, err)
		}
	}
}
