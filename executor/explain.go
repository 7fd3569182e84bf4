package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/urfave/cli/v2"

	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/executor/report"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security"
	"mesos-docker-executor/security/policyfile"
)

// Placeholders of what only an agent knows.
const (
	explainContainerID = "00000000-0000-4000-8000-000000000000"
	explainWorkDir     = "/var/lib/mesos"
	explainSandbox     = explainWorkDir + "/slaves/AGENT/frameworks/FRAMEWORK/executors/EXECUTOR/runs/" + explainContainerID
)

func explainCommand() *cli.Command {
	return &cli.Command{
		Name:      "explain",
		Usage:     "print what would be created for a task, or every reason why not",
		ArgsUsage: "TASK",
		Description: "TASK is a file with a TaskInfo as JSON, with the field names of mesos.proto, or - for stdin. The same code decides as\n" +
			"in `run`; nothing is touched and neither agent nor engine is asked. Values of environment variables are not shown.\n\n" +
			"The policy is this host's, " + policyfile.DefaultPath + ", or the built-in one if there is none; --policy\n" +
			"takes another, which need not be root's. It decides as for a task of --principal and --role that a trusted agent sent;\n" +
			"Marathon's app ID is the one in the task's ID. The agent's work directory, which no policy opens to tasks, is taken to be\n" +
			explainWorkDir + ". --decisions has a line for each decision: what was done, with what field and value, by which\n" +
			"rule, where the policy says so, and where the task does.\n\n" +
			"The class ID that the task's container would get is by this host's class file, " + classes.DefaultPath + ", if\n" +
			"there is one, or by --classes, which need not be root's either. Whether a host can give it is not looked at: `try` shows that.\n\n" +
			"Exit status: 0 accepted, 1 refused, or the output cannot be written, 2 usage, or a file cannot be read.\n\n" +
			"Examples:\n" +
			"   mesos-docker-executor explain testdata/tasks/hello.json\n" +
			"   mesos-docker-executor explain --decisions testdata/tasks/hello.json\n" +
			"   mesos-docker-executor explain --policy docs/policies/strict.yaml --role web testdata/tasks/hello.json\n" +
			"   mesos-docker-executor explain --classes docs/classes/two-clusters.yaml --role data testdata/tasks/hello.json\n" +
			"   mesos-docker-executor explain --mode custom --json testdata/tasks/hello.json",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "mode", Value: string(task.DropIn), Usage: "`MODE` of the launch: drop-in or custom"},
			configFlag(),
			&cli.StringFlag{Name: "policy", DefaultText: "this host's", Usage: "policy `FILE`, or " + builtInWord + ", or - for stdin"},
			classesFlag(),
			principalFlag(),
			roleFlag("the task's own"),
			&cli.BoolFlag{Name: "decisions", Usage: "show every decision of the review, not just rejections and trims"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object"},
		},
		OnUsageError: usageError,
		Action:       explain,
	}
}

func configFlag() cli.Flag {
	return &cli.StringFlag{Name: "config", Usage: "host configuration `FILE`; default " + config.DefaultPath + ", which may be missing"}
}

// configFlagged reads the config.yaml that --config names, or this host's.
func configFlagged(c *cli.Context) (config.File, error) {
	path, err := ownPathFlag(c, "config")
	if err != nil {
		return config.File{}, err
	}
	return readConfig(path)
}

func principalFlag() cli.Flag {
	return &cli.StringFlag{Name: "principal", DefaultText: "none", Usage: "the framework's `PRINCIPAL`"}
}

func roleFlag(without string) cli.Flag {
	return &cli.StringFlag{Name: "role", DefaultText: without, Usage: "`ROLE` that the task's resources are allocated to"}
}

func explain(c *cli.Context) error {
	path, err := onlyArgument(c)
	if errors.Is(err, flag.ErrHelp) {
		return cli.ShowSubcommandHelp(c)
	}
	if err != nil {
		return cli.Exit(err.Error(), exitUsage)
	}
	mode, err := parseMode(c.String("mode"))
	if err != nil {
		return err
	}
	if countOf(fromStdin, path, c.String("policy"), c.String("classes")) > 1 {
		return cli.Exit("explain: only one of TASK, --policy and --classes can be stdin", exitUsage)
	}
	info, err := shapedTaskFile(path, mode, c.App.Reader)
	if err != nil {
		return cli.Exit(err.Error(), exitUsage)
	}
	file, err := configFlagged(c)
	if err != nil {
		return cli.Exit(err.Error(), exitUsage)
	}
	policy, err := policyFlag(c)
	if err != nil {
		return cli.Exit(err.Error(), exitUsage)
	}
	registry, err := classesFlagged(c)
	if err == nil {
		err = checkClassesThere(registry.Registry, file)
	}
	if err != nil {
		return cli.Exit(err.Error(), exitUsage)
	}
	if file.Agent != config.Default().Agent {
		say("explain does not use the section agent of config.yaml; try loads the files of agent.tls")
	}
	s, err := explainStart(mode, file)
	if err != nil {
		return err
	}
	who := identify(&info, c.String("principal"), c.String("role"))
	d, err := s.decideFor(info, who, policy, registry)
	if err != nil {
		return cli.Exit(err.Error(), exitUsage)
	}
	e := newExplanation(d, c.Bool("decisions"))
	e.Classes = registry.describe()
	e.Policy, e.Identity, e.Choice = policy.describe(policy.NotesFor(who.trusted())), who, policy.Choose(who.trusted())
	if own, err := policy.For(who.trusted()); err == nil { // else a finding says why
		e.Mode = rulesWithMode(own).Mode
	}
	if c.Bool("json") {
		err = writeJSON(c.App.Writer, e)
	} else {
		e.print(c.App.Writer, s.inputs().SandboxSource)
	}
	if err != nil {
		return cli.Exit(err.Error(), exitFail)
	}
	if d.Refusal != nil {
		return cli.Exit("", exitFail)
	}
	return nil
}

// identityShown is what the policy goes by, as explain and `policy diff` take it.
type identityShown struct {
	Principal string `json:"principal,omitempty"`
	Role      string `json:"role,omitempty"`
	AppID     string `json:"app_id,omitempty"`
	Profile   string `json:"profile,omitempty"`
}

// identify gives the task the role, unless that is "", and says what is to be known of who it is of.
func identify(info *mesos.TaskInfo, principal, role string) identityShown {
	if role != "" {
		allocate(info, role)
	}
	who := identityShown{Principal: principal, AppID: task.MarathonAppID(info.TaskID.Value), Profile: report.Printable(task.Profile(info))}
	if len(info.Resources) > 0 {
		who.Role = info.Resources[0].GetAllocationInfo().GetRole()
	}
	return who
}

// allocate gives all resources of a task and of its executor the role: with two, the task would be refused.
func allocate(info *mesos.TaskInfo, role string) {
	resources := [][]mesos.Resource{info.Resources}
	if info.Executor != nil {
		resources = append(resources, info.Executor.Resources)
	}
	for _, some := range resources {
		for i := range some {
			some[i].AllocationInfo = &mesos.Resource_AllocationInfo{Role: &role}
		}
	}
}

// trusted is the identity as of a trusted agent.
func (i identityShown) trusted() security.Identity {
	return security.Identity{Principal: i.Principal, Role: i.Role, AppID: i.AppID, Profile: i.Profile, Trusted: true}
}

func (i identityShown) String() string {
	var parts []string
	for _, part := range []struct{ name, value string }{{"principal", i.Principal}, {"role", i.Role}, {"app", i.AppID}, {"profile", i.Profile}} {
		if part.value != "" {
			parts = append(parts, part.name+" "+part.value)
		}
	}
	if len(parts) == 0 {
		return "nobody in particular"
	}
	return strings.Join(parts, ", ")
}

// decideFor decides by the files over the task as for one that a trusted agent sent. Class IDs may be nil.
func (s start) decideFor(info mesos.TaskInfo, who identityShown, policy readPolicy, classIDs task.Classes) (task.Decision, error) {
	raw, err := info.Marshal()
	if err != nil {
		return task.Decision{}, err
	}
	s.policy = policy.File
	in := s.inputs()
	in.Principal, in.Trusted, in.Classes = who.Principal, true, classIDs
	return task.Decide(raw, in, s.policies()), nil
}

// countOf counts the words that are the same as one.
func countOf(one string, words ...string) int {
	count := 0
	for _, word := range words {
		if word == one {
			count++
		}
	}
	return count
}

func parseMode(s string) (task.Mode, error) {
	if mode := task.Mode(s); mode == task.DropIn || mode == task.Custom {
		return mode, nil
	}
	return "", cli.Exit(fmt.Sprintf("--mode: %q is neither %q nor %q", s, task.DropIn, task.Custom), exitUsage)
}

// shapedTaskFile returns the TaskInfo as an agent would send it in this mode.
func shapedTaskFile(path string, mode task.Mode, stdin io.Reader) (mesos.TaskInfo, error) {
	info, err := taskFrom(path, mode, stdin)
	if err != nil {
		return info, err
	}
	return shapeTask(info, mode)
}

func taskFrom(path string, mode task.Mode, stdin io.Reader) (mesos.TaskInfo, error) {
	if path != fromStdin {
		return taskFromFile(path, mode)
	}
	data, err := readOperatorFile(fromStdin, stdin)
	if err != nil {
		return mesos.TaskInfo{}, err
	}
	info, err := parseTask(data, mode)
	return info, wrapEach(nameOf(fromStdin), err)
}

func explainStart(mode task.Mode, file config.File) (start, error) {
	s := start{
		mode: mode, file: file, sandbox: explainSandbox, containerID: explainContainerID,
		engineHost: file.Engine.Host,
		name:       "mesos-" + explainContainerID,
		mapped:     file.Container.MappedDirectory,
		enforceCFS: file.Container.EnforceCFS,
		workDir:    explainWorkDir,
	}
	if mode == task.Custom {
		dns, err := task.ParseDefaultDNS(file.Container.DefaultDNS)
		if err != nil {
			return start{}, cli.Exit(fmt.Sprintf("config.yaml: container.default_dns: %v", err), exitUsage)
		}
		s.dns = dns
		s.name = file.Container.NamePrefix + "-" + explainContainerID
	}
	return s, nil
}
