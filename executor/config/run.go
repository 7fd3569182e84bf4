package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Run is one run of an executor, as the path of its sandbox tells
// (src/slave/paths.cpp):
// <work_dir>/slaves/<agent>/frameworks/<framework>/executors/<executor>/runs/<container>.
// All folders but the last belong to the agent, so a task can change none of
// the ids.
type Run struct {
	Path        string // absolute, without symbolic links
	AgentID     string
	FrameworkID string
	ExecutorID  string
	ContainerID string
	WorkDir     string // the agent's --work_dir, in which the rest of the path begins
}

// ResolveRun follows the symbolic links in the path of a sandbox and reads the
// ids from what they lead to. The Docker containerizer hands over a link,
// <work_dir>/slaves/<agent>/docker/links/<container>, when the path itself has
// a colon in it (MESOS-1833), and the work_dir may be a link as well.
//
// The errors are those of the file system and one for a path of another form.
func ResolveRun(sandbox string) (Run, error) {
	resolved, err := filepath.EvalSymlinks(sandbox)
	if err != nil {
		return Run{}, fmt.Errorf("resolve the sandbox: %w", err)
	}
	info, err := os.Stat(resolved)
	if err != nil {
		return Run{}, fmt.Errorf("resolve the sandbox: %w", err)
	}
	if !info.IsDir() {
		return Run{}, fmt.Errorf("the sandbox %s is not a folder", quote(resolved))
	}
	return parseRun(resolved)
}

// parseRun reads the ids from the last eight elements of a path.
func parseRun(resolved string) (Run, error) {
	elements := strings.Split(resolved, "/")
	layout := []string{"slaves", "", "frameworks", "", "executors", "", "runs", ""}
	if len(elements) > len(layout) && elements[0] == "" {
		tail := elements[len(elements)-len(layout):]
		fits := true
		for i, name := range layout {
			fits = fits && (name == "" && tail[i] != "" || name == tail[i])
		}
		if fits {
			workDir := "/" + strings.Join(elements[1:len(elements)-len(layout)], "/")
			return Run{
				Path: resolved, AgentID: tail[1], FrameworkID: tail[3], ExecutorID: tail[5], ContainerID: tail[7], WorkDir: workDir,
			}, nil
		}
	}
	return Run{}, fmt.Errorf("the sandbox %s is not .../slaves/<agent id>/frameworks/<framework id>/executors/<executor id>/runs/<container id>", quote(resolved))
}

// CheckDropIn compares what the environment says with what the agent put on
// the command line: the ids in the path of the sandbox, and the container id in
// the container's name. In drop-in mode a task can override the environment,
// but not the flags, so a difference means a task that claims to be another.
// MESOS_DIRECTORY must lead to the same folder as --sandbox_directory.
//
// It reads the file system, where both folders must exist. The error is an
// [*Error] with every difference, naming both sources.
func (a Agent) CheckDropIn(d DropIn) error {
	problems := &Error{Source: "environment and command line"}
	run, err := ResolveRun(d.SandboxDirectory)
	if err != nil {
		problems.add("--sandbox_directory", "%v; the agent makes this folder, look for it in the agent's work_dir", err)
		return problems
	}
	differ := func(variable, says, flag, path string) {
		if says != path {
			problems.add(variable, "%s is not %s, which %s says; remove %s from the task's environment", quote(says), quote(path), flag, variable)
		}
	}
	differ("MESOS_SLAVE_ID", a.AgentID, "--sandbox_directory", run.AgentID)
	differ("MESOS_FRAMEWORK_ID", a.FrameworkID, "--sandbox_directory", run.FrameworkID)
	differ("MESOS_EXECUTOR_ID", a.ExecutorID, "--sandbox_directory", run.ExecutorID)
	a.checkDirectory(run, problems)

	agentID, containerID, _ := splitContainerName(d.Container)
	if containerID != run.ContainerID {
		problems.add("--container", "%s is not of the container %s, which --sandbox_directory says; both come from the agent, look at what starts the executor in its --launcher_dir", quote(d.Container), quote(run.ContainerID))
	}
	if agentID != "" && agentID != run.AgentID {
		problems.add("--container", "%s is not of the agent %s, which --sandbox_directory says; both come from the agent, look at what starts the executor in its --launcher_dir", quote(d.Container), quote(run.AgentID))
	}
	return problems.orNil()
}

// CheckCustom finds the run to which MESOS_DIRECTORY leads and compares the ids
// in its path with the others of the environment. In custom mode all of them
// come from one source, which the framework's ExecutorInfo can override, so
// this finds what was overridden in part or by mistake.
//
// It reads the file system, where the folder must exist. The error is an
// [*Error] with every difference, naming both values.
func (a Agent) CheckCustom() (Run, error) {
	problems := &Error{Source: "environment"}
	run, err := ResolveRun(a.Directory)
	if err != nil {
		problems.add("MESOS_DIRECTORY", "%v; the agent makes this folder, look for it in the agent's work_dir", err)
		return Run{}, problems
	}
	for _, id := range []struct{ name, says, path string }{
		{"MESOS_SLAVE_ID", a.AgentID, run.AgentID},
		{"MESOS_FRAMEWORK_ID", a.FrameworkID, run.FrameworkID},
		{"MESOS_EXECUTOR_ID", a.ExecutorID, run.ExecutorID},
	} {
		if id.says != id.path {
			problems.add(id.name, "%s is not %s, which MESOS_DIRECTORY %s says; remove both from the executor's own environment", quote(id.says), quote(id.path), quote(a.Directory))
		}
	}
	if a.ContainerID != run.ContainerID {
		problems.add("MESOS_DIRECTORY", "%s leads to the container %s, not to %s; remove it from the executor's own environment", quote(a.Directory), quote(run.ContainerID), quote(a.ContainerID))
	}
	if err := problems.orNil(); err != nil {
		return Run{}, err
	}
	return run, nil
}

func (a Agent) checkDirectory(run Run, problems *Error) {
	resolved, err := filepath.EvalSymlinks(a.Directory)
	switch {
	case err != nil:
		problems.add("MESOS_DIRECTORY", "%v, while --sandbox_directory leads to %s; remove MESOS_DIRECTORY from the task's environment", err, quote(run.Path))
	case resolved != run.Path || a.ContainerID != run.ContainerID:
		problems.add("MESOS_DIRECTORY", "%s is not %s, to which --sandbox_directory leads; remove MESOS_DIRECTORY from the task's environment", quote(a.Directory), quote(run.Path))
	}
}
