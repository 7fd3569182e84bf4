package main

import (
	"errors"
	"fmt"

	"github.com/urfave/cli/v2"

	"mesos-docker-executor/cgroupnet/classes"
)

func classesLookupCommand() *cli.Command {
	return &cli.Command{
		Name:      "lookup",
		Usage:     "say whose a class ID is",
		ArgsUsage: "ID...",
		Description: "An ID is one from a firewall's log, a packet's mark, net_cls.classid or a task's status, in any spelling: 0x00100100,\n" +
			"1048832 or 10:100. Four digits, as 0x0010, or 10: are the major of a team. Each has a line, with the place in the file, which is\n" +
			"this host's, " + classes.DefaultPath + ", or that of --classes. It needs no root, and works on macOS too.\n\n" +
			"Exit status: 0 each belongs to an app or a team, 1 one does not, or does no more (retired), or there is no file, or the\n" +
			"output cannot be written, 2 usage, or the file cannot be read.\n\n" +
			"Examples:\n" +
			"   mesos-docker-executor classes lookup --classes docs/classes/two-clusters.yaml 0x00100100 10:102 1048833\n" +
			"   mesos-docker-executor classes lookup --classes docs/classes/two-clusters.yaml --json 0x0011",
		Flags: []cli.Flag{
			classesFlag(),
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print one JSON object"},
		},
		OnUsageError: usageError,
		Action:       classesLookup,
	}
}

func classesLookup(c *cli.Context) error {
	asked, err := askedIDs(c)
	return withClasses(c, err, func(r readClasses) error { return lookUpAll(c, r, asked) })
}

func lookUpAll(c *cli.Context, r readClasses, asked []askedID) error {
	found := lookups{Classes: r.describe(), status: exitOK}
	for _, id := range asked {
		l := r.lookUp(id)
		found.IDs = append(found.IDs, l)
		if !l.Current {
			found.status = exitFail
		}
	}
	if c.Bool("json") {
		if err := writeJSON(c.App.Writer, found); err != nil {
			return cli.Exit(err.Error(), exitFail)
		}
		return cli.Exit("", found.status)
	}
	for _, l := range found.IDs {
		fmt.Fprintln(c.App.Writer, l.Text)
	}
	r.warn(c)
	return cli.Exit("", found.status)
}

// askedIDs reads all of the words, so that nothing is printed of a wrong command line.
func askedIDs(c *cli.Context) ([]askedID, error) {
	words, err := arguments(c)
	if err == nil && len(words) == 0 {
		err = errors.New("it needs a class ID; see --help")
	}
	var asked []askedID
	for _, word := range words {
		id, wrong := parseAsked(word)
		if err == nil {
			err = wrong
		}
		asked = append(asked, id)
	}
	return asked, err
}

// lookups is what classes lookup prints.
type lookups struct {
	Classes classesShown `json:"classes"`
	IDs     []lookup     `json:"ids"`
	status  int
}

type lookup struct {
	ID      string            `json:"id"` // of a major, four digits
	TC      string            `json:"tc"`
	Kind    classes.OwnerKind `json:"kind"`
	Current bool              `json:"current"` // it belongs to an app or a team
	Cluster string            `json:"cluster,omitempty"`
	Team    string            `json:"team,omitempty"`
	App     string            `json:"app,omitempty"`
	Line    int               `json:"line,omitempty"`
	Text    string            `json:"text"`
}

// askedID is a class, or the major of a team alone.
type askedID struct {
	id    classes.ID
	major bool
}

// parseAsked reads a class ID in any spelling, and a major: "10:", or 0x and four digits, which would be a class without a major.
func parseAsked(s string) (askedID, error) {
	if s == "" {
		return askedID{}, errors.New("an ID is empty; see --help for the spellings")
	}
	if major, err := classes.ParseMajor(s); err == nil {
		return askedID{classes.ID(major) << 16, true}, nil
	}
	id, err := classes.ParseID(s)
	return askedID{id: id}, err
}

func (r readClasses) lookUp(asked askedID) lookup {
	if asked.major {
		return r.lookUpMajor(asked.id.Major())
	}
	o := r.Lookup(asked.id)
	l := lookup{asked.id.String(), asked.id.TC(), o.Kind, false, o.Cluster, o.Team, o.App, o.Line, o.String()}
	switch {
	case o.Kind == classes.OwnerApp, o.Kind == classes.OwnerDefault:
		l.Current = true
	case asked.id == 0:
		l.Text += ": what the host's own processes and containers without a class send, and what dockerd (DNS, docker-proxy) and the kernel (resets) send for any container"
	case asked.id.Major() == 0 && asked.id.Minor() != 0xffff:
		l.Text += fmt.Sprintf("; the major of a team is written %s", classes.MajorString(asked.id.Minor()))
	case o.Kind == classes.OwnerRetired, o.Kind == classes.OwnerRetiredTeam:
		l.Text += "; it is never given away again"
	}
	return l
}

func (r readClasses) lookUpMajor(major uint16) lookup {
	o := r.Lookup(classes.ID(major)<<16 | 1) // the default class of the team that has the major
	l := lookup{ID: classes.MajorString(major), TC: classes.TCMajor(major), Kind: o.Kind, Cluster: o.Cluster, Team: o.Team, Line: o.Line}
	team := fmt.Sprintf("team %s in cluster %s (%s)", escaped(o.Team), o.Cluster, o.Place)
	switch o.Kind {
	case classes.OwnerDefault:
		l.Kind, l.Current = classes.OwnerTeam, true
		l.Text = "the major of " + team
	case classes.OwnerRetiredTeam:
		l.Text = "retired, was the major of " + team + "; it is never given away again"
	default:
		l.Text = "given to no team"
	}
	l.Text = fmt.Sprintf("%s (tc %s): %s", l.ID, l.TC, l.Text)
	return l
}
