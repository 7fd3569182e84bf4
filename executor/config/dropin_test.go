package config_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mesos-docker-executor/executor/config"
)

const sandbox = "/var/lib/mesos/agent/slaves/S0/frameworks/F/executors/E/runs/C"

// needed are the flags without which nothing starts.
func needed(more ...string) []string {
	return append([]string{"--container=mesos-C", "--sandbox_directory=" + sandbox, "--mapped_directory=/mnt/mesos/sandbox"}, more...)
}

func TestRecordedDropInFlags(t *testing.T) {
	args := recorded(t, "drop-in", "argv.json")[1:]
	if !config.IsDropIn(args) {
		t.Error("not recognised as drop-in")
	}
	got, err := config.ParseDropIn(args)
	if err != nil {
		t.Fatal(err)
	}
	const uuid = "f6f32de2-abd7-4c7e-9a46-05e2bc44d7e7"
	want := config.DropIn{
		Container:        "mesos-4de9fde7-441d-4541-a155-771feae6296b",
		SandboxDirectory: "/var/lib/mesos/agent/slaves/" + uuid + "-S0/frameworks/" + uuid + "-0002/executors/web.front-0afd05-0-0/runs/4de9fde7-441d-4541-a155-771feae6296b",
		MappedDirectory:  "/mnt/mesos/sandbox",
		Docker:           "docker", DockerSocket: "/var/run/docker.sock", LauncherDir: "/usr/libexec/mesos",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("flags (-want +got):\n%s", diff)
	}
	if host := got.EngineHost(); host != "unix:///var/run/docker.sock" {
		t.Errorf("engine host %q", host)
	}
}

func TestIsDropIn(t *testing.T) {
	for _, c := range []struct {
		args []string
		want bool
	}{
		{recorded(t, "custom", "argv.json")[1:], false},
		{nil, false},
		{[]string{"run"}, false},
		{[]string{"--config=/etc/x", "--", "--container=mesos-C", "--sandbox_directory=/x"}, false},
		{[]string{"try", "--container=mesos-C", "--sandbox_directory=/x"}, false},
		{[]string{"--container=mesos-C"}, true},
		{[]string{"--quiet=false", "--Sandbox_Directory=/x"}, true},
		{[]string{"run", "--container=mesos-C", "--sandbox_directory=/x"}, true},
		{[]string{"--container_x=mesos-C"}, false},
		{[]string{"-container=mesos-C"}, false},
	} {
		if got := config.IsDropIn(c.args); got != c.want {
			t.Errorf("IsDropIn(%q) = %v", c.args, got)
		}
	}
}

func TestFlagSyntax(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want func(*config.DropIn)
	}{
		{"switch", needed("--cgroups_enable_cfs"), func(d *config.DropIn) { d.EnableCFS = true }},
		{"switch with empty value", needed("--cgroups_enable_cfs="), func(d *config.DropIn) { d.EnableCFS = true }},
		{"switch with 1", needed("--cgroups_enable_cfs=1"), func(d *config.DropIn) { d.EnableCFS = true }},
		{"switch with 0", needed("--cgroups_enable_cfs=0"), func(*config.DropIn) {}},
		{"negated switch", needed("--no-cgroups_enable_cfs"), func(*config.DropIn) {}},
		{"upper case", needed("--CGROUPS_ENABLE_CFS=true"), func(d *config.DropIn) { d.EnableCFS = true }},
		{"unknown flags", needed("--future=1", "--future=2", "--no-future", "--=", "---x", "-x", "word"), func(*config.DropIn) {}},
		{"after the end of flags", needed("--", "--cgroups_enable_cfs", "--container=mesos-other"), func(*config.DropIn) {}},
		{"equals in the value", needed("--docker=/a=b"), func(d *config.DropIn) { d.Docker = "/a=b" }},
		{"stop timeout", needed("--stop_timeout=1.5mins"), func(d *config.DropIn) { d.StopTimeout = 90 * time.Second }},
		{"socket as host", needed("--docker_socket=unix:///run/d.sock"), func(d *config.DropIn) { d.DockerSocket = "/run/d.sock" }},
		{"our own file", needed("--config=/etc/c.yaml"), func(d *config.DropIn) { d.Config = "/etc/c.yaml" }},
		{"empty task environment", needed(`--task_environment={}`), func(d *config.DropIn) { d.TaskEnvironment = map[string]string{} }},
		{"task environment with text", needed(`--task_environment={"A": "1", "B": "x=y\nz ü"}`), func(d *config.DropIn) {
			d.TaskEnvironment = map[string]string{"A": "1", "B": "x=y\nz ü"}
		}},
		{"dns", needed(`--default_container_dns={"docker":[{"network_mode":"BRIDGE"}]}`), func(d *config.DropIn) {
			d.DefaultContainerDNS = `{"docker":[{"network_mode":"BRIDGE"}]}`
		}},
		{"help", []string{"--container=mesos-C", "--help"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := config.ParseDropIn(c.args)
			if c.name == "help" {
				if err != nil || !got.Help {
					t.Errorf("help %v, %v", got.Help, err)
				}
				return
			}
			want := config.DropIn{Container: "mesos-C", SandboxDirectory: sandbox, MappedDirectory: "/mnt/mesos/sandbox"}
			c.want(&want)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("flags (-want +got):\n%s", diff)
			}
		})
	}
}

func TestBadFlagsAreNamed(t *testing.T) {
	for _, c := range []struct {
		flag, name, says string
	}{
		{"--container=", "--container", "mesos-<container id>"},
		{"--container=web", "--container", `"web"`},
		{"--container=mesos-", "--container", `"mesos-"`},
		{"--container=mesos-.C", "--container", "mesos-.C"},
		{"--container=mesos-S0.", "--container", "mesos-S0."},
		{"--container=mesos-a/b", "--container", "mesos-a/b"},
		{"--container=mesos-a b", "--container", "mesos-a b"},
		{"--container", "--container", "has no value"},
		{"--no-container", "--container", "no switch"},
		{"--sandbox_directory=sandbox", "--sandbox_directory", "not an absolute path"},
		{"--sandbox_directory=//", "--sandbox_directory", "below"},
		{"--mapped_directory=/", "--mapped_directory", "below"},
		{"--docker_socket=", "--docker_socket", "/var/run/docker.sock"},
		{"--docker_socket=tcp://1.2.3.4:2375", "--docker_socket", "Unix socket"},
		{"--docker_socket=unix://run/d.sock", "--docker_socket", "not an absolute path"},
		{"--docker_socket=/" + strings.Repeat("x", 107), "--docker_socket", "at most 107"},
		{"--stop_timeout=-5secs", "--stop_timeout", "negative"},
		{"--stop_timeout=5s", "--stop_timeout", "unit"},
		{"--cgroups_enable_cfs=maybe", "--cgroups_enable_cfs", "maybe"},
		{"--no-cgroups_enable_cfs=true", "--cgroups_enable_cfs", "no- and a value"},
		{"--help=perhaps", "--help", "perhaps"},
		{"--config=config.yaml", "--config", "absolute"},
		{"--default_container_dns=[]", "--default_container_dns", "not a JSON object"},
		{"--default_container_dns={", "--default_container_dns", "not valid JSON"},
	} {
		args := slices.DeleteFunc(needed(), func(a string) bool { return strings.HasPrefix(a, c.name+"=") })
		_, err := config.ParseDropIn(append(args, c.flag))
		if err == nil {
			t.Errorf("%s is accepted", c.flag)
			continue
		}
		if got := problems(t, err); !slices.Equal(got, []string{c.name}) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want one problem with %s that says %q", c.flag, err, c.name, c.says)
		}
	}
}

func TestMissingAndDoubledFlags(t *testing.T) {
	_, err := config.ParseDropIn([]string{"--quiet=false"})
	want := []string{"--container", "--sandbox_directory", "--mapped_directory"}
	if got := problems(t, err); !slices.Equal(got, want) {
		t.Errorf("problems with %q, want %q", got, want)
	}
	_, err = config.ParseDropIn(needed("--container=mesos-C", "--cgroups_enable_cfs", "--no-cgroups_enable_cfs"))
	if got := problems(t, err); !slices.Equal(got, []string{"--container", "--cgroups_enable_cfs"}) {
		t.Errorf("problems with %q", got)
	}
}

func TestTaskEnvironmentErrorsHideValues(t *testing.T) {
	for value, says := range map[string]string{
		``:                                   "not valid JSON",
		`s3cr3t`:                             "not valid JSON",
		`"s3cr3t"`:                           "not a JSON object",
		`["s3cr3t"]`:                         "not a JSON object",
		`null`:                               "not a JSON object",
		`{"A":"s3cr3t"`:                      "not valid JSON near byte",
		`{"A":"s3cr3t",}`:                    "not valid JSON near byte",
		`{"A":s3cr3t}`:                       "not valid JSON near byte",
		`{"A":"s3cr3t"} {}`:                  "after the JSON object",
		`{"A":"s3cr3t","A":"s3cr3t"}`:        `"A" twice`,
		`{"A":123454321}`:                    `"A" is not a string`,
		`{"A":null,"B":["s3cr3t"]}`:          `"A" is not a string (value not shown); the value of "B"`,
		`{"A":{"s3cr3t":1}}`:                 `"A" is not a string`,
		`{"":"s3cr3t"}`:                      `"" cannot be the name`,
		`{"A=B":"s3cr3t"}`:                   `"A=B" cannot be the name`,
		`{"A\u0000":"s3cr3t"}`:               `cannot be the name`,
		`{"A":"s3cr3t\u0000"}`:               `"A" contains a NUL`,
		`{"A":"s3cr3t"}}`:                    "after the JSON object",
		`{"A":` + strings.Repeat("[", 20000): "not valid JSON",
	} {
		_, err := config.ParseDropIn(needed("--task_environment=" + value))
		if err == nil {
			t.Errorf("%.40s is accepted", value)
			continue
		}
		if !strings.Contains(err.Error(), says) || !slices.Equal(problems(t, err), []string{"--task_environment"}) {
			t.Errorf("%.40s: %v, want %q", value, err, says)
		}
		if strings.Contains(err.Error(), "s3cr") || strings.Contains(err.Error(), "12345") {
			t.Errorf("%.40s: the error shows the value: %v", value, err)
		}
	}
}

func TestPrintedFlagsHideTaskEnvironment(t *testing.T) {
	d, err := config.ParseDropIn(needed(`--task_environment={"A":"s3cr3t"}`))
	if err != nil || d.TaskEnvironment["A"] != "s3cr3t" {
		t.Fatalf("%v, %q", err, d.TaskEnvironment)
	}
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	if all := fmt.Sprintf("%v %+v %#v %s %s", d, d, d, &d, text); strings.Contains(all, "s3cr3t") {
		t.Errorf("the value is shown: %s", all)
	}
}

func FuzzParseDropIn(f *testing.F) {
	f.Add(strings.Join(needed("--stop_timeout=0ns", "--no-cgroups_enable_cfs"), "\n"))
	f.Add(strings.Join(needed(`--task_environment={"A":"1"}`, `--default_container_dns={}`, "--docker_socket=/d"), "\n"))
	f.Add("--container\n--no-\n--\n--no-container=x\n--=\n--help")
	f.Add("--task_environment={\"A\":{}}\n--task_environment=")
	f.Fuzz(func(t *testing.T, lines string) {
		args := strings.Split(lines, "\n")
		d, err := config.ParseDropIn(args)
		if err != nil {
			problems(t, err)
			return
		}
		if d.Help {
			return
		}
		if !config.IsDropIn(args) && args[0] == "run" {
			t.Errorf("%q parses but is not recognised", args)
		}
		if !strings.HasPrefix(d.Container, "mesos-") || strings.ContainsAny(d.Container, "/ \x00") {
			t.Errorf("container %q", d.Container)
		}
		if !strings.HasPrefix(d.SandboxDirectory, "/") || strings.Trim(d.SandboxDirectory, "/.") == "" && !strings.Contains(d.SandboxDirectory, "..") {
			t.Errorf("sandbox %q", d.SandboxDirectory)
		}
		for name, value := range d.TaskEnvironment {
			if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
				t.Errorf("task environment %q=%q", name, value)
			}
		}
	})
}
