package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	mesos "github.com/mesos/mesos-go/api/v1/lib"
	"github.com/urfave/cli/v2"

	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security"
	"mesos-docker-executor/security/policyfile"
)

func policyDiffCommand() *cli.Command {
	return &cli.Command{
		Name:      "diff",
		Usage:     "show what another policy would change for recorded tasks",
		ArgsUsage: "OLD NEW",
		Description: "OLD and NEW are policy files, or the word " + builtInWord + ", or one of them - for stdin. The tasks are the files *.json of the\n" +
			"folder --tasks, each with a TaskInfo as for `explain`; the flag may be repeated, and folders in it are left alone. Both\n" +
			"policies decide over each, as `explain` does; no daemon is asked and no root is needed.\n\n" +
			"For each task that the change of policy concerns it prints whether it would be refused or accepted, the decisions that\n" +
			"go (-) and come (+), and what its container would get otherwise; of tasks to which the same happens it names the first, and\n" +
			"--json all. Tasks that it does not concern are counted. Before that it prints the keys of the rules that differ, for tasks\n" +
			"that no identity matches, and for those of the folder. What depends on the image is not known: it is judged after the pull.\n\n" +
			"Exit status: 0 no task is concerned, 1 some are, or the output cannot be written, 2 usage, or a file cannot be read: a\n" +
			"task that is no TaskInfo is named, and the others are compared.\n\n" +
			"Examples:\n" +
			"   mesos-docker-executor policy diff built-in docs/policies/strict.yaml --tasks testdata/tasks\n" +
			"   mesos-docker-executor policy diff --json --role web built-in docs/policies/strict.yaml --tasks testdata/tasks",
		Flags: []cli.Flag{
			&cli.StringSliceFlag{Name: "tasks", Usage: "`DIR` with recorded tasks"},
			&cli.StringFlag{Name: "mode", Value: string(task.DropIn), Usage: "`MODE` of their launch: drop-in or custom"},
			configFlag(),
			principalFlag(),
			roleFlag("each task's own"),
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print one JSON object"},
		},
		OnUsageError: usageError,
		Action:       policyDiff,
	}
}

func policyDiff(c *cli.Context) error {
	d, err := newPolicyDiff(c)
	if errors.Is(err, flag.ErrHelp) {
		return cli.ShowSubcommandHelp(c)
	}
	if err != nil {
		return cli.Exit("policy diff: "+err.Error(), exitUsage)
	}
	result, err := d.compare(showProgress(os.Stderr))
	if err != nil {
		return cli.Exit("policy diff: "+err.Error(), exitFail)
	}
	if c.Bool("json") {
		err = writeJSON(c.App.Writer, result)
	} else {
		result.print(c.App.Writer)
	}
	if err != nil {
		return cli.Exit(err.Error(), exitFail)
	}
	return cli.Exit("", result.status())
}

// comparison is what policy diff is asked for.
type comparison struct {
	old, new        readPolicy
	oldName         string // as they were named
	newName         string
	files           []string
	start           start // as explain has it
	principal, role string
}

// newPolicyDiff checks everything that can be wrong with the command line and the two policies.
func newPolicyDiff(c *cli.Context) (*comparison, error) {
	words, err := arguments(c)
	switch {
	case err != nil:
		return nil, err
	case len(words) != 2:
		return nil, fmt.Errorf("it takes two policies, OLD and NEW, and not %d; see --help", len(words))
	case words[0] == fromStdin && words[1] == fromStdin:
		return nil, errors.New("only one of OLD and NEW can be stdin")
	case len(c.StringSlice("tasks")) == 0:
		return nil, errors.New("--tasks is missing: the folder with the recorded tasks")
	}
	d := &comparison{oldName: nameOf(words[0]), newName: nameOf(words[1]), principal: c.String("principal"), role: c.String("role")}
	mode, err := parseMode(c.String("mode"))
	if err != nil {
		return nil, err
	}
	var oldErr, newErr, filesErr error
	file, configErr := configFlagged(c)
	d.old, oldErr = choosePolicy(words[0], c.App.Reader)
	d.new, newErr = choosePolicy(words[1], c.App.Reader)
	d.files, filesErr = taskFiles(c.StringSlice("tasks"))
	if err := errors.Join(oldErr, newErr, filesErr, configErr); err != nil {
		return nil, err
	}
	d.start, err = explainStart(mode, file)
	return d, err
}

// taskFiles lists the task files of the folders.
func taskFiles(folders []string) ([]string, error) {
	var files []string
	for _, folder := range folders {
		entries, err := os.ReadDir(folder)
		if err != nil {
			return nil, fmt.Errorf("--tasks: %w", err)
		}
		before := len(files)
		for _, entry := range entries {
			if strings.HasSuffix(entry.Name(), ".json") && !entry.IsDir() {
				files = append(files, filepath.Join(folder, entry.Name()))
			}
		}
		if len(files) == before {
			return nil, fmt.Errorf("--tasks: there is no file *.json in the folder %s", nameOf(folder))
		}
	}
	return files, nil
}

// policyChange is what policy diff prints.
type policyChange struct {
	Old   policyShown   `json:"old"`
	New   policyShown   `json:"new"`
	Rules []rulesChange `json:"rules"`
	Tasks []taskChange  `json:"tasks"` // those that the change concerns
	// Unread are the files that hold no TaskInfo, or cannot be read.
	Unread  []problem     `json:"unread,omitempty"`
	Summary changeSummary `json:"summary"`
	// NewByRule counts for each rule the tasks of which it rejects or trims what passed before.
	NewByRule map[string]int `json:"new_by_rule,omitempty"`
	// Unmatched are the entries of NEW's identities that no task goes by: what they say was not tried.
	Unmatched []policyfile.Entry `json:"unmatched,omitempty"`
	// AfterPull are the keys that differ and about which the image has a say: it is judged when it is there.
	AfterPull []string `json:"after_pull,omitempty"`
}

// rulesChange are the keys in which the rules for somebody differ.
type rulesChange struct {
	For     string   `json:"for"`
	Changes []change `json:"changes"`
}

type changeSummary struct {
	Tasks     int `json:"tasks"`
	Unchanged int `json:"unchanged"`
	Refused   int `json:"refused"`   // were accepted
	Accepted  int `json:"accepted"`  // were refused
	Otherwise int `json:"otherwise"` // are as before, but not quite
}

func (p policyChange) status() int {
	switch {
	case len(p.Unread) > 0:
		return exitUsage
	case len(p.Tasks) > 0:
		return exitFail
	}
	return exitOK
}

// compare has both policies decide over all tasks. progress is told how many of how many are done.
func (d *comparison) compare(progress func(done, of int)) (policyChange, error) {
	result := policyChange{
		Old: d.old.describe(d.old.allNotes()), New: d.new.describe(d.new.allNotes()),
		Rules: []rulesChange{}, Tasks: []taskChange{}, NewByRule: map[string]int{}, Unmatched: d.new.Entries(),
	}
	result.Old.File, result.New.File = d.oldName, d.newName
	if err := result.noteRules(d, "tasks that no identity matches", security.Identity{}); err != nil {
		return result, err
	}
	for i, file := range d.files {
		progress(i, len(d.files))
		info, err := readTask(file, d.start.mode)
		if err != nil {
			result.Unread = append(result.Unread, problem{Key: nameOf(file), Text: err.Error()})
			continue
		}
		if err := result.compareTask(d, file, info); err != nil {
			return result, fmt.Errorf("%s: %w", nameOf(file), err)
		}
	}
	progress(len(d.files), len(d.files))
	return result, nil
}

func readTask(file string, mode task.Mode) (mesos.TaskInfo, error) {
	data, err := readOperatorFile(file, nil)
	if err != nil {
		return mesos.TaskInfo{}, errors.New(strings.TrimPrefix(err.Error(), nameOf(file)+": "))
	}
	info, err := parseTask(data, mode)
	if err != nil {
		return info, err
	}
	return shapeTask(info, mode)
}

// noteRules notes in what the rules for an identity differ, unless the same is there already, or one of the policies has none for it:
// no such profile, which the findings say.
func (p *policyChange) noteRules(d *comparison, whom string, id security.Identity) error {
	old, oldErr := d.old.For(id)
	new, newErr := d.new.For(id)
	if oldErr != nil || newErr != nil {
		return nil
	}
	changes, err := changesBetween(rulesWithMode(old), rulesWithMode(new))
	if err != nil || len(changes) == 0 {
		return err
	}
	judgingImages := []string{"mode", "images.require_digest", "run_as_non_root", "denied_groups", "mounts.image_volumes"}
	for _, c := range changes {
		if slices.Contains(judgingImages, c.Path) && !slices.Contains(p.AfterPull, c.Path) {
			p.AfterPull = append(p.AfterPull, c.Path)
		}
	}
	text := func(list []change) string { return fmt.Sprint(list) }
	if !slices.ContainsFunc(p.Rules, func(r rulesChange) bool { return text(r.Changes) == text(changes) }) {
		p.Rules = append(p.Rules, rulesChange{whom, changes})
	}
	return nil
}

// rulesWithMode are a policy's rules with the mode that holds where none is written.
func rulesWithMode(p security.Policy) security.Rules {
	rules := p.Rules()
	rules.Mode = cmp.Or(rules.Mode, security.Enforce)
	return rules
}

func (p *policyChange) compareTask(d *comparison, file string, info mesos.TaskInfo) error {
	who := identify(&info, d.principal, d.role)
	if entry := d.new.Choose(who.trusted()).Entry; entry != nil {
		p.Unmatched = slices.DeleteFunc(p.Unmatched, func(e policyfile.Entry) bool { return e == *entry })
	}
	old, err := d.start.decideFor(info, who, d.old, nil)
	if err != nil {
		return err
	}
	new, err := d.start.decideFor(info, who, d.new, nil)
	if err != nil {
		return err
	}
	if err := p.noteRules(d, who.String(), who.trusted()); err != nil {
		return err
	}
	t, err := newTaskChange(file, who, old, new)
	if err != nil {
		return err
	}
	p.Summary.Tasks++
	switch t.Becomes {
	case "":
		p.Summary.Unchanged++
		return nil
	case becomesRefused:
		p.Summary.Refused++
	case becomesAccepted:
		p.Summary.Accepted++
	default:
		p.Summary.Otherwise++
	}
	p.Tasks = append(p.Tasks, t)
	for _, rule := range t.newRules() {
		p.NewByRule[rule]++
	}
	return nil
}
