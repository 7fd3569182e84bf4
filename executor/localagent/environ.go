package localagent

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

const (
	executorName = "mesos-docker-executor"
	launcherDir  = "/usr/libexec/mesos"
	hostPath     = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
)

// environment is the executor's whole environment: nothing of the agent's own
// is inherited (Mesos 1.0 and later). The order of precedence is that of
// executorEnvironment in Mesos' src/slave/slave.cpp, with the containerizer's
// additions behind. MESOS_NATIVE_LIBRARY is missing because an agent sets it
// only where the library is installed.
func (a *Agent) environment() []string {
	env := map[string]string{"LIBPROCESS_IP": "127.0.0.1"}
	for name, value := range a.opts.Environment {
		env[name] = value
	}
	for name, value := range map[string]string{
		"LIBPROCESS_PORT":                      "0",
		"MESOS_FRAMEWORK_ID":                   a.ids.FrameworkID,
		"MESOS_EXECUTOR_ID":                    a.ids.ExecutorID,
		"MESOS_SLAVE_ID":                       a.ids.AgentID,
		"MESOS_SLAVE_PID":                      "slave(1)@" + a.Endpoint(),
		"MESOS_AGENT_ENDPOINT":                 a.Endpoint(),
		"MESOS_DIRECTORY":                      a.Sandbox(),
		"MESOS_HTTP_COMMAND_EXECUTOR":          "0",
		"MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD": formatDuration(a.ShutdownGrace()),
		"MESOS_CHECKPOINT":                     "0",
	} {
		env[name] = value
	}
	if a.framework.GetCheckpoint() {
		env["MESOS_CHECKPOINT"] = "1"
		env["MESOS_RECOVERY_TIMEOUT"] = formatDuration(a.opts.RecoveryTimeout)
		env["MESOS_SUBSCRIPTION_BACKOFF_MAX"] = formatDuration(a.opts.ReregistrationTimeout)
	}
	if a.opts.Token != "" {
		env["MESOS_EXECUTOR_AUTHENTICATION_TOKEN"] = a.opts.Token
	}
	if a.opts.DomainSocket != "" {
		env["MESOS_DOMAIN_SOCKET"] = a.opts.DomainSocket
	}
	if a.opts.Mode == Custom {
		env["MESOS_SANDBOX"] = a.Sandbox()
	}
	// Last, and so above everything: the framework's own variables.
	if command := a.executor.Command; command != nil && command.Environment != nil {
		for _, v := range command.Environment.Variables {
			if v.GetType() == mesos.Environment_Variable_VALUE {
				env[v.Name] = v.GetValue()
			}
		}
	}
	if env["PATH"] == "" {
		env["PATH"] = hostPath
	}
	list := make([]string, 0, len(env))
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	sort.Strings(list)
	return list
}

// arguments is the executor's argv.
func (a *Agent) arguments() ([]string, error) {
	if a.opts.Mode == Custom {
		return append([]string{executorName}, a.opts.Arguments...), nil
	}
	argv := []string{
		executorName,
		"--cgroups_enable_cfs=" + strconv.FormatBool(a.opts.EnforceCFS),
		"--container=" + a.ContainerName(),
		"--docker=docker",
		"--docker_socket=" + a.opts.DockerSocket,
		"--help=false",
		"--initialize_driver_logging=true",
		"--launcher_dir=" + launcherDir,
		"--logbufsecs=0",
		"--logging_level=INFO",
		"--mapped_directory=/mnt/mesos/sandbox",
		"--quiet=false",
		"--sandbox_directory=" + a.Sandbox(),
		"--stop_timeout=" + formatDuration(a.opts.StopTimeout),
	}
	if len(a.opts.TaskEnvironment) > 0 {
		env, err := json.Marshal(a.opts.TaskEnvironment)
		if err != nil {
			return nil, fmt.Errorf("encode --task_environment: %w", err)
		}
		argv = append(argv, "--task_environment="+string(env))
	}
	return append(argv, a.opts.Arguments...), nil
}

// ContainerName is the name that the Docker containerizer gives the container
// in drop-in mode.
func (a *Agent) ContainerName() string { return "mesos-" + a.ids.ContainerID }

// Sandbox is the run's directory on the host; the executor's stdout and stderr
// are files in it.
func (a *Agent) Sandbox() string { return filepath.Join(a.opts.WorkDir, a.runPath()) }

// runPath is the run's place below the work directory and below its meta
// directory (src/slave/paths.cpp).
func (a *Agent) runPath() string {
	return filepath.Join("slaves", a.ids.AgentID, "frameworks", a.ids.FrameworkID, "executors", a.ids.ExecutorID, "runs", a.ids.ContainerID)
}

// checkIDs keeps ids that name folders out of the file system's grammar, as
// the master does (validateID in src/common/validation.cpp).
func (a *Agent) checkIDs() error {
	for _, id := range []string{a.ids.AgentID, a.ids.FrameworkID, a.ids.ExecutorID, a.ids.ContainerID} {
		forbidden := func(c rune) bool { return c == '/' || c == '\\' || c < ' ' || c == 0x7f }
		if id == "." || id == ".." || len(id) > 255 || strings.ContainsFunc(id, forbidden) {
			return fmt.Errorf("id %q cannot name a folder: use 1 to 255 characters other than slashes and control characters", id)
		}
	}
	return nil
}

func (a *Agent) metaRun() string       { return filepath.Join(a.opts.WorkDir, "meta", a.runPath()) }
func (a *Agent) forkedPid() string     { return filepath.Join(a.metaRun(), "pids", "forked.pid") }
func (a *Agent) libprocessPid() string { return filepath.Join(a.metaRun(), "pids", "libprocess.pid") }

// formatDuration prints as stout does: the largest unit with a whole number.
func formatDuration(d time.Duration) string {
	units := []struct {
		size time.Duration
		name string
	}{
		{7 * 24 * time.Hour, "weeks"}, {24 * time.Hour, "days"}, {time.Hour, "hrs"}, {time.Minute, "mins"},
		{time.Second, "secs"}, {time.Millisecond, "ms"}, {time.Microsecond, "us"},
	}
	for _, unit := range units {
		if d != 0 && d%unit.size == 0 {
			return fmt.Sprintf("%d%s", d/unit.size, unit.name)
		}
	}
	return fmt.Sprintf("%dns", d.Nanoseconds())
}
