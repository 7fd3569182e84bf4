package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.yaml.in/yaml/v3"

	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/localagent"
	"mesos-docker-executor/executor/report"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security/policyfile"
)

// leftoverLimit bounds the calls that look for a container that was left.
const leftoverLimit = 30 * time.Second

// askLimit is about what it takes to see that an engine hangs which was to remove what is left.
const askLimit = 10 * time.Second

// impatience is how long a launch waits for an engine where nobody has said how long, in a config.yaml, and no fault is rehearsed: somebody
// sits before it, who may have forgotten to start the engine.
const impatience = 2 * time.Second

// agentFolder is the agent's work directory in ours.
const agentFolder = "agent"

// oldRehearsal is when nobody of a rehearsal lives that has no claims.
const oldRehearsal = 10 * time.Minute

// recoveryTimeout is how long the executor outlives this process, should that be killed.
const recoveryTimeout = 10 * time.Second

// run runs the task and returns the exit status. The goroutine that calls it does all the printing.
func (t *trial) run(ctx context.Context) int {
	var from interruptions
	defer from.listen()()

	work, err := openWork(ctx, t.keep)
	o := outcome{status: exitFail}
	if err == nil {
		o, err = t.runIn(ctx, work.path, from)
		o.leave(t.closeWork(work))
	}
	if err != nil {
		o.problem, o.status = err.Error(), exitFail
	}
	t.show.result(o)
	if t.out.err != nil {
		return exitFail // which says why
	}
	return o.status
}

// runIn runs the task in a work directory. With an error it was not begun.
func (t *trial) runIn(ctx context.Context, work string, from interruptions) (outcome, error) {
	sick, err := t.openSickEngine(work)
	if err != nil {
		return outcome{status: exitFail}, err
	}
	if sick != nil { // what is said of the sick engine is not for the host's executors
		everybodys := t.file.RunDirectory
		t.sweepRehearsals(ctx, everybodys)
		t.file.RunDirectory = rehearsal(everybodys, work)
		t.file.GC.Directory = filepath.Join(t.file.RunDirectory, "images")
	}
	agent, err := t.startAgent(ctx, work, sick)
	if err != nil {
		return outcome{status: exitFail}, errors.Join(err, sick.end(ctx))
	}
	o := t.watch(ctx, agent, sick, from)
	o.leave(agent.Close())
	o.leave(sick.end(ctx))
	if err := t.removeLeftovers(ctx, agent); err != nil {
		o.leave(fmt.Errorf("%w; %s", err, t.removeLater()))
	}
	if t.keep {
		t.showKept(agent.Sandbox())
	}
	return o, nil
}

// removeLater says what removes what is left on the engine.
func (t *trial) removeLater() string {
	if len(t.faults) > 0 {
		return fmt.Sprintf("run try with --fault again once the engine answers, %.0f minutes from now at the earliest", oldRehearsal.Minutes())
	}
	return "run try again once the engine answers"
}

// showKept says where the sandbox is that --keep leaves, and how to read what is in it.
func (t *trial) showKept(sandbox string) {
	t.show.note("kept the sandbox " + sandbox)
	written := filepath.Join(sandbox, report.FileName)
	if about, err := os.Lstat(written); err == nil && about.Mode().IsRegular() {
		t.show.note("read the report with: mesos-docker-executor report " + written)
	}
}

// interruptions are the signals that end a run early.
type interruptions struct {
	people chan os.Signal // each one escalates
	hangup chan os.Signal
}

// listen begins to catch them; the function that it returns ends that.
func (i *interruptions) listen() (stop func()) {
	i.people, i.hangup = make(chan os.Signal, 2), make(chan os.Signal, 1)
	signal.Notify(i.people, syscall.SIGINT, syscall.SIGTERM)
	signal.Notify(i.hangup, syscall.SIGHUP)
	return func() {
		signal.Stop(i.people)
		signal.Stop(i.hangup)
	}
}

// startAgent opens the agent and forks the executor.
func (t *trial) startAgent(ctx context.Context, work string, sick *sickEngine) (*localagent.Agent, error) {
	configFile := filepath.Join(work, "config.yaml")
	file := t.file
	file.Engine.Host = sick.host(t.file.Engine.Host)
	file.Engine.LaunchWait = t.launchWait()
	if err := writeConfig(configFile, file); err != nil {
		return nil, err
	}
	options := localagent.Options{
		Mode:            localagent.Mode(t.mode),
		Task:            t.task,
		Framework:       &t.framework,
		NoCheckpoint:    !t.framework.GetCheckpoint(),
		WorkDir:         filepath.Join(work, agentFolder),
		Executable:      t.executable,
		DockerSocket:    strings.TrimPrefix(file.Engine.Host, "unix://"),
		EnforceCFS:      t.file.Container.EnforceCFS,
		StopContainer:   t.removeContainer,
		RecoveryTimeout: recoveryTimeout,
	}
	policyFile, err := t.policyIn(work)
	if err != nil {
		return nil, err
	}
	options.Arguments = t.executorFlags(configFile, policyFile)
	if err := os.Mkdir(options.WorkDir, 0o755); err != nil {
		return nil, err
	}
	agent, err := localagent.Start(ctx, options)
	if err != nil {
		return nil, err
	}
	t.show.begin(fmt.Sprintf("%s in %s mode, engine %s", agent.Task().TaskID.Value, t.mode, t.file.Engine.Host))
	if policyFile != t.policy {
		t.show.note("the built-in policy, as " + policyFile)
	}
	for _, rule := range t.faults {
		t.show.note("fault " + rule.String())
	}
	if err := agent.StartExecutor(); err != nil {
		return nil, errors.Join(err, agent.Close())
	}
	return agent, nil
}

// executorFlags are what the executor gets beside the flags of the agent.
func (t *trial) executorFlags(configFile, policyFile string) []string {
	flags := []string{"--config=" + configFile}
	if policyFile != "" {
		flags = append(flags, "--policy="+policyFile)
	}
	if t.classes != "" {
		flags = append(flags, "--classes="+t.classes)
	}
	if t.mode == task.Custom {
		return append([]string{"run"}, flags...)
	}
	return flags
}

// policyIn is the path of the policy for the executor. The built-in one is written out, so that the host's does not hold.
func (t *trial) policyIn(work string) (string, error) {
	if t.policy != builtInWord {
		return t.policy, nil
	}
	path := filepath.Join(work, "policy.yaml")
	if err := os.WriteFile(path, []byte(policyfile.Default()), 0o600); err != nil {
		return "", fmt.Errorf("cannot write the executor's policy: %w", err)
	}
	return path, nil
}

// launchWait is how long a launch waits for a sick engine.
func (t *trial) launchWait() time.Duration {
	if t.configured || len(t.faults) > 0 {
		return t.file.Engine.LaunchWait
	}
	return impatience
}

// writeConfig writes a config.yaml that the executor trusts: root's, and private.
func writeConfig(path string, file config.File) error {
	raw, err := yaml.Marshal(file)
	keys := map[string]any{}
	if err == nil {
		err = yaml.Unmarshal(raw, keys)
	}
	if err == nil {
		keys["log_level"] = strings.ToLower(file.LogLevel.String()) // slog prints it in capitals
		raw, err = yaml.Marshal(keys)
	}
	if err == nil {
		err = os.WriteFile(path, raw, 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot write the executor's configuration: %w", err)
	}
	return nil
}

// closeWork removes the work directory, or says where it is.
func (t *trial) closeWork(work *workDir) error {
	if t.keep {
		t.show.note("kept all of " + work.path + "; remove it when you have seen enough")
		return work.lock.Close()
	}
	return work.remove()
}

// removeLeftovers removes what an executor that was killed leaves behind. Ids are unique to this run.
func (t *trial) removeLeftovers(ctx context.Context, agent *localagent.Agent) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leftoverLimit)
	defer cancel()
	docker, err := t.openEngine(ctx)
	if docker != nil {
		defer docker.Close()
	}
	which := agent.IDs().ContainerID
	if len(t.faults) > 0 {
		which = "" // the run directory is this run's own, and goes only when nobody lives in it
	}
	err = errors.Join(err, sweepAfter(ctx, t.file, docker, which))
	if err == nil && len(t.faults) > 0 {
		err = os.RemoveAll(t.file.RunDirectory)
	}
	return err
}

// removeContainer stops and removes a container.
func (t *trial) removeContainer(ctx context.Context, name string) error {
	docker, err := t.openEngine(ctx)
	if docker == nil {
		return err
	}
	defer docker.Close()
	return docker.Remove(ctx, name)
}

// openEngine opens the engine itself, past any faults. Where none listens no container was made: then it is nil, without an error.
func (t *trial) openEngine(ctx context.Context) (*engine.Engine, error) {
	docker, err := engine.Open(t.file.Engine.Host, engine.Limits(t.file.Engine.Limits))
	if err != nil {
		return nil, err
	}
	if _, err := docker.Probe(ctx); err != nil {
		docker.Close()
		if engine.OutcomeOf(err) == engine.Refused {
			return nil, nil
		}
		return nil, fmt.Errorf("cannot tell whether a container is left: %w", err)
	}
	return docker, nil
}
