package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"mesos-docker-executor/security/policyfile"
)

func policyCommand() *cli.Command {
	return &cli.Command{
		Name:            "policy",
		Usage:           "print the built-in policy, or compare two policies",
		HideHelpCommand: true,
		Subcommands:     []*cli.Command{policyDefaultCommand(), policyDiffCommand()},
		OnUsageError:    usageError,
		Action:          needsSubcommand,
	}
}

// needsSubcommand is the action of a command that only has commands.
func needsSubcommand(c *cli.Context) error {
	var names []string
	for _, command := range c.Command.Subcommands {
		names = append(names, command.Name)
	}
	what := "it needs a command"
	if c.Args().Present() {
		what = fmt.Sprintf("%q is none of its commands", c.Args().First())
	}
	return cli.Exit(fmt.Sprintf("%s: %s: %s; each has --help", c.Command.Name, what, strings.Join(names, ", ")), exitUsage)
}

func policyDefaultCommand() *cli.Command {
	return &cli.Command{
		Name:  "default",
		Usage: "print the built-in policy as a policy.yaml to begin with",
		Description: "Each key has a comment. What you leave out of your file is inherited from the built-in policy, so keep in it only what\n" +
			"you change.\n\n" +
			"Exit status: 0 printed, 1 the output cannot be written, 2 usage.\n\n" +
			"Examples:\n" +
			"   mesos-docker-executor policy default",
		OnUsageError: usageError,
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return cli.Exit(fmt.Sprintf("policy default: it takes nothing, and %q is there; see --help", c.Args().First()), exitUsage)
			}
			_, _ = io.WriteString(c.App.Writer, policyfile.Default()) // the writer keeps the error
			return nil
		},
	}
}
