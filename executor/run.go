package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/executor/trust"
	"mesos-docker-executor/security"
	"mesos-docker-executor/security/policyfile"
)

// start is what the two launch modes make of flags and environment: everything that a run depends on.
type start struct {
	mode        task.Mode
	agent       config.Agent
	route       route
	trust       *trust.Check // whether the agent is the one that started this process; set by run
	file        config.File
	fileErr     error // config.yaml cannot be used: the executor subscribes, and no task starts
	policy      *policyfile.File
	policyErr   error  // the policy cannot be used: likewise
	classes     string // path of classes.yaml, "" for its own: it is read while the executor subscribes
	engineHost  string
	sandbox     string // host path without symbolic links
	name        string // of the container
	mapped      string
	enforceCFS  bool
	taskEnv     map[string]string
	workDir     string     // the agent's
	dns         []task.DNS // for containers that name none
	dnsErr      error      // dns cannot be used: no task starts
	words       []string
	flags       config.DropIn // drop-in mode only
	containerID string        // Mesos container id
}

// runCommand is what agents start. words are those after "--".
func runCommand(words []string, status *int) *cli.Command {
	return &cli.Command{
		Name:  "run",
		Usage: "serve the Mesos agent that started this process (default)",
		Description: "Started by agents, not by people: it needs the MESOS_* variables of an agent. To run a task by hand, use `try`.\n" +
			"Exit status: 0 after the acknowledged terminal update of a container that ran, 1 when none ran, 2 for a bad start.",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "config", Usage: "host configuration `FILE`; default " + config.DefaultPath + ", which may be missing"},
			&cli.StringFlag{Name: "policy", Usage: "security policy `FILE`; default " + policyfile.DefaultPath + ", which may be missing"},
			&cli.StringFlag{Name: "classes", Usage: "class `FILE`; default " + classes.DefaultPath + ", which may be missing"},
		},
		OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if err := noArguments(c); err != nil {
				return err
			}
			paths, err := filePaths(c)
			if err != nil {
				return err
			}
			*status = executeClean(task.Custom, func(environ []string) (start, error) { return customStart(environ, paths, words) })
			return nil
		},
	}
}

// dropIn runs under the Docker containerizer's flags.
func dropIn(args []string) int {
	flags, err := config.ParseDropIn(args)
	if err != nil {
		say(err.Error())
		return exitUsage
	}
	if flags.Help {
		say("started by the Docker containerizer of a Mesos agent; see `mesos-docker-executor --help`")
		return exitOK
	}
	return executeClean(task.DropIn, func(environ []string) (start, error) { return dropInStart(environ, flags) })
}

// files are the paths of the operator's files that flags name; "" where there is no flag.
type files struct{ config, policy, classes string }

// filePaths are the paths of --config, --policy and --classes.
func filePaths(c *cli.Context) (files, error) {
	var paths files
	for name, path := range map[string]*string{"config": &paths.config, "policy": &paths.policy, "classes": &paths.classes} {
		value, err := pathFlag(c, name)
		if err != nil {
			return files{}, err
		}
		if value != "" && !filepath.IsAbs(value) {
			return files{}, cli.Exit(fmt.Sprintf("--%s: %q is not an absolute path; an executor's working directory is its sandbox", name, value), exitUsage)
		}
		*path = value
	}
	return paths, nil
}

func customStart(environ []string, paths files, words []string) (start, error) {
	agent, err := config.AgentFromEnviron(environ)
	if err != nil {
		return start{}, err
	}
	run, err := agent.CheckCustom()
	if err != nil {
		return start{}, err
	}
	file, fileErr, err := loadConfig(paths.config)
	if err != nil {
		return start{}, err
	}
	route, err := newRoute(environ, agent, file, run)
	if err != nil {
		return start{}, err
	}
	policy, policyErr := loadPolicy(paths.policy)
	dns, dnsErr := task.ParseDefaultDNS(file.Container.DefaultDNS)
	return start{
		mode:        task.Custom,
		agent:       agent,
		route:       route,
		file:        file,
		fileErr:     fileErr,
		policy:      policy,
		policyErr:   policyErr,
		classes:     paths.classes,
		engineHost:  file.Engine.Host,
		sandbox:     run.Path,
		containerID: run.ContainerID,
		name:        file.Container.NamePrefix + "-" + run.ContainerID,
		mapped:      file.Container.MappedDirectory,
		enforceCFS:  file.Container.EnforceCFS,
		workDir:     run.WorkDir,
		dns:         dns,
		dnsErr:      wrap("config.yaml: container.default_dns", dnsErr),
		words:       words,
	}, nil
}

func dropInStart(environ []string, flags config.DropIn) (start, error) {
	agent, err := config.AgentFromEnviron(environ)
	if err != nil {
		return start{}, err
	}
	if err := agent.CheckDropIn(flags); err != nil {
		return start{}, err
	}
	run, err := config.ResolveRun(flags.SandboxDirectory)
	if err != nil {
		return start{}, err
	}
	file, fileErr, err := loadConfig(flags.Config)
	if err != nil {
		return start{}, err
	}
	route, err := newRoute(environ, agent, file, run)
	if err != nil {
		return start{}, err
	}
	host := flags.EngineHost()
	if host == "" {
		host = file.Engine.Host
	}
	policy, policyErr := loadPolicy(flags.Policy)
	dns, dnsErr := task.ParseDefaultDNS(flags.DefaultContainerDNS)
	return start{
		mode:        task.DropIn,
		agent:       agent,
		route:       route,
		file:        file,
		fileErr:     fileErr,
		policy:      policy,
		policyErr:   policyErr,
		classes:     flags.Classes,
		engineHost:  host,
		sandbox:     run.Path,
		containerID: run.ContainerID,
		name:        flags.Container,
		mapped:      flags.MappedDirectory,
		enforceCFS:  flags.EnableCFS,
		taskEnv:     flags.TaskEnvironment,
		workDir:     run.WorkDir,
		dns:         dns,
		dnsErr:      wrap("--default_container_dns", dnsErr),
		flags:       flags,
	}, nil
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// briefly is the first problem of a file of the operator's. What is told to a framework, and written into a sandbox, is read by people
// whom the rest, such as other teams' names, does not concern.
func briefly(err error) error {
	if err == nil {
		return nil
	}
	first, rest, more := strings.Cut(err.Error(), "\n")
	if !more {
		return err
	}
	return fmt.Errorf("%s; there are more problems (%d lines), which `mesos-docker-executor check` on the host shows", first, 1+strings.Count(rest, "\n"))
}

// wrapEach is wrap with what before each of the lines.
func wrapEach(what string, err error) error {
	if err == nil {
		return nil
	}
	return errors.New(what + ": " + strings.ReplaceAll(err.Error(), "\n", "\n"+what+": "))
}

// pathFlag is a flag of the command with the path of a file, or the one before the command; "" when there is none.
func pathFlag(c *cli.Context, name string) (string, error) {
	for _, level := range c.Lineage() {
		if !level.IsSet(name) {
			continue
		}
		if path := level.String(name); path != "" {
			return path, nil
		}
		return "", cli.Exit(fmt.Sprintf("--%s: the path is empty", name), exitUsage)
	}
	return "", nil
}

// ownPathFlag is pathFlag of a command that people run: a path may be relative to their folder.
func ownPathFlag(c *cli.Context, name string) (string, error) {
	path, err := pathFlag(c, name)
	if path == "" || err != nil {
		return "", err
	}
	if path, err = filepath.Abs(path); err != nil {
		return "", cli.Exit(fmt.Sprintf("--%s: %v", name, err), exitUsage)
	}
	return path, nil
}

// loadConfig reads config.yaml. With unfit, the file is wrong and no task can start; it is then the defaults and what the
// section about the agent says, with which the executor can tell the framework. With err that section is not known, and the
// environment must not take its place: in drop-in mode it is the task's, and the task's server would get the token.
func loadConfig(path string) (file config.File, unfit, err error) {
	file, unfit = readConfig(path)
	if unfit == nil {
		return file, nil, nil
	}
	var wrong *config.Error
	if !errors.As(unfit, &wrong) || wrong.Agent == nil {
		return config.File{}, nil, fmt.Errorf("%w\nno agent is contacted: what config.yaml says about it is not known", unfit)
	}
	file = config.Default()
	file.Agent = *wrong.Agent
	return file, unfit, nil
}

// readConfig reads config.yaml at a path of --config or, for "", at its own.
func readConfig(path string) (config.File, error) {
	if path == "" {
		return config.Load(config.DefaultPath, false)
	}
	return config.Load(path, true)
}

// loadPolicy reads policy.yaml at a path of --policy or, for "", at its own.
func loadPolicy(path string) (*policyfile.File, error) {
	if path == "" {
		return policyfile.Load(policyfile.DefaultPath, false, time.Now())
	}
	return policyfile.Load(path, true, time.Now())
}

// loadClasses reads classes.yaml at a path of --classes or, for "", at its own.
func loadClasses(path string) (*classes.Registry, error) {
	if path == "" {
		return classes.Load(classes.DefaultPath, false)
	}
	return classes.Load(path, true)
}

// checkClassesThere is an error where config.yaml demands a class file and there is none.
func checkClassesThere(registry *classes.Registry, file config.File) error {
	if registry.Digest() != "" || !file.Cgroup.RequireClasses {
		return nil
	}
	return fmt.Errorf("%s: does not exist, and cgroup.require_classes of config.yaml demands it; put it there", classes.DefaultPath)
}

// policies are those that tasks are judged by. Without a policy there are none, and no task starts.
func (s start) policies() task.Policies {
	if s.policy == nil {
		return security.Policy{}
	}
	socket, _ := strings.CutPrefix(s.engineHost, "unix://")
	return hostPolicies{s.policy, []string{s.workDir, s.file.RunDirectory, socket}}
}

// hostPolicies are a file's policies on this host, which open neither the agent's work directory, with the sandboxes of other
// tasks, nor the executors' own folder, nor the engine's socket, unless by break_glass.
type hostPolicies struct {
	*policyfile.File
	closed []string
}

func (p hostPolicies) For(id security.Identity) (security.Policy, error) {
	policy, err := p.File.For(id)
	return policy.Denying(p.closed...), err
}

// sandboxSource is the lease through which Docker gets at the sandbox, as supervise makes it (supervise.LeasePath, which is
// for Linux only).
func sandboxSource(runDir, containerID string) string {
	return filepath.Join(runDir, "leases", containerID+".1")
}

// inputs are what the translation of the TaskInfo needs to know of this run.
func (s start) inputs() task.Inputs {
	return task.Inputs{
		Mode:            s.mode,
		ContainerID:     s.containerID,
		ContainerName:   s.name,
		Sandbox:         s.sandbox,
		SandboxSource:   sandboxSource(s.file.RunDirectory, s.containerID),
		MappedDirectory: s.mapped,
		WorkDir:         s.workDir,
		HostMemory:      hostMemory(),
		DefaultDNS:      s.dns,
		EnforceCFS:      s.enforceCFS,
		TaskEnvironment: s.taskEnv,
		Words:           s.words,
	}
}
