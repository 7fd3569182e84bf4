package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// marathonTask runs scripts/marathon-task on an app.
func marathonTask(t *testing.T, args ...string) (stdout, stderr string, exit int) {
	t.Helper()
	if _, err := exec.LookPath("jq"); err != nil {
		t.Fatal("scripts/marathon-task needs jq: run scripts/setup test, which installs it")
	}
	var out, errs bytes.Buffer
	command := exec.CommandContext(t.Context(), "../scripts/marathon-task", args...)
	command.Stdout, command.Stderr = &out, &errs
	if err := command.Run(); command.ProcessState == nil {
		t.Fatal(err)
	}
	return out.String(), errs.String(), command.ProcessState.ExitCode()
}

func writeApp(t *testing.T, app string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app.json")
	if err := os.WriteFile(path, []byte(app), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestMarathonAppBecomesTheTask explains what the script makes of apps: all that decides something must arrive.
func TestMarathonAppBecomesTheTask(t *testing.T) {
	const docker = `"type": "DOCKER", "docker": {"image": "busybox"}`
	for name, tt := range map[string]struct {
		app  string // without its id
		exit int
		want []string
	}{
		"a bridge": {
			app:  `"networks": [{"mode": "container/bridge"}], "container": {` + docker + `, "portMappings": [{"containerPort": 80}]}`,
			want: []string{"host 31010 to container 80/tcp"},
		},
		"a bridge as before Marathon 1.5": {
			app: `"container": {"type": "DOCKER", "docker": {"image": "busybox", "network": "BRIDGE",
				"portMappings": [{"containerPort": 80, "hostPort": 0, "protocol": "udp"}]}}`,
			want: []string{"host 31010 to container 80/udp"},
		},
		"the host's network": {app: `"container": {` + docker + `}`, exit: exitFail, want: []string{"network.modes"}},
		"a user network": {
			app:  `"networks": [{"mode": "container", "name": "web"}], "container": {` + docker + `}`,
			exit: exitFail, want: []string{`Network "web" is refused`},
		},
		"a user network as before Marathon 1.5": {
			app:  `"ipAddress": {"networkName": "web"}, "container": {"type": "DOCKER", "docker": {"image": "busybox", "network": "USER"}}`,
			exit: exitFail, want: []string{`Network "web" is refused`},
		},
		"a persistent volume": {
			app: `"networks": [{"mode": "container/bridge"}],
				"container": {` + docker + `, "volumes": [{"containerPath": "data", "mode": "RW", "persistent": {"size": 10}}]}`,
			want: []string{"accepted"},
		},
		"an external volume": {
			app: `"networks": [{"mode": "container/bridge"}], "container": {` + docker + `, "volumes": [{"containerPath": "/x", "mode": "RW",
				"external": {"name": "vol", "provider": "dvdi", "options": {"dvdi/driver": "rexray"}}}]}`,
			exit: exitFail, want: []string{`Volume "vol" of driver "rexray" is refused`},
		},
		"secrets": {
			app: `"networks": [{"mode": "container/bridge"}], "env": {"PASSWORD": {"secret": "s0"}}, "secrets": {"s0": {"source": "/db"}},
				"container": {` + docker + `, "volumes": [{"containerPath": "/s", "secret": "s0"}]}`,
			exit: exitFail, want: []string{`Variable "PASSWORD" is a secret`, "container.volumes[0].source.secret"},
		},
		"a health check that is left to the executor": {
			app: `"networks": [{"mode": "container/bridge"}], "healthChecks": [{"protocol": "HTTP"}, {"protocol": "MESOS_HTTP", "portIndex": 0}],
				"container": {` + docker + `, "portMappings": [{"containerPort": 80}]}`,
			want: []string{"note:", "ealth check"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, exit := marathonTask(t, writeApp(t, `{"id": "/web/front", "cmd": "true", `+tt.app+`}`))
			if exit != 0 {
				t.Fatalf("exit status %d: %s", exit, stderr)
			}
			var out bytes.Buffer
			app := newApp(nil, new(int))
			app.Writer, app.Reader = &out, strings.NewReader(stdout) // marathon-task APP | explain -
			err := app.Run([]string{"x", "explain", "-"})
			if (err != nil) != (tt.exit != exitOK) {
				t.Errorf("explain: %v\n%s", err, out.String())
			}
			for _, want := range append(tt.want, "app /web/front") {
				if !strings.Contains(out.String(), want) {
					t.Errorf("explain does not say %q:\n%s\nof %s", want, out.String(), stdout)
				}
			}
		})
	}
}

func TestMarathonTaskRefusesWhatIsNoDockerApp(t *testing.T) {
	for name, tt := range map[string]struct{ app, want string }{
		"the Mesos containerizer":  {`{"id": "/a", "container": {"type": "MESOS", "docker": {"image": "x"}}}`, "/a is of type MESOS"},
		"no container":             {`{"id": "/a", "cmd": "true"}`, "type MESOS"},
		"a pod":                    {`{"id": "/a", "containers": []}`, "one app"},
		"a list":                   {`{"apps": []}`, "one app"},
		"a custom executor":        {`{"id": "/a", "executor": "/x", "container": {"type": "DOCKER"}}`, "names the executor /x"},
		"a network without a name": {`{"id": "/a", "networks": [{"mode": "container"}], "container": {"type": "DOCKER"}}`, "--default_network_name"},
		"no app":                   {`[]`, "this is not an app"},
	} {
		stdout, stderr, exit := marathonTask(t, writeApp(t, tt.app))
		if exit != 1 || stdout != "" || !strings.Contains(stderr, tt.want) {
			t.Errorf("%s: exit status %d, %q, %q", name, exit, stdout, stderr)
		}
	}
	if stdout, _, exit := marathonTask(t, "--help"); exit != 0 || !strings.HasPrefix(stdout, "usage:") {
		t.Errorf("--help: exit status %d, %q", exit, stdout)
	}
	if _, stderr, exit := marathonTask(t); exit != 2 || !strings.HasPrefix(stderr, "usage:") {
		t.Errorf("no argument: exit status %d, %q", exit, stderr)
	}
	var app any
	if stdout, stderr, _ := marathonTask(t, writeApp(t, `{"app": {"id": "/a", "container": {"docker": {"image": "x"}}}}`)); json.Unmarshal([]byte(stdout), &app) != nil {
		t.Errorf("an app with \"app\" around it: %q, %q", stdout, stderr)
	}
}
