package task

import (
	"fmt"
	"strings"
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/google/go-cmp/cmp"
	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/security"
)

// problemsOf returns what the translation says about parameters, a line each: "origin: message".
func problemsOf(t testing.TB, change func(*mesos.TaskInfo), parameters ...string) string {
	t.Helper()
	_, found := translated(t, change, parameters...)
	var lines []string
	for _, f := range found {
		lines = append(lines, f.Origin+": "+f.Message)
		if strings.Contains(f.Message+f.Value+f.Field+f.Origin, "never-shown") {
			t.Errorf("a secret is shown: %+v", f)
		}
	}
	return strings.Join(lines, "\n")
}

func TestMalformedValuesAreRefusedByParameter(t *testing.T) {
	tests := map[string][]string{ // remedy to parameters
		"true nor false":                    {"tty", "init maybe", "rm x", "publish-all yes", "no-healthcheck 2", "detach"},
		"write NAME=VALUE (without a value": {"env PATH", "e never-shown"},
		"it has no name":                    {"env =never-shown"},
		"control characters":                {"env A\nB=never-shown", "e A\x1b=never-shown"},
		"write name=value":                  {"log-opt never-shown", "log-opt =never-shown", "storage-opt never-shown", "sysctl net.x", "sysctl =1", "security-opt seccomp", "security-opt apparmor=", "security-opt =x"},
		"The label has no name":             {"label =never-shown", "l  =x"},
		"on-failure":                        {"restart sometimes", "restart on-failure:x", "restart on-failure:-1", "restart no:3", "restart :3"},
		"write a number of seconds":         {"stop-timeout x", "stop-timeout 1.5", "stop-timeout"},
		"write a duration":                  {"health-interval 5", "health-timeout -1s", "health-start-period x", "health-start-interval x"},
		"write a number of 0 or more":       {"health-retries -1"},
		"write private or host":             {"cgroupns x"},
		"shareable":                         {"ipc x"},
		"write host":                        {"pid x", "pid container:", "userns x", "uts x", "uts container:x"},
		"absolute path of a device":         {"device fuse", "device /dev/a:b", "device /dev/a:/dev/b:x", "device /dev/a:/dev/b:rr", "device /dev/a:/dev/b:/c:r", "device vendor.com/class=name", "device :/dev/a"},
		"type major:minor mode":             {"device-cgroup-rule x", "device-cgroup-rule c 1 r"},
		"write a value":                     {"group-add", "volumes-from", "security-opt", "dns-option", "network", "link", "volume", "mount", "tmpfs", "device"},
		"NAME:ADDRESS":                      {"add-host a", "add-host :10.0.0.1", "add-host a:b", "add-host a b:10.0.0.1", "add-host a\n:10.0.0.1", "add-host a:b=10.0.0.1"},
		"write an IP address":               {"dns x", "dns", "link-local-ip x"},
		"write a domain":                    {"dns-search -a", "dns-search a..b", "dns-search 1.2", "dns-search a_b", "dns-search " + strings.Repeat("a.", 200) + "a"},
		"write an IPv4 address":             {"ip ::1", "ip 1.2.3"},
		"write an IPv6 address":             {"ip6 1.2.3.4", "ip6 fe80::1%eth0"},
		"write an address like":             {"mac-address x"},
		"write CONTAINER:ALIAS":             {"link a:b:c", "link :a", "link a:"},
		"the options alias, ip":             {"network name=web,never-shown=1", "network alias=a,ip=1.2.3.4", `network name=web,"never-shown=x`, "net name=a,name=b"},
		"HOSTPORT:PORT":                     {"publish", "publish x", "publish 31000:0", "publish 31000:80/icmp", "publish 31000-31002:80-81", "publish 31001-31000:80-79", "publish 300.1.1.1:31000:80", "publish published=31000,target=80,mode=host", "publish target=80,target=81"},
		"leaves the host port to Docker":    {"publish 80", "publish :80", "publish 0:80", "publish 31000-31005:80", "publish 127.0.0.1::80", "publish target=80"},
		"not among the task's `ports`":      {"publish 80:80", "publish 31999-32000:80-81"},
		"write PORT":                        {"expose", "expose 0", "expose 80/x", "expose 80:80", "expose 70000", "expose 90-80"},
		"SOURCE:TARGET":                     {"volume :/x", "volume a:", "volume a:/x:", "volume a:/x:ro:z"},
		"the options are ro or rw":          {"volume a:/x:exec", "volume a:/x:rslave", "volume /a:/x:nocopy"},
		"give each option once":             {"volume a:/x:ro,rw", "volume /a:/x:shared,slave", "mount type=bind,src=/a,source=/b,dst=/x"},
		"SELinux":                           {"volume a:/x:z", "volume /a:/x:ro,Z"},
		"absolute path as target":           {"volume data:x", "volume x", "tmpfs run", "mount type=volume,dst=x"},
		"are relative":                      {"volume ./a:b", "volume a/b:c", "mount type=bind,src=a,dst=b"},
		"without ~":                         {"volume ~/x:/x", "mount type=bind,src=~,dst=/x"},
		"leaves the sandbox":                {"volume /sandbox:../x"},
		"name the volume":                   {"volume a:/x", "volume .a b:/x", "mount source=a/b,dst=/x"},
		"is taken by":                       {"volume data:/mnt/mesos/sandbox", "tmpfs /mnt/mesos/sandbox/", "mount type=tmpfs,dst=/mnt/mesos/sandbox", "volume /mnt/mesos/sandbox"},
		"the types are":                     {"mount type=never-shown,dst=/x", "mount type=,dst=/x", "mount type=npipe,src=x,dst=/x"},
		"name a target":                     {"mount type=tmpfs"},
		"name a source":                     {"mount type=bind,dst=/x"},
		"name an image":                     {"mount type=image,dst=/x"},
		"tmpfs has none":                    {"mount type=tmpfs,src=a,dst=/x"},
		"mount's type only":                 {"mount type=bind,src=/a,dst=/x,volume-nocopy", "mount type=tmpfs,dst=/x,bind-propagation=slave", "mount dst=/x,tmpfs-size=1m", "mount dst=/x,image-subpath=a"},
		"the options are type":              {"mount type=bind,src=/a,dst=/x,relabel=shared", "mount dst=/x,never-shown=x"},
		"write type=bind":                   {"mount type=bind,src=/a,dst", `mount "never-shown`, "mount dst=/x,volume-opt"},
		"after readonly":                    {"mount type=bind,src=/a,dst=/x,ro=maybe", "mount dst=/x,readonly="},
		"after volume-opt":                  {"mount dst=/x,volume-opt==never-shown"},
		"volume-opt one value":              {"mount dst=/x,volume-opt=a=never-shown,volume-opt=a=b"},
		"after bind-propagation":            {"mount type=bind,src=/a,dst=/x,bind-propagation=x"},
		"after bind-recursive":              {"mount type=bind,src=/a,dst=/x,bind-recursive=x"},
		"add readonly":                      {"mount type=bind,src=/a,dst=/x,bind-recursive=writable"},
		"add bind-propagation":              {"mount type=bind,src=/a,dst=/x,ro,bind-recursive=readonly"},
		"after tmpfs-size":                  {"mount type=tmpfs,dst=/x,tmpfs-size=x"},
		"after tmpfs-mode":                  {"mount type=tmpfs,dst=/x,tmpfs-mode=9"},
		"after consistency":                 {"mount type=bind,src=/a,dst=/x,consistency=x"},
		"cannot be used":                    {"volume " + strings.Repeat("/n", 65) + ":/x", "tmpfs " + strings.Repeat("/n", 65), "hostname a_b", "user a:b:c"},
		"weight from 10 to 1000":            {"blkio-weight 5", "blkio-weight 1001", "blkio-weight-device /dev/sda:5", "blkio-weight-device sda:10", "blkio-weight-device /dev/../x:10"},
		"RATE per second":                   {"device-read-bps /dev/sda", "device-read-bps /dev/sda:x", "device-write-bps sda:1", "device-read-iops /dev/sda:1m", "device-write-iops /dev/sda:-1"},
		"write microseconds":                {"cpu-rt-period x", "cpu-rt-runtime -1"},
		"a list like 0-3,7":                 {"cpuset-cpus x", "cpuset-mems 0,"},
		"number of bytes":                   {"shm-size x", "shm-size -1", "kernel-memory 1e30", "memory-swap -2", "memory-swap"},
		"from 0 to 100":                     {"memory-swappiness 101", "memory-swappiness x"},
		"from -1000 to 1000":                {"oom-score-adj 1001", "oom-score-adj"},
		"-1 for no limit":                   {"pids-limit -2", "pids-limit x"},
		"remove the control characters":     {"group-add a\nb", "domainname a\nb", "log-driver a\x00", "cgroup-parent /\x1b", "volume /a\n:/b", "publish 31000:80\n"},
	}
	for remedy, parameters := range tests {
		for _, parameter := range parameters {
			given := []string{parameter}
			key, _, _ := strings.Cut(parameter, " ")
			if strings.HasPrefix(key, "ip") || key == "link-local-ip" || key == "link" {
				given = append(given, "network web")
			}
			before, _ := translated(t, nil, given[1:]...)
			after, found := translated(t, nil, given...)
			message := problemsOf(t, nil, given...)
			origin := "container.docker.parameters[0] `" + key + "`: "
			if len(found) != 1 || !strings.HasPrefix(message, origin) || !strings.Contains(message, remedy) {
				t.Errorf("%q: %q has no %q and %q", parameter, message, origin, remedy)
			}
			before.Origins, after.Origins = nil, nil
			if diff := cmp.Diff(before, after); diff != "" && !strings.HasPrefix(key, "net") && key != "publish" {
				t.Errorf("%q acts all the same: %s", parameter, diff)
			}
		}
	}
}

func TestWhoeverReadsPrivilegedIsRight(t *testing.T) {
	for _, parameter := range []string{
		"privileged true", "privileged 1", "privileged", "privileged maybe", "PRIVILEGED true", "--privileged true", "-privileged false",
		"privileged=true", "privileged=false x", "privileged=true", "Privileged=1 x", "\u2014privileged\u00a0 true", "\"privileged\" true",
	} {
		key, value, _ := strings.Cut(parameter, " ")
		if strings.HasPrefix(parameter, "privileged=true") {
			key, value = "privileged=true --x", "y"
		}
		spec, found := translated(t, func(task *mesos.TaskInfo) {
			task.Container.Docker.Parameters = []mesos.Parameter{{Key: key, Value: value}}
		})
		if !spec.Host.Privileged || len(found) > 0 {
			t.Errorf("%q: %v, %v", parameter, spec.Host.Privileged, found)
		}
	}
}

func TestKeysThatAreNoFlagSayHowToWriteThem(t *testing.T) {
	for key, want := range map[string]string{
		"--label": "write `label`", "-e": "write `e`", "LABEL": "write `label`", " label ": "write `label`", "Network": "write `network`",
		"lable": "did you mean `label`?", "volumes": "did you mean `volume`?", "cap_add": "did you mean `cap-add`?", "hostnam": "did you mean `hostname`?",
		"add-hosts": "did you mean `add-host`?", "": "remove it", "frobnicate": "remove it", strings.Repeat("label", 100): "remove it", "\u200blabel": "remove it",
	} {
		message := problemsOf(t, func(task *mesos.TaskInfo) { task.Container.Docker.Parameters = []mesos.Parameter{{Key: key}} })
		if !strings.Contains(message, "is not a flag of docker run; ") || !strings.Contains(message, want) {
			t.Errorf("%q: %s", key, message)
		}
	}
}

func TestTheNameEndsAtTheFirstEquals(t *testing.T) {
	for _, key := range []string{"volume=/:/never-shown", "env=PASSWORD=never-shown", "label=", "e=never-shown"} {
		name, _, _ := strings.Cut(key, "=")
		message := problemsOf(t, func(task *mesos.TaskInfo) {
			task.Container.Docker.Parameters = []mesos.Parameter{{Key: key, Value: "never-shown"}}
		})
		if !strings.Contains(message, fmt.Sprintf("container.docker.parameters[0]: The key holds '=' after %q", name)) {
			t.Errorf("%q: %s", key, message)
		}
	}
}

func TestFlagsThatCountOnceMustAgree(t *testing.T) {
	for _, agreeing := range [][]string{
		{"hostname a", "h a", "hostname a"}, {"init true", "init 1"}, {"network web", "net web"}, {"u 1", "user 1"}, {"tty t", "t T"},
		{"restart always", "restart always"}, {"shm-size 1m", "shm-size 1m"}, {"sysctl a=1", "sysctl a=1"}, {"log-opt a=b", "log-opt a=b"},
		{"tmpfs /a:size=1m", "tmpfs /a/:size=1m"}, {"volume /data", "volume /data/"}, {"env A=b", "e A=b"}, {"ulimit core=1", "ulimit core=1:1"},
		{"volume data:/data", "v data:/data/"}, {"volume x/y:/data:ro", "mount type=bind,src=x/y,dst=/data,ro"}, {"publish 31000:80", "p 31000:80/tcp"},
		{"publish 127.0.0.1:31000:80", "publish 127.0.0.2:31000:80"}, {"device /dev/a", "device /dev/a:rwm"}, {"label a=b", "label a=c"},
		{"publish 31000:80", "publish 31000:80/udp"}, {"stop-timeout 5", "stop-timeout 5"},
		{"security-opt no-new-privileges", "security-opt no-new-privileges:true", "security-opt no-new-privileges=1"},
		{"security-opt apparmor=a", "security-opt apparmor:a"}, {"security-opt label=type:a", "security-opt label=level:b"},
		{"cap-drop ALL", "cap-add KILL"}, {"cap-drop KILL", "cap-add KILL"},
	} {
		if message := problemsOf(t, nil, agreeing...); message != "" {
			t.Errorf("%v: %s", agreeing, message)
		}
	}
	for _, contradicting := range [][]string{
		{"hostname a", "h b"}, {"init true", "init false"}, {"network web", "net other"}, {"network name=web", "net web"}, {"u 1", "user 2"}, {"tty true", "t false"},
		{"restart always", "restart no"}, {"shm-size 1m", "shm-size 2m"}, {"sysctl a=1", "sysctl a=2"}, {"log-opt a=never-shown", "log-opt a=b"},
		{"storage-opt size=1", "storage-opt size=2"}, {"tmpfs /a:size=1m", "tmpfs /a:size=2m"}, {"volume /data", "tmpfs /data"}, {"env A=never-shown", "e A=never-shown2"},
		{"ulimit core=1", "ulimit core=2"}, {"volume data:/data", "volume data:/data:ro"}, {"volume x/y:/data", "mount type=tmpfs,dst=/data"},
		{"publish 31000:80", "publish 31000:81"}, {"publish 31000:80", "publish 127.0.0.1:31000:80"}, {"device /dev/a", "device /dev/b:/dev/a"},
		{"security-opt no-new-privileges", "security-opt no-new-privileges=false"}, {"security-opt seccomp=a", "security-opt seccomp:b"},
		{"security-opt apparmor=a", "security-opt apparmor=b"}, {"security-opt label=type:a", "security-opt label=type:b"},
		{"stop-timeout 5", "stop-timeout 6"}, {"health-cmd x", "no-healthcheck true"}, {"pids-limit 5", "pids-limit 6"}, {"volume-driver a", "volume-driver b"},
		{"privileged true", "hostname a", "hostname b"}, {"network name=web,ip=10.0.0.1", "ip 10.0.0.2"}, {"memory-swap 1g", "memory-swap 2g"},
	} {
		message := problemsOf(t, nil, contradicting...)
		if strings.Count(message, "\n") > 0 || !strings.Contains(message, "container.docker.parameters[0]") && !strings.Contains(message, "container.docker.parameters[1]") || !strings.Contains(message, "remove") && !strings.Contains(message, "keep one") && !strings.Contains(message, "another path") {
			t.Errorf("%v: %q", contradicting, message)
		}
	}
	// The order of two flags that depend on each other does not count.
	if message := problemsOf(t, nil, "no-healthcheck true", "health-cmd x"); !strings.Contains(message, "contradicts container.docker.parameters[1] `health-cmd`") {
		t.Error(message)
	}
	if message := problemsOf(t, nil, "log-opt a=b", "log-driver none"); !strings.Contains(message, "log driver none") {
		t.Error(message)
	}
	spec, found := translated(t, nil, "ip 10.0.0.2", "expose 80", "volume data:/data", "publish 31000:81", "network web", "volume-driver nfs")
	if len(found) > 0 || len(spec.Config.ExposedPorts) != 2 || spec.Network.EndpointsConfig["web"].IPAMConfig == nil || spec.Host.Mounts[1].VolumeOptions.DriverConfig.Name != "nfs" {
		t.Errorf("%v: %+v", found, spec)
	}
}

func TestRepeatsAddUp(t *testing.T) {
	spec, found := translated(t, nil, "cap-add KILL", "cap-add CHOWN", "dns 10.0.0.1", "dns 10.0.0.2", "dns-opt a", "dns-option b",
		"network web", "net-alias a", "network-alias b", "group-add 1", "group-add 2")
	if len(found) > 0 {
		t.Fatal(found)
	}
	want := [][]string{{"KILL", "CHOWN"}, {"10.0.0.1", "10.0.0.2"}, {"a", "b"}, {"a", "b"}, {"1", "2"}}
	got := [][]string{spec.Host.CapAdd, spec.Host.DNS, spec.Host.DNSOptions, spec.Network.EndpointsConfig["web"].Aliases, spec.Host.GroupAdd}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if origin := spec.Origins["Host.DNS[10.0.0.2]"]; origin != "container.docker.parameters[3] `dns`" {
		t.Error(origin)
	}
}

func TestParametersNeverContradictFields(t *testing.T) {
	network := func(n mesos.ContainerInfo_DockerInfo_Network) func(*mesos.TaskInfo) {
		return func(task *mesos.TaskInfo) { task.Container.Docker.Network = &n }
	}
	environment := func(task *mesos.TaskInfo) {
		task.Command.Environment = &mesos.Environment{Variables: []mesos.Environment_Variable{{Name: "A", Value: ptr("never-shown")}}}
	}
	shell := func(task *mesos.TaskInfo) { task.Command = &mesos.CommandInfo{Value: ptr("exit")} }
	volume := func(task *mesos.TaskInfo) {
		task.Container.Volumes = []mesos.Volume{{HostPath: ptr("data"), ContainerPath: "/data", Mode: ptr(mesos.RO)}}
	}
	ports := func(task *mesos.TaskInfo) {
		network(mesos.ContainerInfo_DockerInfo_BRIDGE)(task)
		task.Container.Docker.PortMappings = []mesos.ContainerInfo_DockerInfo_PortMapping{{HostPort: 31000, ContainerPort: 80}}
	}
	grace := func(task *mesos.TaskInfo) {
		task.KillPolicy = &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: 5e9}}
	}
	tests := []struct {
		name          string
		task          func(*mesos.TaskInfo)
		agrees, other string
		field         string
	}{
		{"network", network(mesos.ContainerInfo_DockerInfo_BRIDGE), "network bridge", "net host", "container.docker.network"},
		{"default network", network(mesos.ContainerInfo_DockerInfo_BRIDGE), "network default", "network web", "container.docker.network"},
		{"host network", network(mesos.ContainerInfo_DockerInfo_HOST), "net host", "network none", "container.docker.network"},
		{"environment", environment, "env A=never-shown", "env A=b", "command.environment"},
		{"hook", environment, "e HOOK=hook", "env HOOK=x", "--task_environment"},
		{"sandbox", environment, "e MESOS_SANDBOX=/mnt/mesos/sandbox", "env MESOS_SANDBOX=/", "the executor"},
		{"role", environment, "env MESOS_ALLOCATION_ROLE=demo", "env MESOS_ALLOCATION_ROLE=root", "the executor"},
		{"entrypoint", shell, "entrypoint /bin/sh", "entrypoint /bin/app", "command.shell"},
		{"no entrypoint", shell, "entrypoint /bin/sh", "entrypoint", "command.shell"},
		{"volume", volume, "volume ./data:/data:ro", "volume ./data:/data", "container.volumes[0]"},
		{"tmpfs", volume, "mount type=bind,src=data,dst=/data,ro", "tmpfs /data", "container.volumes[0]"},
		{"ports", ports, "publish 31000:80", "publish 31000:81", "container.docker.port_mappings[0]"},
		{"stop timeout", grace, "stop-timeout 5", "stop-timeout 6", "kill_policy.grace_period"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want, _ := translated(t, test.task)
			got, found := translated(t, test.task, test.agrees)
			if got.Config.StopTimeout = nil; len(found) > 0 {
				t.Error(found)
			}
			want.Origins, got.Origins = nil, nil
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if message := problemsOf(t, test.task, test.other); !strings.Contains(message, "parameters[0]") || !strings.Contains(message, test.field) || strings.Contains(message, "\n") {
				t.Errorf("%q", message)
			}
		})
	}
}

// TestFieldsThatOthersTranslateAreCompared holds for whatever has set a field of the Spec before the parameters.
func TestFieldsThatOthersTranslateAreCompared(t *testing.T) {
	for _, parameter := range []string{"hostname other", "user 2", "shm-size 2m", "ulimit nofile=2", "oom-score-adj 2", "workdir /other"} {
		r := translation{in: testInputs(), spec: security.Spec{Origins: security.Origins{}}}
		r.spec.Config.Hostname, r.spec.Config.User, r.spec.Config.WorkingDir = "a", "1", "/a"
		r.spec.Host.ShmSize, r.spec.Host.OomScoreAdj = 1<<20, 1
		r.spec.Host.Ulimits = []*container.Ulimit{{Name: "nofile", Soft: 1, Hard: 1}}
		for _, path := range []string{"Config.Hostname", "Config.User", "Config.WorkingDir", "Host.ShmSize", "Host.OomScoreAdj", "Host.Ulimits[nofile]"} {
			r.origin(path, "container.field")
		}
		r.parameters(parametersOf(parameter))
		if len(r.findings) != 1 || !strings.Contains(r.findings[0].Message, "contradicts container.field (") {
			t.Errorf("%s: %v", parameter, r.findings)
		}
	}
}

func TestPortMappingsFollowTheParametersNetwork(t *testing.T) {
	mapped := func(task *mesos.TaskInfo) {
		task.Container.Docker.PortMappings = []mesos.ContainerInfo_DockerInfo_PortMapping{{HostPort: 31000, ContainerPort: 80}}
	}
	for network, want := range map[string]int{"bridge": 1, "web": 1} {
		spec, found := translated(t, mapped, "network "+network)
		if len(found) > 0 || len(spec.Host.PortBindings) != want {
			t.Errorf("%s: %v %v", network, found, spec.Host.PortBindings)
		}
	}
}

func TestRangesOfPortsHaveABound(t *testing.T) {
	if message := problemsOf(t, nil, "expose 1-1000"); message != "" {
		t.Error(message)
	}
	for _, parameters := range [][]string{{"expose 1-1001"}, {"expose 1-65535"}, {"publish 1-65535:1-65535"}, {"publish 31000-31499:1-500", "expose 1000-1600"}} {
		if message := problemsOf(t, nil, parameters...); !strings.Contains(message, "more than 1000 ports") {
			t.Errorf("%v: %q", parameters, message)
		}
	}
}

func TestParametersAreNoLongerThanACommandLineTakes(t *testing.T) {
	fits := strings.Repeat("x", maxParameter-len("env")-len("A="))
	if message := problemsOf(t, nil, "env A="+fits); message != "" {
		t.Error(message)
	}
	if message := problemsOf(t, nil, "env A=x"+fits); !strings.Contains(message, "has 131069 bytes") {
		t.Error(message)
	}
}

func TestFindingsKeepTheOrderOfTheParameters(t *testing.T) {
	message := problemsOf(t, nil, "ip x", "hostname a_b", "expose 0", "network", "frobnicate x")
	at := -1
	for i := range 5 {
		next := strings.Index(message, fmt.Sprintf("parameters[%d]", i))
		if next <= at {
			t.Fatalf("parameter %d is not in its place: %s", i, message)
		}
		at = next
	}
}

func TestTrimmedVariablesNameTheirParameter(t *testing.T) {
	plan := hello(t, testInputs(), func(task *mesos.TaskInfo) {
		task.Container.Docker.Parameters = parametersOf("env 0=a", "env NVIDIA_VISIBLE_DEVICES=all")
	})
	notes := strings.Join(plan.Notes, "; ")
	for _, want := range []string{"trimmed NVIDIA_VISIBLE_DEVICES (parameter 1 `env`)", "NVIDIA_VISIBLE_DEVICES=void"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no %q in %s", want, notes)
		}
	}
}
