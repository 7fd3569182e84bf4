package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/gogo/protobuf/jsonpb"
	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/urfave/cli/v2"

	"mesos-docker-executor/executor/agenttls"
	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/executor/enginefault"
	"mesos-docker-executor/executor/localagent"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security/policyfile"
)

func tryCommand() *cli.Command {
	var killAfter, timeout span
	var wanted faults
	return &cli.Command{
		Name:      "try",
		Usage:     "run one task without Mesos and show what happens",
		ArgsUsage: "TASK",
		Description: "TASK is a file with a TaskInfo as JSON, with the field names of mesos.proto and a command. This program starts itself as\n" +
			"the executor, with the environment and the flags that an agent sets, and plays the agent: it launches the task,\n" +
			"acknowledges the updates and shows all of it, and the task's output, with the seconds since the start. It needs root.\n" +
			"It makes no persistent volumes, and of the section agent of config.yaml it only loads the files of agent.tls.\n\n" +
			"The policy is --policy, else this host's, " + policyfile.DefaultPath + ", or the built-in one if there is none. The\n" +
			"word " + builtInWord + " is for the built-in one whatever the host has: try writes it into its work directory. The framework's\n" +
			"principal and the role of the task's resources, by which a policy can go, are --principal and --role.\n\n" +
			"The class file, by which the container gets its class ID, is --classes, else this host's, if there is one.\n\n" +
			"The engine is --engine, else DOCKER_HOST, else the one of config.yaml. A launch waits engine.launch_wait for it to answer;\n" +
			fmt.Sprintf("without a config.yaml and without --fault that is %.0f s here. A probe under way is waited for as well.\n\n", impatience.Seconds()) +
			"The first interrupt (Ctrl-C) shuts the executor down, the second destroys it. When the output cannot be written, or its\n" +
			"reader goes away (| head -1), the executor is shut down as well. With an engine that hangs, the task still ends in its\n" +
			fmt.Sprintf("grace period, but the clean-up takes up to %.0f s more.\n\n", (lingerLimit+askLimit).Seconds()) +
			"Nothing is left behind, with two exceptions. What an engine that hangs does not remove is named in the result, and goes\n" +
			"with a later try. And when try itself is killed by SIGKILL, the executor begins to end its task " +
			fmt.Sprintf("%.0f s later, with the\n", recoveryTimeout.Seconds()) +
			"task's grace period, and ends itself some seconds after the task (more with an engine that hangs); the folder\n" +
			workPrefix + "* in $TMPDIR (or /tmp) stays until the next try.\n\n" +
			"With --fault the executor's engine is sick: its calls pass through a proxy that delays, holds, cuts or changes them. The engine\n" +
			"itself is not touched, and try's own clean-up goes to it directly. --fault help lists the verbs and actions.\n\n" +
			"With --json each line is an object with \"t\", the seconds since the start, and one of these; what is empty is left out:\n" +
			"   event   from (agent, executor, engine, try), name, text, code (HTTP status), again (said before)\n" +
			"   status  state, source, reason, message, healthy, ips and class_id (of the\n" +
			"           container), again\n" +
			"   log     from (stdout and stderr of the task, executor), line\n" +
			"   result  state, reason, message, left (what could not be cleaned up), exit_status; always the last one\n\n" +
			"Exit status: 0 for TASK_FINISHED, or TASK_KILLED after --kill-after; 1 for any other end, or when something could not be\n" +
			"cleaned up, as when the engine hangs, or the output not be written; 2 when nothing was begun.\n\n" +
			"Examples:\n" +
			"   mesos-docker-executor try testdata/tasks/hello.json\n" +
			"   mesos-docker-executor try --mode custom testdata/tasks/hello.json\n" +
			"   mesos-docker-executor try --kill-after 3s testdata/tasks/kill-me.json\n" +
			"   mesos-docker-executor try --fault start=delay:2s --fault remove#1=500 testdata/tasks/hello.json\n" +
			"   mesos-docker-executor try --json testdata/tasks/hello.json",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "mode", Value: string(task.DropIn), Usage: "`MODE` of the launch: drop-in or custom"},
			&cli.GenericFlag{Name: "kill-after", Value: &killAfter, DefaultText: "never", Usage: "kill the task this long after LAUNCH; a `DURATION` such as 3s"},
			&cli.GenericFlag{Name: "timeout", Value: &timeout, DefaultText: "never", Usage: "shut the executor down after this `DURATION`"},
			&cli.GenericFlag{Name: "fault", Value: &wanted, DefaultText: "none", Usage: "let the engine be sick in this way, such as start#1=delay:10s; may be repeated; `FAULT` help lists all"},
			&cli.StringFlag{Name: "framework", DefaultText: "one with TASK_KILLING_STATE", Usage: "`FILE` with the FrameworkInfo as JSON"},
			&cli.StringFlag{Name: "engine", Usage: "Docker Engine, `unix:///PATH`"},
			&cli.StringFlag{Name: "config", DefaultText: config.DefaultPath + ", which may be missing", Usage: "host configuration `FILE`"},
			&cli.StringFlag{Name: "policy", DefaultText: "this host's", Usage: "security policy `FILE`, of root's as on a host, or " + builtInWord},
			&cli.StringFlag{Name: "classes", DefaultText: "this host's", Usage: "class `FILE`, of root's as on a host"},
			&cli.StringFlag{Name: "principal", DefaultText: "the one of --framework, or try", Usage: "the framework's `PRINCIPAL`"},
			roleFlag("the task's own, or the framework's"),
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print one JSON object per line"},
			&cli.BoolFlag{Name: "keep", DisableDefaultText: true, Usage: "leave the agent's work directory, and say where in it the sandbox and the report are"},
		},
		OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			t, err := newTrial(c, &killAfter, &timeout, &wanted)
			switch {
			case errors.Is(err, flag.ErrHelp):
				return cli.ShowSubcommandHelp(c)
			case errors.Is(err, errFaultHelp):
				_, err := io.WriteString(c.App.Writer, enginefault.Help())
				return err
			}
			if err != nil {
				return cli.Exit("try: "+err.Error(), exitUsage)
			}
			return cli.Exit("", t.run(c.Context))
		},
	}
}

// trial is one run of `try`.
type trial struct {
	mode       task.Mode
	task       mesos.TaskInfo
	framework  mesos.FrameworkInfo
	file       config.File // the executor's configuration, written out for it
	configured bool        // there is a config.yaml
	policy     string      // absolute path of the policy.yaml that was named, or built-in; "" for the host's
	classes    string      // absolute path of the classes.yaml that was named; "" for the host's
	executable string
	killAfter  time.Duration // 0: not at all
	timeout    time.Duration // 0: none
	faults     []enginefault.Rule
	keep       bool
	out        *output
	show       display
}

// newTrial checks everything that can be wrong with the command line, so that nothing is begun with it.
func newTrial(c *cli.Context, killAfter, timeout *span, wanted *faults) (*trial, error) {
	path, err := onlyArgument(c) // it parses the flags behind the task as well
	if wanted.help {
		return nil, errFaultHelp
	}
	if err != nil {
		return nil, err
	}
	t := &trial{killAfter: time.Duration(*killAfter), timeout: time.Duration(*timeout), faults: wanted.rules, keep: c.Bool("keep")}
	if t.mode, err = parseMode(c.String("mode")); err != nil {
		return nil, err
	}
	if t.task, err = taskFromFile(path, t.mode); err != nil {
		return nil, err
	}
	if err := noPersistentVolumes(t.task); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if t.framework, err = frameworkFromFile(c.String("framework")); err != nil {
		return nil, err
	}
	configPath, err := ownPathFlag(c, "config")
	if err != nil {
		return nil, err
	}
	file, err := readConfig(configPath)
	if err != nil {
		return nil, err
	}
	t.identify(c)
	t.configured = configPath != "" || exists(config.DefaultPath)
	if t.policy, err = tryPolicy(c); err != nil {
		return nil, err
	}
	if t.classes, err = tryClasses(c); err != nil {
		return nil, err
	}
	if t.file, err = tryConfig(file, c.String("engine"), os.Getenv("DOCKER_HOST")); err != nil {
		return nil, err
	}
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		return nil, errors.New("an executor makes cgroups and talks to the Docker Engine: run this as root, on Linux")
	}
	if err := checkUnusedAgent(file); err != nil {
		return nil, err
	}
	if t.executable, err = os.Executable(); err != nil {
		return nil, fmt.Errorf("cannot find its own file to start it as the executor: %w", err)
	}
	t.out = newOutput(c.App.Writer)
	t.show = newDisplay(t.out, isTerminal(c.App.Writer), c.Bool("json"))
	return t, nil
}

// identify gives framework and task the principal and the role that were named.
func (t *trial) identify(c *cli.Context) {
	if c.IsSet("principal") {
		principal := c.String("principal")
		t.framework.Principal = &principal
	}
	if role := c.String("role"); role != "" {
		allocate(&t.task, role)
		t.framework.Roles, t.framework.Role = []string{role}, nil
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

func taskFromFile(path string, mode task.Mode) (mesos.TaskInfo, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return mesos.TaskInfo{}, err
	}
	info, err := parseTask(data, mode)
	return info, wrapEach(path, err)
}

func parseTask(data []byte, mode task.Mode) (mesos.TaskInfo, error) {
	info, err := task.FromJSON(data)
	if err == nil {
		_, err = shapeTask(info, mode) // its errors are errors of the file
	}
	if err != nil {
		return mesos.TaskInfo{}, err
	}
	return info, nil
}

// shapeTask returns the task as an agent sends it to the executor in this mode.
func shapeTask(info mesos.TaskInfo, mode task.Mode) (mesos.TaskInfo, error) {
	return localagent.Complete(localagent.Options{Mode: localagent.Mode(mode), Task: info, Executable: "/usr/libexec/mesos/mesos-docker-executor"})
}

func frameworkFromFile(path string) (mesos.FrameworkInfo, error) {
	framework := localagent.DefaultFramework()
	if path == "" {
		return framework, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return framework, err
	}
	defer file.Close()
	framework = mesos.FrameworkInfo{}
	if err := jsonpb.Unmarshal(file, &framework); err != nil {
		return framework, fmt.Errorf("%s: not a FrameworkInfo: %w", path, err)
	}
	if framework.User == "" {
		framework.User = "root"
	}
	return framework, nil
}

// noPersistentVolumes refuses what an agent would have made ready: try makes none.
func noPersistentVolumes(info mesos.TaskInfo) error {
	for i, r := range info.Resources {
		if r.Disk != nil && r.Disk.Persistence != nil {
			return fmt.Errorf("resources[%d].disk.persistence: try makes no persistent volumes, and %q is one; leave it out, or use a volume with a relative host_path, which is a folder of the sandbox", i, r.Disk.Persistence.ID)
		}
	}
	return nil
}

// checkUnusedAgent says that the section agent pins nothing here, and loads the files of its TLS as an executor would, so
// that they can be checked before a rollout.
func checkUnusedAgent(file config.File) error {
	if file.Agent == config.Default().Agent {
		return nil
	}
	say("try is the agent, so it does not use the section agent of config.yaml; it only loads the files of agent.tls")
	settings, _ := file.AgentTLS()
	if settings == nil {
		return nil
	}
	_, err := agenttls.New(agenttls.Options(*settings), explainWorkDir)
	return err
}

// tryPolicy reads the policy as the executor will, so that nothing is begun with a wrong one, and returns its path if one is named, or
// the word for the built-in one.
func tryPolicy(c *cli.Context) (string, error) {
	if named, err := pathFlag(c, "policy"); named == builtInWord || err != nil {
		return named, err
	}
	path, err := ownPathFlag(c, "policy")
	if err == nil {
		_, err = loadPolicy(path)
	}
	return path, err
}

// tryClasses reads the class file as the executor will, and returns its path if one is named.
func tryClasses(c *cli.Context) (string, error) {
	path, err := ownPathFlag(c, "classes")
	if err == nil {
		_, err = loadClasses(path)
	}
	return path, err
}

// tryConfig is the host's configuration with the engine that was asked for, and without what pins the agent: ours has a
// port of its own, and no TLS.
func tryConfig(file config.File, flagHost, environmentHost string) (config.File, error) {
	file.Agent.Endpoint, file.Agent.DomainSocket, file.Agent.TLS = "", "", config.Default().Agent.TLS
	source, host := "--engine", flagHost
	if host == "" {
		source, host = "DOCKER_HOST", environmentHost
	}
	if host == "" {
		return file, nil
	}
	if socket, ok := strings.CutPrefix(host, "unix://"); !ok || !strings.HasPrefix(socket, "/") {
		return file, fmt.Errorf("%s: %q is not unix:///PATH, the only kind of engine that an executor uses", source, host)
	}
	file.Engine.Host = host
	return file, nil
}
