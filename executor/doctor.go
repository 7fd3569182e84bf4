package main

import (
	"errors"
	"flag"
	"os"
	"time"

	"github.com/urfave/cli/v2"

	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/executor/hostcheck"
	"mesos-docker-executor/security/policyfile"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:  "doctor",
		Usage: "say on one page whether this host is fit for tasks",
		Description: "It looks at the Docker engine, at its disks, at the kernel and its cgroups, at config.yaml, policy.yaml and classes.yaml, at\n" +
			"the flags of the Mesos agent that runs here, and at what dead executors left. Each line is ok, warn or fail; what is not\n" +
			"ok says what to do. It only reads, asks the engine for a ping and its info, and ends within 30 s whatever hangs. The\n" +
			"engine is engine.host of config.yaml, whatever DOCKER_HOST says. Of the agent's command line and environment nothing is\n" +
			"shown but the flags that are checked. NO_COLOR switches the colours off. It works on Linux only, and needs root to see all.\n\n" +
			"Exit status: 0 fit, perhaps with warnings, 1 a line is fail, or the output cannot be written, 2 usage.\n\n" +
			"Examples:\n" +
			"   mesos-docker-executor doctor\n" +
			"   mesos-docker-executor doctor --json --config config.yaml",
		Flags: []cli.Flag{
			configFlag(),
			&cli.StringFlag{Name: "policy", Usage: "security policy `FILE`; default " + policyfile.DefaultPath + ", which may be missing"},
			&cli.StringFlag{Name: "classes", Usage: "class `FILE`; default " + classes.DefaultPath + ", which may be missing"},
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print one JSON object"},
		},
		OnUsageError: usageError,
		Action:       doctor,
	}
}

func doctor(c *cli.Context) error {
	err := noWords(c)
	if errors.Is(err, flag.ErrHelp) {
		return cli.ShowSubcommandHelp(c)
	}
	if err != nil {
		return cli.Exit("doctor: "+err.Error(), exitUsage)
	}
	var named files
	for name, path := range map[string]*string{"config": &named.config, "policy": &named.policy, "classes": &named.classes} {
		if *path, err = ownPathFlag(c, name); err != nil {
			return err
		}
	}
	lines, err := examineHost(c.Context, named)
	if err != nil {
		return cli.Exit(err.Error(), exitUsage)
	}
	page := newHealthPage(lines)
	if c.Bool("json") {
		if err := writeJSON(c.App.Writer, page); err != nil {
			return cli.Exit(err.Error(), exitFail)
		}
	} else {
		width, color := screen(c.App.Writer, os.Getenv("NO_COLOR"))
		page.print(c.App.Writer, width, color)
	}
	if page.Status == hostcheck.Fail {
		return cli.Exit("", exitFail)
	}
	return nil
}

// healthPage is what doctor prints.
type healthPage struct {
	Host    string           `json:"host"`
	Version string           `json:"version"` // of this program
	At      time.Time        `json:"at"`
	Status  hostcheck.Status `json:"status"` // the gravest of the lines
	Lines   hostcheck.Lines  `json:"lines"`
}

func newHealthPage(lines hostcheck.Lines) healthPage {
	host, err := os.Hostname()
	if err != nil {
		host = "this host"
	}
	return healthPage{Host: host, Version: version, At: time.Now().UTC().Truncate(time.Second), Status: lines.Worst(), Lines: lines}
}
