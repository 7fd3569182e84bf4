package security

import (
	"slices"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
)

func TestVariablesOfMesosAndMarathonPass(t *testing.T) {
	env := []string{
		"MESOS_TASK_ID=a", "MESOS_SANDBOX=/mnt/mesos/sandbox", "MARATHON_APP_ID=/a", "MARATHON_APP_VERSION=1", "PORT0=31000", "HOST=h",
		"LD_PRELOAD=/usr/lib/libjemalloc.so", "DOCKER_HOST=tcp://192.0.2.1:2375", "NVIDIA_API_KEY=secret", "EMPTY=", "a.b-c=ä\n=",
	}
	d := reviewOf(func(s *Spec) { s.Config.Env = env })
	if d.Rejected() || !slices.Equal(d.Spec.Config.Env, append(env, "NVIDIA_VISIBLE_DEVICES=void")) {
		t.Errorf("%q, %+v", d.Spec.Config.Env, d.Rejections())
	}
}

func TestDeniedVariablesAreTrimmedByName(t *testing.T) {
	d := reviewWith(func(r *Rules) { r.DeniedEnvironment = append(r.DeniedEnvironment, "AWS_*") }, func(s *Spec) {
		s.Config.Env = []string{"A=b", "NVIDIA_VISIBLE_DEVICES=all", "AWS_SECRET=hush", "NVIDIA_VISIBLE_DEVICES_=1"}
		s.Origins = Origins{"Config.Env": "command.environment", "Config.Env[AWS_SECRET]": "parameter 1 `env`"}
	})
	if want := []string{"A=b", "NVIDIA_VISIBLE_DEVICES_=1", "NVIDIA_VISIBLE_DEVICES=void"}; !slices.Equal(d.Spec.Config.Env, want) {
		t.Errorf("%q", d.Spec.Config.Env)
	}
	var got []string
	for _, c := range d.Changes() {
		if c.Action == Trim {
			got = append(got, c.Field+" "+c.Value+" "+c.Rule+" "+c.Origin)
		}
	}
	want := []string{
		"Config.Env[NVIDIA_VISIBLE_DEVICES] NVIDIA_VISIBLE_DEVICES environment.deny command.environment",
		"Config.Env[AWS_SECRET] AWS_SECRET environment.deny parameter 1 `env`",
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestNoVariableGivesAGPU: NVIDIA's runtime gives all devices to a container with CUDA_VERSION alone, and the image may have
// what the task has not.
func TestNoVariableGivesAGPU(t *testing.T) {
	const none = "NVIDIA_VISIBLE_DEVICES=void"
	gpus := func(r *Rules) { r.GPUs = true }
	request := func(s *Spec) {
		s.Config.Env = []string{"CUDA_VERSION=11.0"}
		s.Host.DeviceRequests = []container.DeviceRequest{{Count: 1, Capabilities: [][]string{{"gpu"}}}}
	}
	env := func(entries ...string) func(*Spec) { return func(s *Spec) { s.Config.Env = entries } }
	tests := []struct {
		name   string
		rules  func(*Rules)
		change func(*Spec)
		want   []string
		said   bool
	}{
		{"nothing", func(*Rules) {}, env(), []string{none}, false},
		{"legacy image", func(*Rules) {}, env("CUDA_VERSION=11.0"), []string{"CUDA_VERSION=11.0", none}, true},
		{"all", func(*Rules) {}, env("NVIDIA_VISIBLE_DEVICES=all", "A=b"), []string{"A=b", none}, true},
		{"other variables", func(*Rules) {}, env("NVIDIA_API_KEY=x"), []string{"NVIDIA_API_KEY=x", none}, false},
		{"none already", func(*Rules) {}, env(none, "A=b", none), []string{"A=b", none}, false},
		{"not denied", func(r *Rules) { r.DeniedEnvironment = nil }, env("NVIDIA_VISIBLE_DEVICES=all"), []string{"NVIDIA_VISIBLE_DEVICES=all"}, false},
		{"GPUs by request", gpus, request, []string{"CUDA_VERSION=11.0"}, false},
		{"GPUs, and no request", gpus, env("CUDA_VERSION=11.0"), []string{"CUDA_VERSION=11.0", none}, true},
	}
	for _, test := range tests {
		d := reviewWith(test.rules, test.change)
		said := slices.ContainsFunc(d.Changes(), func(f Finding) bool { return f.Action == Force && f.Value == none && f.Rule == "environment.deny" })
		if d.Rejected() || !slices.Equal(d.Spec.Config.Env, test.want) || said != test.said {
			t.Errorf("%s: %q, said %v, %v", test.name, d.Spec.Config.Env, said, d.Rejections())
		}
	}
}

// TestSecretsAreNotInFindings puts one word into every place whose value may be a secret.
func TestSecretsAreNotInFindings(t *testing.T) {
	const secret = "hunter2"
	for _, rules := range []Rules{BuiltInRules(), everyRule()} {
		spec := goodSpec()
		m := map[string]string{"key": secret}
		spec.Config.Env = []string{"A=" + secret, "NVIDIA_VISIBLE_DEVICES=" + secret, "=" + secret}
		spec.Config.Cmd, spec.Config.Entrypoint = []string{secret}, []string{secret}
		spec.Config.Labels = map[string]string{"a": secret, ReservedLabelPrefix + "x": secret}
		spec.Config.Healthcheck = &container.HealthConfig{Test: []string{"CMD", secret}}
		spec.Host.LogConfig = container.LogConfig{Type: "syslog", Config: map[string]string{"syslog-address": secret, "key": secret}}
		spec.Host.Annotations, spec.Host.StorageOpt = m, m
		spec.Host.DeviceRequests = []container.DeviceRequest{{Options: m}}
		spec.Host.Mounts = append(spec.Host.Mounts, mount.Mount{Type: mount.TypeVolume, Source: "vol", Target: "/x", VolumeOptions: &mount.VolumeOptions{
			Labels: m, DriverConfig: &mount.Driver{Name: "local", Options: map[string]string{"type": secret, "key": secret}}}})
		for _, f := range New("x", rules).Review(spec, testRoots).Findings {
			if strings.Contains(f.Field+f.Value+f.Message, secret) {
				t.Errorf("%+v", f)
			}
		}
	}
}

func TestProgramsInProcAreRejected(t *testing.T) {
	tests := []struct {
		entrypoint, cmd []string
		workdir         string
		image           Image
		rule            string
	}{
		{nil, []string{"true"}, "", Image{}, ""},
		{[]string{"/bin/sh", "-c"}, []string{"/proc/self/exe"}, "", Image{}, ""}, // an argument
		{[]string{"proc"}, nil, "", Image{}, ""},
		{[]string{"/proc/self/exe"}, nil, "", Image{}, "command"},
		{[]string{"/bin/../proc//self/fd/7"}, nil, "", Image{}, "command"},
		{[]string{"/dev/fd/7"}, nil, "", Image{}, "command"}, // a link to /proc/self/fd in every container
		{[]string{"../dev//stdin"}, nil, "/srv", Image{}, "command"},
		{nil, []string{"/dev/fd/7"}, "", Image{}, "image.command"},
		{[]string{"proc/self/exe"}, nil, "", Image{}, "command"},
		{[]string{"../proc/1/exe"}, nil, "/srv", Image{}, "command"},
		{[]string{"proc/run"}, nil, "/srv", Image{}, ""},
		{[]string{""}, []string{"/proc/self/exe"}, "", Image{}, "command"},
		{[]string{}, []string{"/proc/self/exe"}, "", Image{}, "command"},
		// Only with the image is it known what the command is.
		{nil, []string{"/proc/self/exe"}, "", Image{}, "image.command"},
		{nil, []string{"/proc/self/exe"}, "", Image{Entrypoint: []string{"/bin/cat"}}, ""},
		{nil, nil, "", Image{Cmd: []string{"/proc/self/exe"}}, "image.command"},
		{nil, nil, "", Image{Entrypoint: []string{"self/exe"}, WorkingDir: "/proc"}, "image.workdir"},
		{[]string{"/bin/sh"}, nil, "", Image{Cmd: []string{"/proc/self/exe"}}, ""},
	}
	for _, test := range tests {
		d := reviewOf(func(s *Spec) {
			s.Config.Entrypoint, s.Config.Cmd, s.Config.WorkingDir = test.entrypoint, test.cmd, test.workdir
		})
		found := d.Rejections()
		if len(found) == 0 {
			found = BuiltIn().ReviewImage(test.image, d.Spec, testRoots)
		}
		rule := ""
		if len(found) > 0 {
			rule = found[0].Rule
		}
		if rule != test.rule {
			t.Errorf("%q %q in %q of %+v: %+v, want rule %q", test.entrypoint, test.cmd, test.workdir, test.image, found, test.rule)
		}
	}
}

func TestNonRootIsDemandedOfTaskAndImage(t *testing.T) {
	policy := New("test", Rules{RunAsNonRoot: true})
	for user, good := range map[string]bool{
		"": false, "0": false, "00": false, "0:1000": false, "root": false, "www-data": false, "1000": true, "1000:0": true, "+1": false,
	} {
		if found := policy.ReviewImage(Image{User: user}, Spec{}, testRoots); (len(found) == 0) != good {
			t.Errorf("image's user %q: %+v", user, found)
		}
		if user == "" || user == "+1" {
			continue
		}
		d := reviewWith(func(r *Rules) { r.RunAsNonRoot = true }, func(s *Spec) { s.Config.User = user })
		if d.Rejected() == good {
			t.Errorf("user %q: %+v", user, d.Rejections())
		}
	}
	if found := policy.ReviewImage(Image{User: "root"}, Spec{Config: container.Config{User: "1000"}}, testRoots); len(found) != 0 {
		t.Errorf("the task's user replaces the image's: %+v", found)
	}
}

func TestGroups(t *testing.T) {
	for group, good := range map[string]bool{
		"audio": true, "29": true, "1000": true, "0": false, "000": false, "root": false, "docker": false, "6": false, "06": false,
		"+0": false, "-0": false, "a:b": false, "": false, "2147483648": false,
	} {
		d := reviewOf(func(s *Spec) { s.Host.GroupAdd = []string{group} })
		if d.Rejected() == good {
			t.Errorf("group %q: %+v", group, d.Rejections())
		}
	}
}

// TestDeniedGroupsAreNoPrimaryOnes: what cannot be added cannot be the main group either, but for the group 0, which is the
// one of a user whom the image does not list.
func TestDeniedGroupsAreNoPrimaryOnes(t *testing.T) {
	for user, good := range map[string]bool{
		"0": true, "root": true, "1000": true, "1000:1000": true, "nobody:nogroup": true, "0:0": true, "root:root": true, "root:docker": true,
		"1000:0": true, "1000:root": true, "1000:6": false, "1000:06": false, "1000:docker": false, "nobody:disk": false, "www-data:42": false,
	} {
		d := reviewOf(func(s *Spec) { s.Config.User = user })
		if d.Rejected() == good || !good && d.Rejections()[0].Rule != "groups" {
			t.Errorf("user %q: %+v", user, d.Rejections())
		}
		found := BuiltIn().ReviewImage(Image{User: user}, Spec{}, testRoots)
		if (len(found) == 0) != good || !good && (found[0].Rule != "groups" || found[0].Field != "Image.User") {
			t.Errorf("image's user %q: %+v", user, found)
		}
		if found := BuiltIn().ReviewImage(Image{User: user}, Spec{Config: container.Config{User: "1"}}, testRoots); len(found) > 0 {
			t.Errorf("the task's user replaces the image's: %+v", found)
		}
	}
	if d := reviewWith(func(r *Rules) { r.DeniedGroups = nil }, func(s *Spec) { s.Config.User = "1000:6" }); d.Rejected() {
		t.Error(d.Rejections())
	}
}

// TestProgramsAreNotLookedUpInProc: a name without a slash is found in PATH.
func TestProgramsAreNotLookedUpInProc(t *testing.T) {
	tests := []struct {
		path, image     string
		entrypoint, cmd []string
		rule            string
		workdir         string
	}{
		{"", "", []string{"exe"}, nil, "", ""},
		{"/usr/bin:/bin", "/proc/self", []string{"exe"}, nil, "", ""},
		{"/process/self", "", []string{"exe"}, nil, "", ""},
		{"/proc/self", "", []string{"/bin/exe"}, nil, "", ""},
		{"/proc/self", "", []string{"exe"}, nil, "command", ""},
		{"/bin:/proc/self/", "", []string{"exe"}, nil, "command", ""},
		{"/bin:/bin/../proc/self", "", []string{"exe"}, nil, "command", ""},
		{"/bin:/dev/fd", "", []string{"exe"}, nil, "command", ""},
		{"/bin:", "", []string{"exe"}, nil, "", ""},
		{"/bin:", "", []string{"exe"}, nil, "", "/srv"},
		{"./node_modules/.bin:/bin", "", []string{"exe"}, nil, "", "/srv"},
		{"/bin:../proc/self", "", []string{"exe"}, nil, "command", "/srv"},
		{"/bin:proc/self", "", []string{"exe"}, nil, "command", ""},
		{"/proc/self", "", []string{""}, []string{"exe"}, "command", ""},
		{"/proc/self", "", nil, []string{"exe"}, "image.command", ""},
		{"/bin", "/proc/self", nil, []string{"exe"}, "", ""},
		{"", "/proc/self", nil, []string{"exe"}, "image.command", ""},
		{"", "/proc/self", []string{"exe"}, nil, "image.command", ""},
		{"", "/proc/self", nil, []string{"/bin/exe"}, "", ""},
		{"", "./node_modules/.bin:/bin", nil, []string{"exe"}, "", "/srv"},
		{"", "../proc/self:/bin", nil, []string{"exe"}, "image.command", "/srv"},
	}
	for _, test := range tests {
		d := reviewOf(func(s *Spec) {
			s.Config.Entrypoint, s.Config.Cmd, s.Config.WorkingDir = test.entrypoint, test.cmd, test.workdir
			if test.path != "" {
				s.Config.Env = []string{"PATH=/bin", "PATH=" + test.path}
				s.Origins = Origins{"Config.Env[PATH]": "parameter 3 `env`"}
			}
		})
		found := d.Rejections()
		if len(found) == 0 {
			found = BuiltIn().ReviewImage(Image{Path: test.image}, d.Spec, testRoots)
		}
		rule := ""
		if len(found) > 0 {
			rule = found[0].Rule
		}
		if rule != test.rule || rule == "command" && found[0].Origin != "parameter 3 `env`" {
			t.Errorf("%+v: %+v", test, found)
		}
	}
}

func TestStreams(t *testing.T) {
	d := reviewOf(func(s *Spec) {
		c := &s.Config
		c.Tty, c.OpenStdin, c.StdinOnce, c.AttachStdin, c.AttachStdout, c.AttachStderr = true, true, true, true, true, true
		s.Host.ConsoleSize = [2]uint{25, 80}
	})
	c := d.Spec.Config
	if d.Rejected() || !c.Tty || d.Spec.Host.ConsoleSize != [2]uint{25, 80} || c.OpenStdin || c.StdinOnce || c.AttachStdin || c.AttachStdout || c.AttachStderr {
		t.Errorf("%+v, %v", d.Spec, d.Rejections())
	}
	if d := reviewOf(func(s *Spec) { s.Config.Tty, s.Host.ConsoleSize = true, [2]uint{1 << 16, 80} }); !d.Rejected() {
		t.Error("a window larger than the kernel's")
	}
}

func TestStopSignals(t *testing.T) {
	for signal, good := range map[string]bool{
		"RTMIN+15": true, "SIGRTMIN+16": false, "SIGRTMIN+20": false, "RTMAX-14": true, "RTMAX-15": false, "RTMIN+0": false, "RTMIN+03": false,
		"SIGTERM": true, "term": true, "USR1": true, "15": true, "64": true, "SIGRTMIN": true, "SIGRTMIN+3": true, "rtmax-3": true, "SIGWINCH": true,
		"": false, "SIGKILL": false, "kill": false, "9": false, "STOP": false, "19": false, "0": false, "65": false, "-1": false, "SIG": false,
		"SIGSIGTERM": false, "RTMIN+31": false, "RTMAX+1": false, "RTMIN-1": false, "TERM ": false, "+15": false, "09": false,
	} {
		if err := CheckStopSignal(signal); (err == nil) != good {
			t.Errorf("%q: %v", signal, err)
		}
	}
	if d := reviewOf(func(s *Spec) { s.Config.StopSignal = "SIGKILL" }); len(d.Rejections()) != 1 {
		t.Errorf("%+v", d.Rejections())
	}
	if d := reviewOf(func(s *Spec) { s.Config.StopSignal = "USR1" }); d.Rejected() || d.Spec.Config.StopSignal != "USR1" {
		t.Errorf("%+v", d)
	}
}

func TestManyDroppedCapabilitiesAreOneFinding(t *testing.T) {
	all := sortedCapabilities()
	d := reviewOf(func(s *Spec) {
		s.Host.CapDrop = append(slices.Clone(all), "all")
		s.Origins = Origins{"Host.CapDrop": "container.linux_info.bounding_capabilities", "Host.CapDrop[all]": "parameter 2 `cap-drop`"}
	})
	var found []Finding
	for _, f := range d.Findings {
		if f.Rule == "capabilities.drop" {
			found = append(found, f)
		}
	}
	if len(found) != 2 || found[0].Field != "Host.CapDrop" || found[0].Origin != "container.linux_info.bounding_capabilities" || found[1].Field != "Host.CapDrop[all]" {
		t.Errorf("%+v", found)
	}
	if len(d.Spec.Host.CapAdd) != 0 {
		t.Errorf("%q", d.Spec.Host.CapAdd)
	}
}

func TestOriginsFallBackToWhatAFieldIsPartOf(t *testing.T) {
	o := Origins{"Host.Mounts[/x]": "mount", "Host.Mounts": "mounts", "Network.EndpointsConfig[a].Aliases": "aliases", "Host.Privileged": "field"}
	for field, want := range map[string]string{
		"Host.Mounts[/x]": "mount", "Host.Mounts[/x].BindOptions.Propagation": "mount", "Host.Mounts[/y]": "mounts", "Host.Mounts": "mounts",
		"Host.Mounts[/y].BindOptions": "mounts", "Host.Mounts[/a[b]c]": "mounts", "Host.Mounts[a]]]]]]]]]]]": "mounts",
		"Network.EndpointsConfig[a].Aliases[x]": "aliases", "Network.EndpointsConfig[b].Aliases[x]": "", "Host.Privileged": "field", "Host": "", "": "",
	} {
		if got := o.Of(field); got != want {
			t.Errorf("%s: %q, want %q", field, got, want)
		}
	}
	long := "Config.Labels[" + strings.Repeat("[]", 1<<20) + "]"
	if got := (Origins{"Config.Labels": "labels"}).Of(long); got != "labels" {
		t.Errorf("%q", got)
	}
}

// What is forced on every task is not said to be asked for by those that ask for another option.
func TestForcedNoNewPrivilegesHasNoOriginOfOtherOptions(t *testing.T) {
	d := reviewOf(func(s *Spec) {
		s.Host.SecurityOpt = []string{"apparmor=docker-default"}
		s.Origins = Origins{"Host.SecurityOpt": "parameter 1"}
	})
	at := slices.IndexFunc(d.Findings, func(f Finding) bool { return f.Action == Force && f.Rule == "no_new_privileges" })
	if at < 0 || d.Findings[at].Origin != "" {
		t.Errorf("%+v", d.Findings)
	}
}
