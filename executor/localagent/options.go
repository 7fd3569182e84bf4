package localagent

import (
	"context"
	"crypto/tls"
	"fmt"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// Mode is the way in which an agent launches the executor.
type Mode string

const (
	// DropIn is the launch by the Docker containerizer: our binary stands in
	// for mesos-docker-executor in the agent's --launcher_dir.
	DropIn Mode = "drop-in"
	// Custom is the launch by the Mesos containerizer with the linux launcher:
	// the framework names our binary in TaskInfo.executor.
	Custom Mode = "custom"
)

// IDs are the names of a run. Empty ones are made up in an agent's form.
type IDs struct {
	AgentID     string
	FrameworkID string
	ExecutorID  string // default: the task's id, as for a command task
	ContainerID string // a UUID
}

// Options describe the run. The zero value of each field has the default that
// its comment names.
type Options struct {
	// Mode decides how the executor is launched, recovered and destroyed.
	Mode Mode
	// Task as the framework hands it to the master, with a command. What the
	// master and the agent add is added by Start; in custom mode the command
	// moves into the executor and the data.
	Task mesos.TaskInfo
	// TaskBytes, when set, is sent as the task of LAUNCH byte for byte
	// (protobuf streams only). It need not be a valid TaskInfo.
	TaskBytes []byte
	// Framework: default [DefaultFramework]. Its id is replaced by IDs.FrameworkID.
	Framework *mesos.FrameworkInfo
	// NoCheckpoint launches for a framework without checkpointing: the
	// executor must end with the connection, and no run is recovered.
	NoCheckpoint bool
	IDs          IDs

	// WorkDir is the agent's --work_dir; default: a temporary folder that
	// Close removes.
	WorkDir string
	// Executable is the executor's file; needed by StartExecutor only.
	Executable string
	// Arguments follow argv[0] in custom mode, and the containerizer's own
	// flags in drop-in mode.
	Arguments []string
	// DockerSocket is the path for --docker_socket; default /var/run/docker.sock.
	DockerSocket string
	// EnforceCFS is the agent's --cgroups_enable_cfs.
	EnforceCFS bool
	// StopTimeout is the agent's --docker_stop_timeout; default 0.
	StopTimeout time.Duration
	// TaskEnvironment is what a hook adds to the container's environment.
	TaskEnvironment map[string]string
	// Environment is the agent's --executor_environment_variables.
	Environment map[string]string
	// Token, when set, is given to the executor and demanded as bearer token.
	Token string
	// TokenOptional gives the token without demanding it, until RequireToken: an
	// agent with --jwt_secret_key and without --authenticate_http_executors.
	TokenOptional bool
	// TLS, when set, makes the endpoint speak TLS with these settings. What the
	// executor is told of it belongs into Environment, as in Mesos.
	TLS *tls.Config
	// DomainSocket, when set, is the path of a Unix socket that serves the
	// endpoint too, in plain HTTP, and which the executor is told
	// (--http_executor_domain_sockets, --domain_socket_location).
	DomainSocket string

	// RegistrationTimeout is the time from fork to SUBSCRIBE; default 1 min.
	RegistrationTimeout time.Duration
	// ReregistrationTimeout is how long after recovery an executor may take to
	// subscribe again, and how long other calls get 503; default 2 s.
	ReregistrationTimeout time.Duration
	// RecoveryTimeout is how long an executor outlives its agent; default 15 min.
	RecoveryTimeout time.Duration
	// ShutdownGrace is the agent's --executor_shutdown_grace_period; default 5 s.
	ShutdownGrace time.Duration
	// HeartbeatEvery is the interval of HEARTBEAT events; default 30 min.
	HeartbeatEvery time.Duration

	// Acks says how many ACKNOWLEDGED events an update gets: 0 withholds it,
	// 2 repeats it. Nil: one each. It is called with the run locked and must
	// not call the Agent.
	Acks func(update mesos.TaskStatus) int
	// Script is what the agent does by itself, and when.
	Script []Rule

	// StopContainer is the Docker containerizer's `docker stop -t 0`; nil: the
	// container is left to the caller. Drop-in only. A hanging daemon is the
	// callee's to bound.
	StopContainer func(ctx context.Context, name string) error
}

// DefaultFramework is a framework with what a modern scheduler sets.
func DefaultFramework() mesos.FrameworkInfo {
	return mesos.FrameworkInfo{
		User:            "root",
		Name:            "try",
		FailoverTimeout: ptr(60.0),
		Checkpoint:      ptr(true),
		Roles:           []string{"*"},
		Principal:       ptr("try"),
		Capabilities: []mesos.FrameworkInfo_Capability{
			{Type: mesos.FrameworkInfo_Capability_MULTI_ROLE},
			{Type: mesos.FrameworkInfo_Capability_TASK_KILLING_STATE},
			{Type: mesos.FrameworkInfo_Capability_PARTITION_AWARE},
		},
	}
}

func (o Options) withDefaults() (Options, error) {
	if o.Mode != DropIn && o.Mode != Custom {
		return o, fmt.Errorf("launch mode %q is unknown: use %q or %q", o.Mode, DropIn, Custom)
	}
	set := func(d *time.Duration, value time.Duration) {
		if *d == 0 {
			*d = value
		}
	}
	set(&o.RegistrationTimeout, time.Minute)
	set(&o.ReregistrationTimeout, 2*time.Second)
	set(&o.RecoveryTimeout, 15*time.Minute)
	set(&o.ShutdownGrace, 5*time.Second)
	set(&o.HeartbeatEvery, 30*time.Minute)
	if o.DockerSocket == "" {
		o.DockerSocket = "/var/run/docker.sock"
	}
	if o.Acks == nil {
		o.Acks = func(mesos.TaskStatus) int { return 1 }
	}
	return o, nil
}

func ptr[T any](v T) *T { return &v }
