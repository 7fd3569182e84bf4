package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security"
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
		Description: "TASK is a file with a TaskInfo as JSON, with the field names of mesos.proto. The same code decides as in `run`; nothing\n" +
			"is touched and neither agent nor engine is asked. Values of environment variables are not shown.\n\n" +
			"Exit status: 0 accepted, 1 refused, or the output cannot be written, 2 the file cannot be read.\n\n" +
			"Examples:\n" +
			"   mesos-docker-executor explain testdata/tasks/hello.json\n" +
			"   mesos-docker-executor explain --decisions testdata/tasks/hello.json\n" +
			"   mesos-docker-executor explain --mode custom --json testdata/tasks/hello.json",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "mode", Value: string(task.DropIn), Usage: "`MODE` of the launch: drop-in or custom"},
			&cli.StringFlag{Name: "config", Usage: "host configuration `FILE`; default " + config.DefaultPath + ", which may be missing"},
			&cli.BoolFlag{Name: "decisions", Usage: "show every decision of the review, not just rejections and trims"},
			&cli.BoolFlag{Name: "json", Usage: "print one JSON object"},
		},
		OnUsageError: usageError,
		Action:       explain,
	}
}

func explain(c *cli.Context) error {
	path, err := onlyArgument(c)
	if err != nil {
		return cli.Exit(err.Error(), exitUsage)
	}
	mode, err := parseMode(c.String("mode"))
	if err != nil {
		return err
	}
	raw, err := readTaskFile(path, mode)
	if err != nil {
		return err
	}
	configPath, err := ownPathFlag(c, "config")
	if err != nil {
		return err
	}
	file, err := readConfig(configPath)
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
	d := task.Decide(raw, s.inputs(), security.BuiltIn())
	report := newExplanation(d, c.Bool("decisions"))
	if c.Bool("json") {
		text, err := json.MarshalIndent(report, "", "  ")
		if err != nil {
			return cli.Exit(err.Error(), exitFail)
		}
		fmt.Fprintf(c.App.Writer, "%s\n", text) // the writer keeps the error
	} else {
		report.print(c.App.Writer, s.inputs().SandboxSource)
	}
	if d.Refusal != nil {
		return cli.Exit("", exitFail)
	}
	return nil
}

func parseMode(s string) (task.Mode, error) {
	if mode := task.Mode(s); mode == task.DropIn || mode == task.Custom {
		return mode, nil
	}
	return "", cli.Exit(fmt.Sprintf("--mode: %q is neither %q nor %q", s, task.DropIn, task.Custom), exitUsage)
}

// readTaskFile returns the TaskInfo's bytes as an agent would send them in this mode.
func readTaskFile(path string, mode task.Mode) ([]byte, error) {
	info, err := taskFromFile(path, mode)
	if err == nil {
		info, err = shapeTask(info, mode)
	}
	if err != nil {
		return nil, cli.Exit(err.Error(), exitUsage)
	}
	return info.Marshal()
}

func explainStart(mode task.Mode, file config.File) (start, error) {
	s := start{
		mode: mode, file: file, sandbox: explainSandbox, containerID: explainContainerID,
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

// explanation is what explain prints. Spec is nil when the task is refused.
type explanation struct {
	Accepted bool               `json:"accepted"`
	State    string             `json:"state,omitempty"`
	Reason   string             `json:"reason,omitempty"`
	Message  string             `json:"message,omitempty"`
	Notes    []string           `json:"notes,omitempty"`
	Findings []security.Finding `json:"findings,omitempty"`
	Create   *createRequest     `json:"create,omitempty"`
}

func newExplanation(d task.Decision, decisions bool) explanation {
	e := explanation{Accepted: d.Refusal == nil}
	for _, f := range d.Findings {
		// What is forced on every task is in the notes.
		if decisions || f.Action == security.Reject || f.Action == security.Trim {
			e.Findings = append(e.Findings, f)
		}
	}
	if d.Refusal != nil {
		e.State, e.Reason, e.Message = d.Refusal.State.String(), d.Refusal.Reason.String(), d.Refusal.Message
		return e
	}
	spec := d.Plan.Spec
	config := spec.Config
	config.Env = nil
	for _, variable := range spec.Config.Env {
		name, _, _ := strings.Cut(variable, "=")
		config.Env = append(config.Env, name+"=...")
	}
	e.Notes = d.Plan.Notes
	e.Create = &createRequest{spec.Name, config, spec.Host, spec.Network}
	return e
}

// print shows it as text, with the path sandbox called so, and each trim once: as a finding, which has its rule.
func (e explanation) print(w io.Writer, sandbox string) {
	if !e.Accepted {
		fmt.Fprintf(w, "refused: %s, %s\n", e.State, e.Reason)
	} else {
		fmt.Fprintln(w, "accepted")
		e.Create.print(w, sandbox)
	}
	for _, note := range e.Notes {
		if isFinding(note) {
			continue
		}
		fmt.Fprintln(w, "note:", note)
	}
	for _, f := range e.Findings {
		fmt.Fprintf(w, "%s: %s", f.Action, f.Message)
		fmt.Fprintf(w, " [rule %s%s]\n", f.Rule, prefixed("; ", f.Origin))
	}
}

// isFinding tells the notes that say what findings say from the others (task.Plan.Notes).
func isFinding(note string) bool {
	return slices.ContainsFunc([]string{"trimmed ", "break glass: ", "audit: "}, func(p string) bool { return strings.HasPrefix(note, p) }) ||
		strings.HasPrefix(note, "and ") && strings.HasSuffix(note, " more")
}

func prefixed(prefix, s string) string {
	if s == "" {
		return ""
	}
	return prefix + s
}
