package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"mesos-docker-executor/cgroupnet/classes"
)

func classesAllocateCommand() *cli.Command {
	return &cli.Command{
		Name:  "allocate",
		Usage: "print the line that gives an app the next free class ID of its team",
		Description: "It prints two lines: the one to write, as it is, and where it goes. Nothing is written and nothing is reserved: the ID is\n" +
			"the app's once its line is in the file, which is this host's, " + classes.DefaultPath + ", or that of\n" +
			"--classes. An app is named by its Marathon app ID, such as /web/shop, or by a name that an entry of identities has. It needs\n" +
			"no root, and works on macOS too.\n\n" +
			"Exit status: 0 printed, 1 the app has a class ID, or the team has no free one, or there is no file, or the output cannot be\n" +
			"written, 2 usage, a team or name that cannot be, or the file cannot be read.\n\n" +
			"Examples:\n" +
			"   mesos-docker-executor classes allocate --classes docs/classes/two-clusters.yaml --team web --app /web/checkout\n" +
			"   mesos-docker-executor classes allocate --classes docs/classes/two-clusters.yaml --team web --app /web/shop --cluster sbg1",
		Flags: []cli.Flag{
			classesFlag(),
			&cli.StringFlag{Name: "team", Usage: "`TEAM` of the app, or CLUSTER/TEAM"},
			&cli.StringFlag{Name: "app", Usage: "name of the `APP`"},
			clusterFlag("this host's, the file's key cluster"),
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print one JSON object"},
		},
		OnUsageError: usageError,
		Action:       classesAction(classesAllocate),
	}
}

// allocation is what classes allocate prints.
type allocation struct {
	classes.Line
	TC       string   `json:"tc"`
	File     string   `json:"file"` // last element of its path
	Warnings []string `json:"warnings,omitempty"`
}

func classesAllocate(c *cli.Context, r readClasses) error {
	named, err := teamFlagged(c, r)
	app := c.String("app")
	switch {
	case err != nil:
	case named.team == "":
		err = errors.New("--team is missing: whose app it is")
	case app == "":
		err = errors.New("--app is missing: the app's Marathon app ID, such as /web/shop, or its name")
	}
	var t classes.Team
	if err == nil {
		named.cluster = orOwn(named.cluster, r)
		t, err = teamOf(r, named)
	}
	if err != nil {
		return classesError(c, err)
	}
	line, err := r.NextFree(t.Cluster+"/"+t.Name, app)
	if err != nil {
		status := exitUsage
		if errors.As(err, new(*classes.NotFreeError)) {
			status = exitFail
		}
		return cli.Exit("classes allocate: "+err.Error(), status)
	}
	a := allocation{line, line.ID.TC(), r.Name(), r.describe().Warnings}
	if c.Bool("json") {
		if err := writeJSON(c.App.Writer, a); err != nil {
			return cli.Exit(err.Error(), exitFail)
		}
		return nil
	}
	where := ""
	if len(t.Apps) == 0 {
		where = ", a key to add if it is not there"
	}
	fmt.Fprintf(c.App.Writer, "%s\ngoes into %s below line %d, under %s%s\n", a.Text, a.File, a.After, a.Key, where)
	r.warn(c)
	return nil
}
