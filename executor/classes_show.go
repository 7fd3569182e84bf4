package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/urfave/cli/v2"

	"mesos-docker-executor/cgroupnet/classes"
)

func classesShowCommand() *cli.Command {
	return &cli.Command{
		Name:  "show",
		Usage: "print the class IDs of classes.yaml as a table",
		Description: "The file is this host's, " + classes.DefaultPath + "; --classes takes another, which need not be root's.\n" +
			"First it says of the file whether class IDs are required, what becomes of tasks without a line (unknown), and its digest.\n" +
			"Then each class has a line, in the order of the numbers: as in the file and as tc prints it, whose it is, and the line of\n" +
			"the file. Kinds: app; default, of the team's tasks that have no line of their own; retired, never to be used again; and\n" +
			"retired team, of which the major is shown. It needs no root, and works on macOS too.\n\n" +
			"Exit status: 0 shown, 1 there is no file, or the output cannot be written, 2 usage, or the file cannot be read.\n\n" +
			"Examples:\n" +
			"   mesos-docker-executor classes show --classes docs/classes/two-clusters.yaml\n" +
			"   mesos-docker-executor classes show --classes docs/classes/two-clusters.yaml --team web --cluster gra1 --json",
		Flags: []cli.Flag{
			classesFlag(),
			&cli.StringFlag{Name: "team", DefaultText: "all", Usage: "`TEAM`, of all clusters that have it, or CLUSTER/TEAM"},
			clusterFlag("all"),
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print one JSON object"},
		},
		OnUsageError: usageError,
		Action:       classesAction(classesShow),
	}
}

func classesShow(c *cli.Context, r readClasses) error {
	named, err := teamFlagged(c, r)
	if err != nil {
		return classesError(c, err)
	}
	table := classTable{Classes: r.describe(), IDs: []classRow{}}
	for _, row := range r.rows() {
		if (named.cluster == "" || named.cluster == row.Cluster) && (named.team == "" || named.team == row.Team) {
			table.IDs = append(table.IDs, row)
		}
	}
	slices.SortStableFunc(table.IDs, func(a, b classRow) int { return cmp.Compare(a.id, b.id) })
	if !c.Bool("json") {
		table.print(c.App.Writer)
		return nil
	}
	if err := writeJSON(c.App.Writer, table); err != nil {
		return cli.Exit(err.Error(), exitFail)
	}
	return nil
}

// classTable is what classes show prints.
type classTable struct {
	Classes classesShown `json:"classes"`
	IDs     []classRow   `json:"ids"`
}

// classRow is a class of the file, or of a retired team its major.
type classRow struct {
	id      classes.ID
	ID      string            `json:"id"`
	TC      string            `json:"tc"`
	Cluster string            `json:"cluster"`
	Team    string            `json:"team"`
	App     string            `json:"app,omitempty"`
	Line    int               `json:"line"`
	Kind    classes.OwnerKind `json:"kind"` // app, default, retired, retired team
}

func (t classTable) print(out io.Writer) {
	t.Classes.print(out)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "class\ttc\tcluster\tteam\tapp\tkind\tline")
	for _, row := range t.IDs {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\n", row.ID, row.TC, row.Cluster, escaped(row.Team), cmp.Or(escaped(row.App), "-"), row.Kind, row.Line)
	}
	_ = w.Flush() // the writer keeps the error
}

// rows are all classes of the file, and the majors of the teams of the past.
func (r readClasses) rows() []classRow {
	var rows []classRow
	for _, o := range r.Classes() {
		rows = append(rows, classRow{o.ID, o.ID.String(), o.ID.TC(), o.Cluster, o.Team, o.App, o.Line, o.Kind})
	}
	for _, t := range r.RetiredTeams() {
		id := classes.ID(t.Major) << 16
		rows = append(rows, classRow{id, classes.MajorString(t.Major), classes.TCMajor(t.Major), t.Cluster, t.Name, "", t.Line, classes.OwnerRetiredTeam})
	}
	return rows
}
