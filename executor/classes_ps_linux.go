package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
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
	tagged = append(tagged, untaggedNested(support.NetCLS.Dir, tagged)...)
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

// untaggedNested finds the tasks without a class in the cgroups of the agent's launcher, /mesos/<container id>/task, which the
// list by roots does not have. The agent's --cgroups_root may have another name.
func untaggedNested(dir string, tagged []cgroupnet.Tagged) (more []cgroupnet.Tagged) {
	folders, _ := filepath.Glob(filepath.Join(dir, "*", "*-*-*-*-*", "task")) // the pattern is good
	for _, folder := range folders {
		cgroup := strings.TrimPrefix(folder, dir)
		l, isTasks := leafOf(cgroup, "")
		has := func(t cgroupnet.Tagged) bool { return strings.HasPrefix(cgroup+"/", t.Path+"/") }
		if isTasks && l.nested && !slices.ContainsFunc(tagged, has) {
			more = append(more, cgroupnet.Tagged{Path: cgroup, PIDs: untaggedBelow(folder, dir, tagged)})
		}
	}
	return more
}

// untaggedBelow returns the processes of a cgroup and of those below it that have no row. What ends meanwhile is left out.
func untaggedBelow(folder, dir string, tagged []cgroupnet.Tagged) (pids []int) {
	_ = filepath.WalkDir(folder, func(at string, entry fs.DirEntry, err error) error {
		has := func(t cgroupnet.Tagged) bool { return t.Path == strings.TrimPrefix(at, dir) }
		switch {
		case err != nil:
			return nil
		case entry.IsDir() && slices.ContainsFunc(tagged, has):
			return fs.SkipDir
		case entry.Name() == "cgroup.procs":
			text, _ := os.ReadFile(at)
			for field := range strings.FieldsSeq(string(text)) {
				if pid, err := strconv.Atoi(field); err == nil && pid > 0 {
					pids = append(pids, pid)
				}
			}
		}
		return nil
	})
	slices.Sort(pids)
	return pids
}

// commandOf is the name of a process (proc_pid_comm(5)), "" if it has ended.
func commandOf(pid int) string {
	name, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return ""
	}
	return strings.TrimSuffix(string(name), "\n")
}
