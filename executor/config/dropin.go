package config

import (
	"fmt"
	"strings"
	"time"
)

// dockerNamePrefix begins the name of each container of the agent's Docker
// containerizer (DOCKER_NAME_PREFIX in src/slave/containerizer/docker.cpp).
const dockerNamePrefix = "mesos-"

// DropIn holds the flags with which the agent's Docker containerizer starts
// its executor (src/docker/executor.hpp; all of them are visible to every user
// of the host in the process list).
type DropIn struct {
	Container        string // --container, needed: name for Docker, "mesos-<container id>"
	SandboxDirectory string // --sandbox_directory, needed: absolute; may be a symbolic link
	MappedDirectory  string // --mapped_directory, needed: absolute path of the sandbox in the container

	// Docker and LauncherDir are --docker and --launcher_dir, for which we
	// have no use: no command line client, no helpers of Mesos.
	Docker, LauncherDir string
	// DockerSocket is --docker_socket without "unix://", empty if not given.
	DockerSocket string
	// StopTimeout is --stop_timeout, >= 0, 0 if not given. Deprecated by Mesos;
	// the stock executor raises the shutdown grace period to it.
	StopTimeout time.Duration
	// EnableCFS is --cgroups_enable_cfs: a hard CPU limit from the request.
	EnableCFS bool
	// TaskEnvironment is --task_environment, what the agent's hooks add to the
	// task's environment. The values may be secrets.
	TaskEnvironment map[string]string `json:"-"`
	// DefaultContainerDNS is --default_container_dns as given: a JSON object
	// (message ContainerDNSInfo), empty if not given.
	DefaultContainerDNS string

	// Config is our own --config, the absolute path of config.yaml, empty if
	// not given. A wrapper in --launcher_dir can pass it.
	Config string
	// Policy and Classes are the same for policy.yaml and classes.yaml.
	Policy, Classes string
	// Help is --help. The needed flags are not needed then.
	Help bool
}

// String leaves the task's environment out, so that a DropIn can be logged.
func (d DropIn) String() string {
	return "container " + d.Container + ", sandbox " + d.SandboxDirectory
}

// GoString is [DropIn.String]: "%#v" would print the task's environment.
func (d DropIn) GoString() string { return d.String() }

// EngineHost returns --docker_socket as a Docker host, "unix:///path", or ""
// if the flag was not given.
func (d DropIn) EngineHost() string {
	if d.DockerSocket == "" {
		return ""
	}
	return "unix://" + d.DockerSocket
}

// IsDropIn tells from the arguments, without the program's name, whether the
// agent's Docker containerizer made them: --container or --sandbox_directory is
// among the flags. One is enough, so that [ParseDropIn] can name the other.
// Another command than "run" makes it false, and so do words after "--".
func IsDropIn(args []string) bool {
	if len(args) > 0 && !strings.HasPrefix(args[0], "--") && args[0] != "run" {
		return false
	}
	for _, given := range splitFlags(args) {
		if given.name == "container" || given.name == "sandbox_directory" {
			return true
		}
	}
	return false
}

// ParseDropIn reads the flags of the Docker containerizer, without the
// program's name, in the syntax of stout: --name=value, --flag, --no-flag,
// names in any case. It stops at "--" and skips words that are no flags. Flags
// that it does not know are ignored, as newer agents may pass more of them;
// twice the same flag is an error. The stock executor also insists on --docker
// and --launcher_dir; this one does not need them.
//
// The error is an [*Error] with every problem.
func ParseDropIn(args []string) (DropIn, error) {
	var d DropIn
	problems := &Error{Source: "command line"}
	given := map[string]bool{}
	flags := d.flags()
	for _, f := range splitFlags(args) {
		set, known := flags[f.name]
		switch {
		case !known:
			continue
		case given[f.name]:
			problems.add("--"+f.name, "is given twice")
			continue
		}
		given[f.name] = true
		if err := set(f); err != nil {
			problems.add("--"+f.name, "%v", err)
		}
	}
	for _, name := range []string{"container", "sandbox_directory", "mapped_directory"} {
		if !given[name] && !d.Help {
			problems.add("--"+name, "is missing; the agent's Docker containerizer always passes it")
		}
	}
	if err := problems.orNil(); err != nil {
		return DropIn{}, err
	}
	return d, nil
}

// flags maps each known flag to the function that checks and stores it.
func (d *DropIn) flags() map[string]func(stoutFlag) error {
	return map[string]func(stoutFlag) error{
		"container":             text(&d.Container, checkContainerName),
		"sandbox_directory":     folder(&d.SandboxDirectory),
		"mapped_directory":      folder(&d.MappedDirectory),
		"docker":                text(&d.Docker, nil),
		"launcher_dir":          text(&d.LauncherDir, nil),
		"docker_socket":         d.setDockerSocket,
		"stop_timeout":          d.setStopTimeout,
		"cgroups_enable_cfs":    boolean(&d.EnableCFS),
		"task_environment":      d.setTaskEnvironment,
		"default_container_dns": text(&d.DefaultContainerDNS, checkJSONObject),
		"config":                text(&d.Config, checkPath),
		"policy":                text(&d.Policy, checkPath),
		"classes":               text(&d.Classes, checkPath),
		"help":                  boolean(&d.Help),
	}
}

func (d *DropIn) setDockerSocket(f stoutFlag) error {
	value, err := f.text()
	if err != nil {
		return err
	}
	socket, err := engineSocket(strings.TrimPrefix(value, "unix://"))
	if err != nil {
		return fmt.Errorf("%w; the path of the engine's Unix socket is needed, such as /var/run/docker.sock", err)
	}
	d.DockerSocket = socket
	return nil
}

func (d *DropIn) setStopTimeout(f stoutFlag) error {
	value, err := f.text()
	if err != nil {
		return err
	}
	d.StopTimeout, err = ParseDuration(value)
	return err
}

func (d *DropIn) setTaskEnvironment(f stoutFlag) error {
	value, err := f.text()
	if err != nil {
		return err
	}
	d.TaskEnvironment, err = parseTaskEnvironment(value)
	return err
}

// checkContainerName accepts the names that the Docker containerizer makes:
// "mesos-<container id>", before Mesos 1.4 "mesos-<agent id>.<container id>".
// Other names would not be found by it when it recovers or destroys.
func checkContainerName(name string) error {
	_, containerID, ok := splitContainerName(name)
	bad := func(r rune) bool { return !isAlphanumeric(r) && !strings.ContainsRune("_.-", r) }
	// Docker allows [a-zA-Z0-9][a-zA-Z0-9_.-]+ (moby, daemon/names/names.go).
	if !ok || strings.ContainsFunc(name, bad) || checkContainerID(containerID) != nil {
		return fmt.Errorf("%s is not mesos-<container id> (letters, digits, _, . and -)", quote(name))
	}
	return nil
}

// splitContainerName takes the ids out of a name of the Docker containerizer;
// agentID is empty unless an old agent made the name.
func splitContainerName(name string) (agentID, containerID string, ok bool) {
	ids, ok := strings.CutPrefix(name, dockerNamePrefix)
	if dot := strings.LastIndexByte(ids, '.'); dot >= 0 {
		return ids[:dot], ids[dot+1:], ok && dot > 0
	}
	return "", ids, ok
}
