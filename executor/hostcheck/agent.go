package hostcheck

import (
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/docker/docker/api/types/versions"

	"mesos-docker-executor/executor/config"
)

// Agents are the Mesos agents that run on the host, and what their flags are weighed against.
type Agents struct {
	Agents []Agent
	Err    error // why they are not known

	EngineHost string // "unix:///path", of config.yaml
	EngineAPI  string // that the engine speaks, "" if it did not answer
	ClassIDs   ClassIDs
}

// Agent is the process of an agent.
type Agent struct {
	PID  int
	Name string // "mesos-agent", or "mesos-slave"
	User int    // effective user id; of one that is not root nothing else is known
	// Flags that the checks are about; see agentFlags.
	flags flags
	// NoEnvironment says that its environment, where flags may be as well, could not be read.
	NoEnvironment bool
	// FlagsErr says why its flags are not known: one is in a file that cannot be read.
	FlagsErr  error
	DockerAPI string // DOCKER_API_VERSION in its environment
	Executor  Installed
}

// NewAgent keeps of a command line and an environment of root's what the checks are about. read reads a file in which a flag is
// (--isolation=file:///path), as the agent sees it.
func NewAgent(pid int, name string, words, environ []string, read func(path string) (string, error)) Agent {
	a := Agent{PID: pid, Name: name, flags: parseFlags(words, environ), NoEnvironment: environ == nil}
	a.FlagsErr = a.flags.resolve(read)
	for _, variable := range environ {
		if value, ok := strings.CutPrefix(variable, "DOCKER_API_VERSION="); ok {
			a.DockerAPI = value
		}
	}
	return a
}

// Installed says what an agent's --launcher_dir has in the place of its Docker executor.
type Installed uint8

// What can be there.
const (
	NotLooked Installed = iota // the folder is not known, or cannot be read
	Absent
	ThisOne
	Another // the stock one, or another version of this one
)

// ExecutorName is what an agent starts in its --launcher_dir (src/slave/constants.hpp: MESOS_DOCKER_EXECUTOR).
const ExecutorName = "mesos-docker-executor"

// DropIn reports whether it can run the executor in drop-in mode.
func (a Agent) DropIn() bool { return a.User == 0 && a.flags.has("containerizers", "docker") }

// Custom reports whether it can run the executor in custom mode.
func (a Agent) Custom() bool { return a.User == 0 && a.flags.has("containerizers", "mesos") }

// CgroupsRoot is its --cgroups_root.
func (a Agent) CgroupsRoot() string { return strings.Trim(a.flags.get("cgroups_root"), "/") }

// WorkDir is its --work_dir, "" if that is not known.
func (a Agent) WorkDir() string { return a.flags.get("work_dir") }

// LauncherDir is its --launcher_dir, "" if that is not known.
func (a Agent) LauncherDir() string { return a.flags.get("launcher_dir") }

// Lines are about each agent.
func (a Agents) Lines() Lines {
	l := &lines{subject: "agent"}
	switch {
	case a.Err != nil:
		l.warn("process", fmt.Sprintf("not known: %v", a.Err), "run doctor as root, with /proc mounted")
	case len(a.Agents) == 0:
		l.warn("process", "no mesos-agent and no mesos-slave runs here", "start it, and run doctor again: it reads the agent's flags")
	}
	for _, one := range a.Agents {
		before := len(l.all)
		a.one(one, l)
		for i := before; i < len(l.all) && len(a.Agents) > 1; i++ {
			l.all[i].Text = fmt.Sprintf("agent %d: %s", one.PID, l.all[i].Text)
		}
	}
	return l.all
}

func (a Agents) one(agent Agent, l *lines) {
	text := fmt.Sprintf("%s (pid %d)", agent.Name, agent.PID)
	switch {
	case agent.User != 0:
		l.warn("process", fmt.Sprintf("%s runs as user %d: executors need root, so its flags are not looked at", text, agent.User),
			"run the agent as root, if it is one")
		return
	case agent.FlagsErr != nil:
		l.warn("process", fmt.Sprintf("%s: its flags are not looked at, as one cannot be read: %v", text, agent.FlagsErr),
			"run doctor as root, and see whether the file is there: the agent needs it at its next start")
		return
	case agent.NoEnvironment:
		l.warn("process", text+": its environment, where flags may be, cannot be read", "run doctor as root")
	default:
		l.ok("process", text)
	}
	agent.containerizers(l)
	agent.launcher(l)
	if agent.DropIn() {
		agent.launcherDir(l)
		agent.dockerSocket(a.EngineHost, l)
		agent.dockerCommand(a.EngineAPI, l)
	}
	agent.isolation(a.ClassIDs, l)
	agent.registration(l)
	agent.recovery(l)
}

func (a Agent) containerizers(l *lines) {
	text := a.flags.shown("containerizers")
	switch {
	case a.DropIn() && a.Custom():
		l.ok("modes", text+": drop-in and custom")
	case a.DropIn():
		l.ok("modes", text+": drop-in")
	case a.Custom():
		l.ok("modes", text+": custom only, Marathon's Docker apps cannot run")
	default:
		l.fail("modes", text+": neither mode", "start the agent with --containerizers=docker,mesos")
	}
	if image := a.flags.get("docker_mesos_image"); image != "" {
		l.warn("agent image", "--docker_mesos_image="+image+": the agent starts executors inside of this image",
			"have this binary in the image's --launcher_dir; custom mode is not tested there")
	}
}

// launcher matters to custom mode: the posix one has no cgroups.
func (a Agent) launcher(l *lines) {
	if a.Custom() && a.flags.get("launcher") == "posix" {
		l.warn("launcher", a.flags.shown("launcher")+": in custom mode a container outlives an executor that is killed",
			"start the agent with --launcher=linux --isolation=cgroups/cpu,cgroups/mem")
	}
}

func (a Agent) launcherDir(l *lines) {
	dir := a.LauncherDir()
	file := path.Join(dir, ExecutorName)
	const install = "install this binary there, see docs/install.md, Drop-in mode"
	switch {
	case dir == "":
		l.warn("launcher_dir", "not given: the agent runs the stock Docker executor from where Mesos was installed",
			"give the agent --launcher_dir=/opt/mesos-docker-executor/libexec, with this binary and Mesos' helpers in it")
	case a.Executor == ThisOne:
		l.ok("launcher_dir", file+" is this binary")
	case a.Executor == Another:
		l.warn("launcher_dir", file+" is another program than this one: the stock executor, or another version", install+"; --version tells what it is")
	case a.Executor == Absent:
		l.fail("launcher_dir", file+" is not there: no Docker task can start", install)
	default:
		l.warn("launcher_dir", file+" cannot be looked at", "run doctor as root, on the agent's host")
	}
}

func (a Agent) dockerSocket(engineHost string, l *lines) {
	theirs, ours := strings.TrimPrefix(a.flags.get("docker_socket"), "unix://"), strings.TrimPrefix(engineHost, "unix://")
	if sameSocket(theirs, ours) {
		l.ok("docker_socket", a.flags.shown("docker_socket"))
		return
	}
	l.warn("docker_socket", fmt.Sprintf("%s, and engine.host of config.yaml is %s: each mode has another engine, and this page is about the latter",
		a.flags.shown("docker_socket"), engineHost), "let both name the same socket")
}

// sameSocket knows that /var/run is /run.
func sameSocket(a, b string) bool {
	return strings.TrimPrefix(a, "/var") == strings.TrimPrefix(b, "/var")
}

// dockerCommand is about the agent's own use of Docker: it reads ContainerConfig of `docker inspect`, which API 1.45 (Docker 26) dropped.
func (a Agent) dockerCommand(api string, l *lines) {
	const dropped = "1.45"
	switch {
	case api == "" || versions.LessThan(api, dropped):
	case a.DockerAPI == "" && a.NoEnvironment:
	case a.DockerAPI == "" || !versions.LessThan(a.DockerAPI, dropped):
		l.fail("docker command", fmt.Sprintf("the engine speaks API %s, with which the agent fails each Docker task before it starts an executor", api),
			"set DOCKER_API_VERSION=1.44 in the agent's environment")
	default:
		l.ok("docker command", "DOCKER_API_VERSION="+a.DockerAPI)
	}
}

func (a Agent) isolation(classIDs ClassIDs, l *lines) {
	const name = "isolation"
	before := len(l.all)
	if !a.Custom() {
		return
	}
	if a.flags.has(name, "namespaces/pid") {
		l.fail(name, "namespaces/pid: in custom mode the executor cannot see the container's processes", "take namespaces/pid out of --isolation")
	}
	if handle := a.flags.get("cgroups_net_cls_primary_handle"); a.flags.has(name, "cgroups/net_cls") {
		text := "cgroups/net_cls"
		if handle != "" {
			text += fmt.Sprintf(" with the primary handle %s", handle)
		}
		if !classIDs.on() {
			l.warn(name, text+": it gives executors classes of its own", "take it out of --isolation before class IDs are switched on")
		} else {
			l.fail(name, text+": it gives executors classes of its own, and tasks in custom mode are refused",
				"take cgroups/net_cls out of --isolation, and --cgroups_net_cls_primary_handle away")
		}
	}
	if a.flags.has(name, "filesystem/linux") {
		l.warn(name, "filesystem/linux: in custom mode the engine does not see folders of the sandbox that tasks mount", "take it out of --isolation if tasks have volumes with a relative host_path")
	}
	if len(l.all) == before {
		l.ok(name, a.flags.shown(name))
	}
}

// registration is how long an executor has to subscribe. In drop-in mode the agent pulls the image in that time.
func (a Agent) registration(l *lines) {
	const flag, enough = "executor_registration_timeout", 5 * time.Minute
	text := a.flags.shown(flag)
	given, err := config.ParseDuration(a.flags.get(flag))
	switch {
	case err != nil:
		l.warn("registration", text+": no duration of Mesos'", "write it as 5mins")
	case a.DropIn() && given < enough:
		l.warn("registration", text+": in drop-in mode the agent's own pull of the image counts as well, and a slow one fails the task",
			"start the agent with --"+flag+"=5mins or more")
	default:
		l.ok("registration", text)
	}
}

// recovery is what makes tasks survive a restart of the agent. Whether they are checkpointed, each framework decides.
func (a Agent) recovery(l *lines) {
	text := a.flags.shown("recover") + ", " + a.flags.shown("recovery_timeout")
	if a.flags.get("recover") != "reconnect" {
		l.warn("recovery", text+": a restart of the agent ends all tasks", "start the agent with --recover=reconnect")
		return
	}
	l.ok("recovery", text+": tasks of frameworks with checkpoint outlive a restart of the agent")
}
