package config

import (
	"log/slog"
	"strings"
	"time"
)

// DefaultPath is where config.yaml is looked for when no flag names another.
const DefaultPath = "/etc/mesos-docker-executor/config.yaml"

// fileVersion is the version of config.yaml that this program reads.
const fileVersion = 1

// File is config.yaml, the settings of a host. [Keys] says for each key what
// it means and which values are possible. A File from [Load], [Parse] or
// [Default] has every field set, and no limit is 0.
type File struct {
	Version   int       `yaml:"version"`
	Engine    Engine    `yaml:"engine"`
	Registry  Registry  `yaml:"registry"`
	Agent     AgentKeys `yaml:"agent"`
	Container Container `yaml:"container"`
	Cgroup    Cgroup    `yaml:"cgroup"`
	Storage   Storage   `yaml:"storage"`

	RunDirectory string        `yaml:"run_directory"`
	LogDrain     time.Duration `yaml:"log_drain"`
	LogLevel     slog.Level    `yaml:"log_level"`

	GC GC `yaml:"gc"`
}

// Engine is the section about the Docker Engine.
type Engine struct {
	// Host is "unix:///path". In drop-in mode --docker_socket wins
	// ([DropIn.EngineHost]).
	Host   string `yaml:"host"`
	Limits Limits `yaml:"limits"`
	// LaunchWait is how long a launch waits for a sick engine, and for room on its disks.
	LaunchWait time.Duration `yaml:"launch_wait"`
	// MaxStarts and MaxPulls bound what all executors of the host ask of the
	// engine at a time.
	MaxStarts int `yaml:"max_starts"`
	MaxPulls  int `yaml:"max_pulls"`
}

// Limits is how long the calls to the engine may take, one limit per kind of
// call. Fields and order are those of the engine client's own type, so that
// one converts to the other.
type Limits struct {
	Ping         time.Duration `yaml:"ping"`
	Info         time.Duration `yaml:"info"`
	ImageInspect time.Duration `yaml:"image_inspect"`
	PullBegin    time.Duration `yaml:"pull_begin"`
	PullIdle     time.Duration `yaml:"pull_idle"`
	PullExtract  time.Duration `yaml:"pull_extract"`
	PullTotal    time.Duration `yaml:"pull_total"`
	Create       time.Duration `yaml:"create"`
	Start        time.Duration `yaml:"start"`
	Inspect      time.Duration `yaml:"inspect"`
	InspectPoll  time.Duration `yaml:"inspect_poll"`
	List         time.Duration `yaml:"list"`
	Signal       time.Duration `yaml:"signal"`
	Kill         time.Duration `yaml:"kill"`
	Remove       time.Duration `yaml:"remove"`
	Attach       time.Duration `yaml:"attach"`
}

// Registry is the section about the credentials for image registries.
type Registry struct {
	// Config is the path of the operator's docker config, "" for none.
	Config string `yaml:"config"`
	// TaskHelpers is as it stands in the file; [Registry.Helpers] takes it
	// apart.
	TaskHelpers string        `yaml:"task_helpers"`
	HelperLimit time.Duration `yaml:"helper_limit"`
}

// Helpers returns the credential helpers that tasks may name.
func (r Registry) Helpers() []string {
	return strings.FieldsFunc(r.TaskHelpers, func(c rune) bool { return c == ',' || c == ' ' })
}

// AgentKeys is the section about the Mesos agent.
type AgentKeys struct {
	// Endpoint is the agent's "ip:port", or "" for what the environment says.
	Endpoint string `yaml:"endpoint"`
	// DomainSocket is the path of the agent's Unix socket, or "". It excludes
	// Endpoint and TLS.
	DomainSocket string `yaml:"domain_socket"`
	// RegisterForRecovery makes drop-in tasks survive a restart of the agent.
	RegisterForRecovery bool    `yaml:"register_for_recovery"`
	TLS                 TLSKeys `yaml:"tls"`
}

// TLSKeys is the section about TLS to the agent. [File.AgentTLS] makes use of it.
type TLSKeys struct {
	Mode       string `yaml:"mode"`
	CAFile     string `yaml:"ca_file"`
	CADir      string `yaml:"ca_dir"`
	CertFile   string `yaml:"cert_file"`
	KeyFile    string `yaml:"key_file"`
	Verify     bool   `yaml:"verify"`
	ServerName string `yaml:"server_name"`
	Version    string `yaml:"version"`
}

// Container is the section about the task's container.
type Container struct {
	NamePrefix      string `yaml:"name_prefix"`
	MappedDirectory string `yaml:"mapped_directory"`
	EnforceCFS      bool   `yaml:"enforce_cfs"`
	// DefaultDNS is JSON as in the agent's --default_container_dns, or "".
	DefaultDNS string `yaml:"default_dns"`
}

// Cgroup is the section about the task's own cgroup.
type Cgroup struct {
	Root string `yaml:"root"`
	// RequireClasses makes a missing classes.yaml an error.
	RequireClasses bool `yaml:"require_classes"`
}

// Default returns the settings of a host without config.yaml.
func Default() File {
	return File{
		Version: fileVersion,
		Engine: Engine{
			Host: "unix:///var/run/docker.sock",
			Limits: Limits{
				Ping:         5 * time.Second,
				Info:         10 * time.Second,
				ImageInspect: 30 * time.Second,
				PullBegin:    2 * time.Minute,
				PullIdle:     2 * time.Minute,
				PullExtract:  10 * time.Minute,
				PullTotal:    15 * time.Minute,
				Create:       2 * time.Minute,
				Start:        2 * time.Minute,
				Inspect:      30 * time.Second,
				InspectPoll:  10 * time.Second,
				List:         30 * time.Second,
				Signal:       3 * time.Second,
				Kill:         15 * time.Second,
				Remove:       time.Minute,
				Attach:       10 * time.Second,
			},
			LaunchWait: 30 * time.Second,
			MaxStarts:  16,
			MaxPulls:   8,
		},
		Registry: Registry{HelperLimit: 10 * time.Second},
		Agent: AgentKeys{
			RegisterForRecovery: true,
			TLS:                 TLSKeys{Mode: tlsFromEnvironment, Verify: true, Version: tls12},
		},
		Container: Container{
			NamePrefix:      "mesosx",
			MappedDirectory: "/mnt/mesos/sandbox",
		},
		Cgroup:       Cgroup{Root: "/mesos-docker-executor"},
		Storage:      defaultStorage(),
		RunDirectory: "/run/mesos-docker-executor",
		LogDrain:     2 * time.Second,
		LogLevel:     slog.LevelInfo,
		GC:           defaultGC(),
	}
}
