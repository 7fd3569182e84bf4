package main

import "github.com/urfave/cli/v2"

func gcCommand() *cli.Command {
	return &cli.Command{
		Name:  "gc",
		Usage: "get room back on this host: images that were not used for longest, and what dead executors left",
		Description: "Removes images once a disk with layers is fuller than gc.begin_percent of config.yaml, in bytes or inodes, until it is\n" +
			"at gc.until_percent: those that were not used for longest, a few per run, one after the other. Never by prune or force, never\n" +
			"one with a container in any state, one of gc.keep, or one that was in use within gc.min_age. No image is removed while the\n" +
			"engine is in trouble, the host is loaded, or a launch waits for its turn; a later run goes on. Then it ends and removes\n" +
			"what dead executors left, and empty cgroups of containers that are gone. docs/gc.md has the details.\n\n" +
			"A timer runs it (packaging/). Of several at once, one does the work. It can be killed at any moment. The engine is engine.host of\n" +
			"config.yaml, whatever DOCKER_HOST says. --dry-run prints a table of all images, what would become of them, and why; it changes\n" +
			"nothing, and does not look for dead executors. It works on Linux only, as root.\n\n" +
			"Exit status: 0 done, nothing to do, put off, or told to stop; 1 something could not be removed or found out, or the output cannot be written,\n" +
			"2 usage, or the configuration is wrong.\n\n" +
			"Examples:\n" +
			"   mesos-docker-executor gc --dry-run\n" +
			"   mesos-docker-executor gc --json --config config.yaml",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "dry-run", DisableDefaultText: true, Usage: "say what would be removed and why, and remove nothing"},
			&cli.BoolFlag{Name: "json", DisableDefaultText: true, Usage: "print one JSON object"},
			configFlag(),
		},
		OnUsageError: usageError,
		Action:       gc,
	}
}
