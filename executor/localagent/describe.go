package localagent

import (
	"errors"
	"fmt"
	"time"

	"github.com/gogo/protobuf/jsonpb"
	"github.com/google/uuid"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
)

// Complete returns the task as an executor would see it in this mode, with
// what the master and the agent add. Ids and a role that the options lack are
// made up.
func Complete(o Options) (mesos.TaskInfo, error) {
	o, err := o.withDefaults()
	if err != nil {
		return mesos.TaskInfo{}, err
	}
	a := &Agent{opts: o}
	if err := a.describe(); err != nil {
		return mesos.TaskInfo{}, err
	}
	return a.task, nil
}

// describe fills in what the master and the agent add to a task before an
// executor sees it, and makes the messages of SUBSCRIBED.
func (a *Agent) describe() error {
	a.task = a.opts.Task
	a.framework = DefaultFramework()
	if a.opts.Framework != nil {
		a.framework = *a.opts.Framework
	}
	a.nameRun()
	a.framework.ID = &mesos.FrameworkID{Value: a.ids.FrameworkID}
	a.framework.Checkpoint = ptr(!a.opts.NoCheckpoint)
	a.agentInfo = mesos.AgentInfo{
		Hostname: "127.0.0.1",
		Resources: []mesos.Resource{
			scalar("cpus", 2, ""), scalar("mem", 8192, ""), scalar("disk", 10240, ""),
			{Name: "ports", Type: mesos.RANGES.Enum(), Ranges: &mesos.Value_Ranges{Range: []mesos.Value_Range{{Begin: 31000, End: 32000}}}},
		},
		ID: &mesos.AgentID{Value: a.ids.AgentID},
	}
	a.completeTask()
	var err error
	if a.opts.Mode == Custom {
		err = a.customExecutor()
	} else {
		err = a.commandExecutor()
	}
	if err != nil {
		return err
	}
	a.taskBytes = a.opts.TaskBytes
	if a.taskBytes == nil {
		if a.taskBytes, err = a.task.Marshal(); err != nil {
			return fmt.Errorf("encode the task: %w", err)
		}
	}
	return nil
}

// nameRun makes up the ids that are missing.
func (a *Agent) nameRun() {
	a.ids = a.opts.IDs
	master := uuid.NewString()
	set := func(id *string, value string) {
		if *id == "" {
			*id = value
		}
	}
	set(&a.ids.AgentID, master+"-S0")
	set(&a.ids.FrameworkID, master+"-0000")
	set(&a.ids.ContainerID, uuid.NewString())
	set(&a.task.TaskID.Value, "task-"+a.ids.ContainerID[:min(8, len(a.ids.ContainerID))])
	set(&a.task.Name, a.task.TaskID.Value)
	if a.opts.Mode == Custom && a.task.Executor != nil {
		set(&a.ids.ExecutorID, a.task.Executor.ExecutorID.Value)
	}
	set(&a.ids.ExecutorID, a.task.TaskID.Value)
}

// completeTask adds agent, role and defaults to the task itself.
func (a *Agent) completeTask() {
	a.task.AgentID = mesos.AgentID{Value: a.ids.AgentID}
	a.task.Resources = allocate(a.task.Resources, a.role())
	if command := a.task.Command; command != nil {
		a.task.Command = completeCommand(command)
	}
	if check := a.task.HealthCheck; check != nil && check.Type == mesos.HealthCheck_UNKNOWN {
		check := *check
		switch { // src/master/master.cpp does so for old schedulers
		case check.Command != nil:
			check.Type = mesos.HealthCheck_COMMAND
		case check.HTTP != nil:
			check.Type = mesos.HealthCheck_HTTP
		}
		a.task.HealthCheck = &check
	}
}

// role is the one that the task's resources are allocated to.
func (a *Agent) role() string {
	for _, r := range a.task.Resources {
		if role := r.AllocationInfo.GetRole(); role != "" {
			return role
		}
	}
	if len(a.framework.Roles) > 0 {
		return a.framework.Roles[0]
	}
	if a.framework.Role != nil {
		return *a.framework.Role
	}
	return "*"
}

func allocate(resources []mesos.Resource, role string) []mesos.Resource {
	allocated := append([]mesos.Resource(nil), resources...)
	for i := range allocated {
		if allocated[i].AllocationInfo.GetRole() == "" {
			allocated[i].AllocationInfo = &mesos.Resource_AllocationInfo{Role: &role}
		}
	}
	return allocated
}

// completeCommand sets the defaults that arrive spelled out at an executor.
func completeCommand(command *mesos.CommandInfo) *mesos.CommandInfo {
	complete := *command
	if complete.Shell == nil {
		complete.Shell = ptr(true)
	}
	if env := complete.Environment; env != nil {
		variables := append([]mesos.Environment_Variable(nil), env.Variables...)
		for i := range variables {
			if variables[i].Type == nil {
				variables[i].Type = mesos.Environment_Variable_VALUE.Enum()
			}
		}
		complete.Environment = &mesos.Environment{Variables: variables}
	}
	return &complete
}

// customExecutor moves the command into the data, where a custom executor
// finds it: a task has either a command or an executor.
func (a *Agent) customExecutor() error {
	executor := mesos.ExecutorInfo{Resources: executorResources(a.role())}
	if a.task.Executor != nil {
		executor = *a.task.Executor
		if a.task.Command != nil {
			return errors.New("a task has a command or an executor, not both")
		}
	}
	if a.task.Command != nil {
		if len(a.task.Data) > 0 {
			return errors.New("custom mode carries the command in the task's data, which is taken: remove the data, or use drop-in mode")
		}
		data, err := (&jsonpb.Marshaler{OrigName: true}).MarshalToString(a.task.Command)
		if err != nil {
			return fmt.Errorf("encode the command as data: %w", err)
		}
		a.task.Data, a.task.Command = []byte(data), nil
	}
	command := mesos.CommandInfo{User: ptr("root")}
	if executor.Command != nil {
		command = *executor.Command
	}
	command.Shell = ptr(false)
	command.Value = ptr(a.opts.Executable)
	command.Arguments = append([]string{executorName}, a.opts.Arguments...)
	executor.Type = mesos.ExecutorInfo_CUSTOM
	executor.ExecutorID = mesos.ExecutorID{Value: a.ids.ExecutorID}
	executor.FrameworkID = &mesos.FrameworkID{Value: a.ids.FrameworkID}
	executor.Command = &command
	executor.Resources = allocate(executor.Resources, a.role())
	a.executor = executor
	a.task.Executor = &executor
	return nil
}

// commandExecutor is the ExecutorInfo that the agent makes for a command task
// (Slave::getExecutorInfo in Mesos' src/slave/slave.cpp). It names
// mesos-executor even where the Docker containerizer runs ours.
func (a *Agent) commandExecutor() error {
	task := &a.task
	if task.Executor != nil {
		return errors.New("a task with an executor is not launched in drop-in mode: give it a command instead, or use custom mode")
	}
	command := &mesos.CommandInfo{
		Shell:     ptr(false),
		Value:     ptr(launcherDir + "/mesos-executor"),
		Arguments: []string{"mesos-executor", "--launcher_dir=" + launcherDir},
	}
	if task.Command != nil {
		command.URIs, command.Environment, command.User = task.Command.URIs, task.Command.Environment, task.Command.User
	}
	a.executor = mesos.ExecutorInfo{
		ExecutorID:  mesos.ExecutorID{Value: a.ids.ExecutorID},
		FrameworkID: &mesos.FrameworkID{Value: a.ids.FrameworkID},
		Command:     command,
		Container:   task.Container,
		Resources:   executorResources(a.role()),
		Name:        ptr(fmt.Sprintf("Command Executor (Task: %s) (Command: %s)", task.TaskID.Value, summary(task.Command))),
		Source:      ptr(task.TaskID.Value),
		Discovery:   task.Discovery,
		Labels:      task.Labels,
	}
	if policy := task.KillPolicy; policy != nil && policy.GracePeriod != nil {
		// One second to reap the task, one for the update.
		a.executor.ShutdownGracePeriod = &mesos.DurationInfo{Nanoseconds: policy.GracePeriod.Nanoseconds + (2 * time.Second).Nanoseconds()}
	}
	return nil
}

// summary shortens a command as Slave::getExecutorInfo does.
func summary(command *mesos.CommandInfo) string {
	if command == nil || command.Value == nil {
		return "NO COMMAND"
	}
	text, form := *command.Value, "sh -c '%s'"
	if !command.GetShell() {
		for i, argument := range command.Arguments {
			if i > 0 || text != "" {
				text += ", "
			}
			text += argument
		}
		form = "%s"
	}
	if len(text) > 15 {
		text = text[:12] + "..."
	}
	return fmt.Sprintf(form, text)
}

// executorResources are what the agent adds for an executor of its own.
func executorResources(role string) []mesos.Resource {
	return []mesos.Resource{scalar("cpus", 0.1, role), scalar("mem", 32, role)}
}

func scalar(name string, value float64, role string) mesos.Resource {
	r := mesos.Resource{Name: name, Type: mesos.SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: value}}
	if role != "" {
		r.AllocationInfo = &mesos.Resource_AllocationInfo{Role: &role}
	}
	return r
}

// ShutdownGrace is how long the executor has after SHUTDOWN.
func (a *Agent) ShutdownGrace() time.Duration {
	if grace := a.executor.ShutdownGracePeriod; grace != nil {
		return nanoseconds(grace)
	}
	return a.opts.ShutdownGrace
}

func nanoseconds(d *mesos.DurationInfo) time.Duration { return time.Duration(d.Nanoseconds) }
