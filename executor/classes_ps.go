package main

import (
	"cmp"
	"fmt"
	"io"
	"path"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/executor/config"
)

func classesPSCommand() *cli.Command {
	return &cli.Command{
		Name:  "ps",
		Usage: "list the tasks of this host by their class IDs, from the kernel's cgroups",
		Description: "Neither the Docker daemon nor an agent is asked. Each task of this program has a line, also one without a class (but not one\n" +
			"that is older than the mount of net_cls), and so has every other cgroup that has a class: whose it is by the class file, the\n" +
			"Mesos container ID, how many processes there are, and the name of the first. The file is this host's,\n" +
			classes.DefaultPath + ", if there is one, or that of --classes; the cgroups of tasks are found by\n" +
			"cgroup.root of config.yaml.\n\n" +
			"What is not as it has to be is said at the end of its line: a class that the file gives to nobody, and a task with another\n" +
			"class than its cgroup's path says, or without one. A cgroup below a task's has a line of its own only if its class differs.\n" +
			"It works on Linux only, and needs no root.\n\n" +
			"Exit status: 0 listed, 1 something is wrong, the host has no network classes, or the output cannot be written, 2 usage, or a\n" +
			"file cannot be read; this host's class file may be wrong: it is said, and the list has no owners then.\n\n" +
			"Examples:\n" +
			"   mesos-docker-executor classes ps\n" +
			"   mesos-docker-executor classes ps --json --classes docs/classes/two-clusters.yaml",
		Flags: []cli.Flag{
			classesFlag(),
			configFlag(),
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print one JSON object"},
		},
		OnUsageError: usageError,
		Action:       classesPS,
	}
}

// classList is what classes ps prints.
type classList struct {
	Classes classesShown `json:"classes"`
	Problem string       `json:"problem,omitempty"` // why this host's class file is not used
	Cgroups []classedRow `json:"cgroups"`
}

// classedRow is a cgroup whose class is not that of the one above, or that is a task's.
type classedRow struct {
	ID        string `json:"id"`
	TC        string `json:"tc"`
	Cluster   string `json:"cluster,omitempty"`
	Team      string `json:"team,omitempty"`
	App       string `json:"app,omitempty"`
	Container string `json:"container_id,omitempty"` // of Mesos; empty: it is no task of this program
	Processes int    `json:"processes"`
	Command   string `json:"command,omitempty"` // name of the first process
	Cgroup    string `json:"cgroup"`
	Wrong     string `json:"wrong,omitempty"`
}

func (l classList) status() int {
	if l.Problem != "" {
		return exitFail
	}
	for _, row := range l.Cgroups {
		if row.Wrong != "" {
			return exitFail
		}
	}
	return exitOK
}

func (l classList) print(out io.Writer) {
	if l.Problem != "" {
		fmt.Fprintf(out, "classes: none: %s\n", strings.ReplaceAll(l.Problem, "\n", "\nclasses: none: "))
	} else {
		l.Classes.print(out)
	}
	if len(l.Cgroups) == 0 {
		fmt.Fprintln(out, "no task runs, and no cgroup has a class")
		return
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "class\ttc\tteam\tapp\tcontainer\tprocesses\tcommand\tcgroup")
	for _, row := range l.Cgroups {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s%s\n", row.ID, row.TC, cmp.Or(escaped(row.Team), "-"), cmp.Or(escaped(row.App), "-"),
			cmp.Or(escaped(row.Container), "-"), row.Processes, cmp.Or(escaped(row.Command), "-"), escaped(row.Cgroup), prefixed("  wrong: ", row.Wrong))
	}
	_ = w.Flush() // the writer keeps the error
}

// taskOf says of which task a cgroup is, and whether it is below the task's own.
func taskOf(cgroup, root string) (leaf cgroupnet.Leaf, below, ok bool) {
	for at := cgroup; len(at) > 1; at = path.Dir(at) {
		if leaf, ok := cgroupnet.LeafOf(at, root); ok {
			return leaf, at != cgroup, true
		}
	}
	return cgroupnet.Leaf{}, false, false
}

// newClassedRow says whose a cgroup is, and what is wrong with its class by the path and the file.
func newClassedRow(cgroup string, class classes.ID, root string, r readClasses) classedRow {
	row := classedRow{ID: class.String(), TC: class.TC(), Cgroup: cgroup}
	leaf, below, isTasks := taskOf(cgroup, root)
	if isTasks {
		row.Container = leaf.ContainerID
	}
	said := classes.ID(leaf.Class)
	var owner classes.Owner
	if r.Registry != nil && r.isThere() && class != 0 {
		owner = r.Lookup(class)
		row.Cluster, row.Team, row.App = owner.Cluster, owner.Team, owner.App
	}
	switch {
	case isTasks && !leaf.Nested && class != said && class == 0:
		row.Wrong = fmt.Sprintf("it has no class, and its path says %s", said)
	case isTasks && !leaf.Nested && class != said:
		row.Wrong = fmt.Sprintf("its path says %s", said)
	case isTasks && leaf.Nested && below:
		row.Wrong = "the task's cgroup above has another class"
	case owner.Kind == classes.OwnerNone, owner.Kind == classes.OwnerTeam, owner.Kind == classes.OwnerSpecial:
		row.Wrong = "not in " + r.Name() + ": " + strings.TrimPrefix(owner.String(), fmt.Sprintf("%s (tc %s): ", class, class.TC()))
	case owner.Kind == classes.OwnerRetired, owner.Kind == classes.OwnerRetiredTeam:
		row.Wrong = "retired (" + owner.Place + ")"
	}
	return row
}

// classesForPS reads the class file. That of this host may be missing or wrong: what runs here is to be seen all the same.
func classesForPS(c *cli.Context, file config.File) (r readClasses, problem string, err error) {
	r, err = classesFlagged(c)
	if err == nil {
		err = checkClassesThere(r.Registry, file)
	}
	if err != nil && !c.IsSet("classes") {
		return readClasses{Registry: classes.None(classes.DefaultPath)}, err.Error(), nil
	}
	return r, "", err
}
