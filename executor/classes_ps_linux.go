package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/cgroupnet/classes"
)

func classesPS(c *cli.Context) error {
	err := noWords(c)
	if errors.Is(err, flag.ErrHelp) {
		return cli.ShowSubcommandHelp(c)
	}
	if err != nil {
		return classesError(c, err)
	}
	file, err := configFlagged(c)
	if err != nil {
		return cli.Exit(err.Error(), exitUsage)
	}
	r, problem, err := classesForPS(c, file)
	if err != nil {
		return cli.Exit(err.Error(), exitUsage)
	}
	list := classList{Classes: r.describe(), Problem: problem}
	if list.Cgroups, err = classedCgroups(file.Cgroup.Root, r); err != nil {
		return cli.Exit("classes ps: "+err.Error(), exitFail)
	}
	if c.Bool("json") {
		if err := writeJSON(c.App.Writer, list); err != nil {
			return cli.Exit(err.Error(), exitFail)
		}
	} else {
		list.print(c.App.Writer)
	}
	return cli.Exit("", list.status())
}

// classedCgroups asks the kernel, for those with a class and for the tasks below root.
func classedCgroups(root string, r readClasses) ([]classedRow, error) {
	support, err := cgroupnet.Probe()
	if err != nil {
		return nil, err
	}
	tagged, err := cgroupnet.ListTagged(support, root)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(tagged, func(a, b cgroupnet.Tagged) int { return cmp.Compare(a.Class, b.Class) })
	rows := []classedRow{}
	for _, t := range tagged {
		row := newClassedRow(t.Path, classes.ID(t.Class), root, r)
		row.Processes = len(t.PIDs)
		if len(t.PIDs) > 0 {
			row.Command = commandOf(t.PIDs[0])
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// commandOf is the name of a process (proc_pid_comm(5)), "" if it has ended.
func commandOf(pid int) string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(name), "\n")
}
