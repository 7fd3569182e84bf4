package hostcheck

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
)

func TestAgentFlags(t *testing.T) {
	fit := []string{"--containerizers=docker,mesos", "--launcher_dir=/opt/x", "--isolation=cgroups/cpu,cgroups/mem", "--executor_registration_timeout=5mins"}
	good := []string{
		"ok process: mesos-agent (pid 9)",
		"ok modes: --containerizers=docker,mesos: drop-in and custom",
		"ok launcher_dir: /opt/x/mesos-docker-executor is this binary",
		"ok docker_socket: --docker_socket=/var/run/docker.sock (default)",
		"ok isolation: --isolation=cgroups/cpu,cgroups/mem",
		"ok registration: --executor_registration_timeout=5mins",
		"ok recovery: --recover=reconnect (default), --recovery_timeout=15mins (default)",
	}
	with := func(other map[int]string) []string {
		lines := append([]string{}, good...)
		for at, line := range other {
			lines[at] = line
		}
		return lines
	}
	for _, c := range []struct {
		name    string
		words   []string // behind those of fit, over which they win
		environ []string
		change  func(*Agents)
		want    []string
	}{
		{name: "fit", want: good},
		{name: "custom only", words: []string{"--containerizers=mesos"}, want: []string{good[0],
			"ok modes: --containerizers=mesos: custom only", good[4], good[5], good[6]}},
		{name: "drop-in only", words: []string{"--containerizers=docker"}, want: []string{good[0], "ok modes: drop-in", good[2], good[3], good[5], good[6]}},
		{name: "neither", words: []string{"--containerizers=external"}, want: []string{good[0], "fail modes: neither mode", good[5], good[6]}},
		{name: "flags in the environment", environ: []string{"MESOS_RECOVERY_TIMEOUT=1hrs", "MESOS_LAUNCHER_DIR=/never"},
			want: with(map[int]string{6: "ok recovery: --recovery_timeout=1hrs"})},
		{name: "flags in capitals, and what is no flag", words: []string{"--Recover=cleanup", "--", "--recover=reconnect"},
			want: with(map[int]string{6: "warn recovery: --recover=cleanup"})},
		{name: "an environment that cannot be read", change: func(a *Agents) { a.Agents[0].NoEnvironment = true },
			want: with(map[int]string{0: "warn process: its environment, where flags may be, cannot be read"})},
		{name: "another binary", change: func(a *Agents) { a.Agents[0].Executor = Another }, want: with(map[int]string{2: "warn launcher_dir: is another program than this one"})},
		{name: "no binary", change: func(a *Agents) { a.Agents[0].Executor = Absent }, want: with(map[int]string{2: "fail launcher_dir: is not there: no Docker task can start"})},
		{name: "a folder that cannot be read", change: func(a *Agents) { a.Agents[0].Executor = NotLooked }, want: with(map[int]string{2: "warn launcher_dir: cannot be looked at"})},
		{name: "the stock folder", words: []string{"--launcher_dir="}, want: with(map[int]string{2: "warn launcher_dir: not given"})},
		{name: "the socket by its other name", words: []string{"--docker_socket=unix:///run/docker.sock"}, want: with(map[int]string{3: "ok docker_socket: unix:///run/docker.sock"})},
		{name: "another socket", words: []string{"--docker_socket=/run/other.sock"}, want: with(map[int]string{3: "warn docker_socket: each mode has another engine"})},
		{name: "an agent in a container", words: []string{"--docker_mesos_image=mesos:1.11"},
			want: append(append([]string{good[0], good[1]}, "warn agent image: --docker_mesos_image=mesos:1.11"), good[2:]...)},
		{name: "the posix launcher", words: []string{"--launcher=posix"}, want: append(append([]string{good[0], good[1]}, "warn launcher: outlives an executor"), good[2:]...)},
		{name: "pid namespaces", words: []string{"--isolation=cgroups/cpu,namespaces/pid"}, want: with(map[int]string{4: "fail isolation: namespaces/pid"})},
		{name: "own images", words: []string{"--isolation=filesystem/linux,docker/runtime"}, want: with(map[int]string{4: "warn isolation: filesystem/linux"})},
		{name: "net_cls of Mesos, class IDs off", words: []string{"--isolation=cgroups/net_cls", "--cgroups_net_cls_primary_handle=0x0012"},
			want: with(map[int]string{4: "warn isolation: cgroups/net_cls with the primary handle 0x0012: it gives executors classes"})},
		{name: "net_cls of Mesos, class IDs on", words: []string{"--isolation=cgroups/net_cls"}, change: func(a *Agents) { a.ClassIDs = ClassesRequired },
			want: with(map[int]string{4: "fail isolation: tasks in custom mode are refused"})},
		{name: "little time for the pull", words: []string{"--executor_registration_timeout=60secs"}, want: with(map[int]string{5: "warn registration: the agent's own pull"})},
		{name: "no duration", words: []string{"--executor_registration_timeout=60s"}, want: with(map[int]string{5: "warn registration: no duration of Mesos'"})},
		{name: "a Docker that the agent cannot read", change: func(a *Agents) { a.EngineAPI = "1.47" },
			want: append(append(append([]string{}, good[:4]...), "fail docker command: the engine speaks API 1.47"), good[4:]...)},
		{name: "the same, told to speak as before", environ: []string{"DOCKER_API_VERSION=1.44"}, change: func(a *Agents) { a.EngineAPI = "1.47" },
			want: append(append(append([]string{}, good[:4]...), "ok docker command: DOCKER_API_VERSION=1.44"), good[4:]...)},
	} {
		t.Run(c.name, func(t *testing.T) {
			environ := append([]string{"PATH=/bin"}, c.environ...)
			agent := NewAgent(9, "mesos-agent", append(append([]string{}, fit...), c.words...), environ, noFile)
			agent.Executor = ThisOne
			a := Agents{Agents: []Agent{agent}, EngineHost: "unix:///var/run/docker.sock", EngineAPI: "1.41", ClassIDs: ClassesOff}
			if c.change != nil {
				c.change(&a)
			}
			expect(t, a.Lines(), c.want...)
		})
	}
}

// noFile is where no flag is in a file.
func noFile(string) (string, error) { return "", errors.New("no such file") }

func TestFlagsInFiles(t *testing.T) {
	read := func(path string) (string, error) {
		if path != "/etc/mesos/containerizers" {
			return noFile(path)
		}
		return "docker,mesos\n", nil
	}
	agent := NewAgent(9, "mesos-agent", []string{"--containerizers=file:///etc/mesos/containerizers", "--credential=file:///etc/secret"}, []string{}, read)
	if agent.FlagsErr != nil || !agent.DropIn() || !agent.Custom() || agent.flags.shown("containerizers") != "--containerizers=docker,mesos" {
		t.Errorf("%+v", agent)
	}
	agent = NewAgent(9, "mesos-agent", nil, []string{"MESOS_ISOLATION=file:///gone"}, read)
	expect(t, Agents{Agents: []Agent{agent}}.Lines(), "warn process: mesos-agent (pid 9): its flags are not looked at, as one cannot be read: --isolation=file:///gone: no such file")
}

func TestSeveralAgentsAreToldApart(t *testing.T) {
	first := NewAgent(7, "mesos-agent", []string{"--containerizers=mesos", "--work_dir=/a"}, []string{}, noFile)
	expect(t, Agents{Agents: []Agent{first, {PID: 9, Name: "mesos-slave", User: 1000}}}.Lines(),
		"ok process: agent 7: mesos-agent (pid 7)", "ok modes: agent 7: ", "ok isolation: agent 7: ", "ok registration: agent 7: ", "ok recovery: agent 7: ",
		"warn process: agent 9: mesos-slave (pid 9) runs as user 1000: executors need root")
}

func TestSecretsOfTheAgentAreNotKept(t *testing.T) {
	words := []string{"--credential={\"principal\":\"p\",\"secret\":\"hunter2\"}", "--http_credentials=hunter2", "--modules=hunter2",
		"--executor_environment_variables={\"A\":\"hunter2\"}", "--master=zk://u:hunter2@h/mesos", "--docker_config=hunter2", "hunter2"}
	environ := []string{"MESOS_CREDENTIAL=hunter2", "AWS_SECRET_ACCESS_KEY=hunter2", "MESOS_DOCKER_CONFIG=hunter2"}
	a := Agents{Agents: []Agent{NewAgent(9, "mesos-agent", words, environ, noFile)}}
	for name, value := range a.Agents[0].flags {
		t.Errorf("--%s=%s is kept", name, value)
	}
	text, err := json.Marshal(a.Lines())
	if err != nil || strings.Contains(string(text), "hunter2") {
		t.Errorf("%s, %v", text, err)
	}
}

func TestHostWithoutAnAgent(t *testing.T) {
	expect(t, Agents{}.Lines(), "warn process: no mesos-agent and no mesos-slave")
}
