package config

import (
	"strings"
	"time"
)

// What an agent uses for variables that it may leave out (src/slave/constants.hpp).
const (
	defaultRecoveryTimeout = 15 * time.Minute
	defaultBackoffMax      = 2 * time.Second
	defaultShutdownGrace   = 5 * time.Second
)

// Agent is what the Mesos agent says in the environment of an executor
// (executorEnvironment in src/slave/slave.cpp).
type Agent struct {
	FrameworkID string // MESOS_FRAMEWORK_ID
	ExecutorID  string // MESOS_EXECUTOR_ID; in drop-in mode the task id as well
	AgentID     string // MESOS_SLAVE_ID

	// Endpoint is MESOS_AGENT_ENDPOINT, "ip:port". Whether to believe it is
	// decided elsewhere: a task may have overridden it.
	Endpoint string
	// SlavePID is MESOS_SLAVE_PID, "slave(N)@ip:port", with the address of
	// Endpoint. The agent's domain socket wants "slave(N)" in the URL path.
	SlavePID string

	// Directory is MESOS_DIRECTORY, the sandbox on the host: absolute, not
	// resolved; in shortest form unless there is a ".." in it.
	Directory string
	// ContainerID is the last element of Directory.
	ContainerID string

	// Checkpoint is MESOS_CHECKPOINT: whether the framework's executors outlive
	// a restart of the agent. False when not set.
	Checkpoint bool
	// RecoveryTimeout is how long a checkpointing executor waits for its agent
	// to come back, >= 0. MESOS_RECOVERY_TIMEOUT; 15 minutes (and the variable
	// not looked at) without checkpointing.
	RecoveryTimeout time.Duration
	// SubscriptionBackoffMax is the longest pause between two attempts to
	// subscribe, above 0, at most 15 s. MESOS_SUBSCRIPTION_BACKOFF_MAX; 2 s (and
	// the variable not looked at) without checkpointing.
	SubscriptionBackoffMax time.Duration
	// ShutdownGrace is the time from SHUTDOWN to the moment when the agent
	// destroys the executor, >= 0. MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD, 5 s
	// when not set.
	ShutdownGrace time.Duration

	// Token is MESOS_EXECUTOR_AUTHENTICATION_TOKEN, empty when the agent makes
	// none. A secret.
	Token string `json:"-"`
	// DomainSocket is MESOS_DOMAIN_SOCKET, an absolute path, empty when the agent
	// offers none. It may be longer than the address of a socket.
	DomainSocket string
}

// ProcessID is the "slave(N)" of SlavePID: the first element of the path under
// which the agent serves its domain socket.
func (a Agent) ProcessID() string {
	id, _, _ := strings.Cut(a.SlavePID, "@")
	return id
}

// String leaves the token out, so that an Agent can be logged.
func (a Agent) String() string {
	return "agent " + a.AgentID + " at " + a.Endpoint + ", framework " + a.FrameworkID +
		", executor " + a.ExecutorID + ", container " + a.ContainerID
}

// GoString is [Agent.String]: "%#v" would print the token.
func (a Agent) GoString() string { return a.String() }

// AgentFromEnviron reads the agent's variables from an environment as
// [Environ] returns it.
//
// Always needed are MESOS_FRAMEWORK_ID, MESOS_EXECUTOR_ID, MESOS_SLAVE_ID,
// MESOS_SLAVE_PID, MESOS_AGENT_ENDPOINT and MESOS_DIRECTORY; with
// MESOS_CHECKPOINT=1 also MESOS_RECOVERY_TIMEOUT and
// MESOS_SUBSCRIPTION_BACKOFF_MAX. A variable that is there twice with different
// values is an error. TLS has a function of its own, [TLSFromEnviron].
//
// The error is [ErrNoAgent] if none of the always needed variables is set,
// otherwise an [*Error] with every problem.
func AgentFromEnviron(env []string) (Agent, error) {
	r := environReader{values: map[string]string{}, problems: &Error{Source: "environment"}}
	r.collect(env)
	if !r.startedByAgent() {
		return Agent{}, ErrNoAgent
	}
	a := Agent{
		FrameworkID:   r.id("MESOS_FRAMEWORK_ID"),
		ExecutorID:    r.id("MESOS_EXECUTOR_ID"),
		AgentID:       r.id("MESOS_SLAVE_ID"),
		Endpoint:      r.endpoint("MESOS_AGENT_ENDPOINT"),
		Checkpoint:    r.boolean("MESOS_CHECKPOINT"),
		ShutdownGrace: r.duration("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", defaultShutdownGrace),
		Token:         r.token("MESOS_EXECUTOR_AUTHENTICATION_TOKEN"),
		DomainSocket:  r.socket("MESOS_DOMAIN_SOCKET"),

		RecoveryTimeout:        defaultRecoveryTimeout,
		SubscriptionBackoffMax: defaultBackoffMax,
	}
	a.SlavePID = r.slavePID("MESOS_SLAVE_PID", a.Endpoint)
	a.Directory, a.ContainerID = r.directory("MESOS_DIRECTORY")
	if a.Checkpoint {
		a.RecoveryTimeout = r.neededDuration("MESOS_RECOVERY_TIMEOUT")
		a.SubscriptionBackoffMax = r.backoff("MESOS_SUBSCRIPTION_BACKOFF_MAX")
	}
	if err := r.problems.orNil(); err != nil {
		return Agent{}, err
	}
	return a, nil
}
