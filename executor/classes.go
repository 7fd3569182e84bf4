package main

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/internal/message"
)

func classesCommand() *cli.Command {
	return &cli.Command{
		Name:            "classes",
		Usage:           "show, look up and give out the class IDs of classes.yaml, and list the tasks that have them",
		HideHelpCommand: true,
		Subcommands: []*cli.Command{
			classesShowCommand(),
			classesLookupCommand(),
			classesAllocateCommand(),
			classesPSCommand(),
			classesRulesCommand(),
		},
		OnUsageError: usageError,
		Action:       needsSubcommand,
	}
}

// classesAction makes the action of one of these commands, which takes no bare words: do gets the class file, which is there.
func classesAction(do func(c *cli.Context, r readClasses) error) cli.ActionFunc {
	return func(c *cli.Context) error {
		return withClasses(c, noWords(c), func(r readClasses) error { return do(c, r) })
	}
}

// withClasses calls do with the class file, which is there. wrong is what is wrong with the words of the command line.
func withClasses(c *cli.Context, wrong error, do func(r readClasses) error) error {
	if errors.Is(wrong, flag.ErrHelp) {
		return cli.ShowSubcommandHelp(c)
	}
	if wrong != nil {
		return classesError(c, wrong)
	}
	r, err := classesFlagged(c)
	if err != nil {
		return cli.Exit(err.Error(), exitUsage)
	}
	if !r.isThere() {
		return areOff(c)
	}
	return do(r)
}

// noWords refuses bare words, behind which there may be flags.
func noWords(c *cli.Context) error {
	words, err := arguments(c)
	if err == nil && len(words) > 0 {
		return fmt.Errorf("it takes flags only, and %q is there; see --help", words[0])
	}
	return err
}

// classesError is a wrong command line.
func classesError(c *cli.Context, err error) error {
	return cli.Exit("classes "+c.Command.Name+": "+err.Error(), exitUsage)
}

// areOff answers on a host without a class file.
func areOff(c *cli.Context) error {
	return cli.Exit(fmt.Sprintf("classes %s: class IDs are off: there is no %s; write one, for which docs/classes.md has examples, or name another file with --classes",
		c.Command.Name, classes.DefaultPath), exitFail)
}

// warn says on stderr, beside an output of a few lines, why no executor would read the file.
func (r readClasses) warn(c *cli.Context) {
	for _, refusal := range r.refusals {
		say(fmt.Sprintf("classes %s: warning: an executor would not read these classes: %s", c.Command.Name, refusal))
	}
}

func clusterFlag(usage string) cli.Flag {
	return &cli.StringFlag{Name: "cluster", DefaultText: usage, Usage: "`CLUSTER` of the file"}
}

// teamNamed is what --team and --cluster name; "" for what neither does.
type teamNamed struct{ cluster, team string }

// teamFlagged reads --team, which may be CLUSTER/TEAM, and --cluster, and sees to it that the file has them.
func teamFlagged(c *cli.Context, r readClasses) (teamNamed, error) {
	for _, name := range []string{"team", "cluster"} {
		if c.IsSet(name) && c.String(name) == "" {
			return teamNamed{}, fmt.Errorf("--%s: it is empty; write a name, or leave the flag out", name)
		}
	}
	named := teamNamed{c.String("cluster"), c.String("team")}
	if in, team, both := strings.Cut(named.team, "/"); both {
		if in == "" || team == "" {
			return named, fmt.Errorf("--team: %q lacks a name beside its slash; write TEAM or CLUSTER/TEAM", named.team)
		}
		if named.cluster != "" && named.cluster != in {
			return named, fmt.Errorf("--team: %q is of another cluster than --cluster, %q; name one", named.team, named.cluster)
		}
		named = teamNamed{in, team}
	}
	var clusters, teams []string
	know := func(cluster, team string) {
		clusters = append(clusters, cluster)
		if named.cluster == "" || named.cluster == cluster {
			teams = append(teams, team)
		}
	}
	for _, t := range r.Teams() {
		know(t.Cluster, t.Name)
	}
	for _, t := range r.RetiredTeams() {
		know(t.Cluster, t.Name)
	}
	if named.cluster != "" && !slices.Contains(clusters, named.cluster) {
		return named, unknownName("--cluster", "cluster with teams", named.cluster, r.Name(), clusters)
	}
	if named.team != "" && !slices.Contains(teams, named.team) {
		return named, unknownName("--team", "team", named.team, r.Name(), teams)
	}
	return named, nil
}

// orOwn is the cluster, or the one that the file is for.
func orOwn(cluster string, r readClasses) string {
	if cluster != "" {
		return cluster
	}
	return r.Cluster()
}

// teamOf finds a team that is one now.
func teamOf(r readClasses, named teamNamed) (classes.Team, error) {
	var known []string
	for _, t := range r.Teams() {
		if t.Cluster != named.cluster {
			continue
		}
		if t.Name == named.team {
			return t, nil
		}
		known = append(known, t.Name)
	}
	return classes.Team{}, unknownName("--team", "team", named.team, "cluster "+named.cluster+" of "+r.Name(), known)
}

// unknownName says that a file has no such name, and which it has.
func unknownName(flag, what, name, file string, known []string) error {
	slices.Sort(known)
	return fmt.Errorf("%s: there is no %s %s in %s; known are %s", flag, what, message.Quote(name), file, message.Listed(slices.Compact(known)))
}
