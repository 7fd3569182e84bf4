package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
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
	for _, t := range r.teams() {
		if (named.cluster == "" || named.cluster == t.cluster) && (named.team == "" || named.team == t.name) {
			table.IDs = append(table.IDs, t.rows...)
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
	Class   string            `json:"class"`
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
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\n", row.Class, row.TC, row.Cluster, escaped(row.Team), cmp.Or(escaped(row.App), "-"), row.Kind, row.Line)
	}
	_ = w.Flush() // the writer keeps the error
}

// teamRows are the classes of a team that is, or was, in one cluster.
type teamRows struct {
	cluster, name string
	rows          []classRow
}

// teams lists those of the past as well.
func (r readClasses) teams() []teamRows {
	var list []teamRows
	current := map[uint16]bool{}
	for _, t := range r.Teams() {
		current[t.Major] = true
		rows := []classRow{newClassRow(t, classes.OwnerDefault, classes.App{ID: t.Default, Line: lineOf(r.Lookup(t.Default).Place)})}
		for _, app := range t.Apps {
			rows = append(rows, newClassRow(t, classes.OwnerApp, app))
		}
		for _, app := range t.Retired {
			rows = append(rows, newClassRow(t, classes.OwnerRetired, app))
		}
		list = append(list, teamRows{t.Cluster, t.Name, rows})
	}
	return append(list, r.pastTeams(current)...)
}

func newClassRow(t classes.Team, kind classes.OwnerKind, app classes.App) classRow {
	return classRow{app.ID, app.ID.String(), app.ID.TC(), t.Cluster, t.Name, app.Name, app.Line, kind}
}

// pastTeams asks for all majors that are nobody's now: a registry has no list of those that are retired, but it knows them.
func (r readClasses) pastTeams(current map[uint16]bool) (list []teamRows) {
	for major := uint16(1); major < math.MaxUint16; major++ {
		if current[major] {
			continue
		}
		if o := r.Lookup(classOf(major)); o.Kind == classes.OwnerRetiredTeam {
			id := classes.ID(major) << 16
			row := classRow{id, classes.MajorString(major), tcMajor(major), o.Cluster, o.Team, "", lineOf(o.Place), o.Kind}
			list = append(list, teamRows{o.Cluster, o.Team, []classRow{row}})
		}
	}
	return list
}
