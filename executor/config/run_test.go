package config_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mesos-docker-executor/executor/config"
)

// workDir makes the sandboxes of two runs below a work_dir and returns the
// first one's together with what the agent would say about it.
func workDir(t *testing.T, executor string) (work string, a config.Agent, d config.DropIn) {
	t.Helper()
	work, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	run := filepath.Join(work, "slaves/S0/frameworks/F/executors", executor, "runs/C")
	makeDir(t, run)
	makeDir(t, filepath.Join(work, "slaves/S0/frameworks/F/executors/other/runs/D"))
	a = config.Agent{AgentID: "S0", FrameworkID: "F", ExecutorID: executor, ContainerID: "C", Directory: run}
	d = config.DropIn{Container: "mesos-C", SandboxDirectory: run, MappedDirectory: "/mnt/mesos/sandbox"}
	return work, a, d
}

func makeDir(t *testing.T, dir string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, at string) {
	t.Helper()
	makeDir(t, filepath.Dir(at))
	if err := os.Symlink(to, at); err != nil {
		t.Fatal(err)
	}
}

func TestDropInWithPlainSandbox(t *testing.T) {
	work, a, d := workDir(t, "E")
	if err := a.CheckDropIn(d); err != nil {
		t.Error(err)
	}
	run, err := config.ResolveRun(d.SandboxDirectory)
	want := config.Run{Path: d.SandboxDirectory, AgentID: "S0", FrameworkID: "F", ExecutorID: "E", ContainerID: "C", WorkDir: work}
	if diff := cmp.Diff(want, run); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestDropInWithLinks(t *testing.T) {
	work, a, d := workDir(t, "with:colon")
	run := d.SandboxDirectory
	t.Run("sandbox through docker/links", func(t *testing.T) {
		d.SandboxDirectory = filepath.Join(work, "slaves/S0/docker/links/C")
		link(t, run, d.SandboxDirectory)
		if err := a.CheckDropIn(d); err != nil {
			t.Error(err)
		}
	})
	t.Run("work_dir is a link", func(t *testing.T) {
		alias := filepath.Join(t.TempDir(), "mesos")
		link(t, work, alias)
		a.Directory = strings.Replace(run, work, alias, 1)
		if err := a.CheckDropIn(d); err != nil {
			t.Error(err)
		}
	})
}

func TestDropInNameOfOldAgents(t *testing.T) {
	_, a, d := workDir(t, "E")
	d.Container = "mesos-S0.C"
	if err := a.CheckDropIn(d); err != nil {
		t.Error(err)
	}
	d.Container = "mesos-S1.C"
	if err := a.CheckDropIn(d); err == nil || !slices.Equal(problems(t, err), []string{"--container"}) {
		t.Errorf("container of another agent: %v", err)
	}
}

func TestTaskThatClaimsToBeAnother(t *testing.T) {
	for _, c := range []struct {
		name    string
		claim   func(work string, a *config.Agent, d *config.DropIn)
		problem []string
		says    []string
	}{
		{"framework", func(_ string, a *config.Agent, _ *config.DropIn) { a.FrameworkID = "G" },
			[]string{"MESOS_FRAMEWORK_ID"}, []string{`"G"`, `"F"`, "--sandbox_directory", "task's environment"}},
		{"executor", func(_ string, a *config.Agent, _ *config.DropIn) { a.ExecutorID = "other" },
			[]string{"MESOS_EXECUTOR_ID"}, []string{`"other"`, `"E"`}},
		{"agent", func(_ string, a *config.Agent, _ *config.DropIn) { a.AgentID = "S1" },
			[]string{"MESOS_SLAVE_ID"}, []string{`"S1"`, `"S0"`}},
		{"whole run", func(work string, a *config.Agent, _ *config.DropIn) {
			a.ExecutorID, a.ContainerID = "other", "D"
			a.Directory = filepath.Join(work, "slaves/S0/frameworks/F/executors/other/runs/D")
		}, []string{"MESOS_EXECUTOR_ID", "MESOS_DIRECTORY"}, []string{"/other/runs/D", "/E/runs/C"}},
		{"directory that is not there", func(_ string, a *config.Agent, _ *config.DropIn) { a.Directory = "/nonexistent/C" },
			[]string{"MESOS_DIRECTORY"}, []string{"/nonexistent", "--sandbox_directory"}},
		{"link to the run under another name", func(work string, a *config.Agent, _ *config.DropIn) {
			a.ContainerID, a.Directory = "latest", filepath.Join(work, "latest")
		}, []string{"MESOS_DIRECTORY"}, []string{"latest"}},
		{"container name", func(_ string, _ *config.Agent, d *config.DropIn) { d.Container = "mesos-D" },
			[]string{"--container"}, []string{`"mesos-D"`, `"C"`, "--sandbox_directory", "--launcher_dir"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			work, a, d := workDir(t, "E")
			link(t, d.SandboxDirectory, filepath.Join(work, "latest"))
			c.claim(work, &a, &d)
			err := a.CheckDropIn(d)
			if err == nil {
				t.Fatal("accepted")
			}
			if got := problems(t, err); !slices.Equal(got, c.problem) {
				t.Errorf("problems with %q, want %q", got, c.problem)
			}
			for _, text := range c.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q is not in: %v", text, err)
				}
			}
		})
	}
}

func TestSandboxThatIsNoRun(t *testing.T) {
	work, a, d := workDir(t, "E")
	file := filepath.Join(work, "slaves/S0/frameworks/F/executors/E/runs/file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	loop := filepath.Join(work, "loop")
	link(t, loop, loop)
	deeper := filepath.Join(d.SandboxDirectory, "sub")
	makeDir(t, deeper)
	for _, sandbox := range []string{"", "/", work, file, loop, deeper, filepath.Dir(d.SandboxDirectory), filepath.Join(work, "missing")} {
		if run, err := config.ResolveRun(sandbox); err == nil {
			t.Errorf("%q is taken for the run %+v", sandbox, run)
		}
		d.SandboxDirectory = sandbox
		if err := a.CheckDropIn(d); err == nil || !slices.Equal(problems(t, err), []string{"--sandbox_directory"}) {
			t.Errorf("%q: %v", sandbox, err)
		}
	}
	if _, err := config.ResolveRun(filepath.Join(work, "missing")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing sandbox: %v is not fs.ErrNotExist", err)
	}
}

func TestCustomRunIsFoundThroughLinks(t *testing.T) {
	work, a, d := workDir(t, "E")
	alias := filepath.Join(t.TempDir(), "mesos")
	link(t, work, alias)
	a.Directory = strings.Replace(a.Directory, work, alias, 1)
	run, err := a.CheckCustom()
	want := config.Run{Path: d.SandboxDirectory, AgentID: "S0", FrameworkID: "F", ExecutorID: "E", ContainerID: "C", WorkDir: work}
	if diff := cmp.Diff(want, run); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestCustomEnvironmentThatContradictsItself(t *testing.T) {
	for _, c := range []struct {
		name     string
		change   func(work string, a *config.Agent)
		problems []string
		says     []string
	}{
		{"agent", func(_ string, a *config.Agent) { a.AgentID = "S1" }, []string{"MESOS_SLAVE_ID"}, []string{`"S1"`, `"S0"`}},
		{"framework", func(_ string, a *config.Agent) { a.FrameworkID = "G" }, []string{"MESOS_FRAMEWORK_ID"}, []string{`"G"`, `"F"`}},
		{"executor", func(_ string, a *config.Agent) { a.ExecutorID = "other" }, []string{"MESOS_EXECUTOR_ID"}, []string{`"other"`, `"E"`}},
		{"another run's directory", func(work string, a *config.Agent) {
			a.ContainerID = "D"
			a.Directory = filepath.Join(work, "slaves/S0/frameworks/F/executors/other/runs/D")
		}, []string{"MESOS_EXECUTOR_ID"}, []string{`"E"`, `"other"`}},
		{"link under another name", func(work string, a *config.Agent) {
			a.ContainerID, a.Directory = "latest", filepath.Join(work, "latest")
		}, []string{"MESOS_DIRECTORY"}, []string{`"latest"`, `"C"`}},
		{"directory that is not there", func(_ string, a *config.Agent) { a.Directory = "/nonexistent/C" },
			[]string{"MESOS_DIRECTORY"}, []string{"/nonexistent"}},
		{"directory that is no run", func(work string, a *config.Agent) { a.Directory = work },
			[]string{"MESOS_DIRECTORY"}, []string{"slaves/<agent id>"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			work, a, d := workDir(t, "E")
			link(t, d.SandboxDirectory, filepath.Join(work, "latest"))
			c.change(work, &a)
			run, err := a.CheckCustom()
			if err == nil || run != (config.Run{}) {
				t.Fatalf("accepted as %+v, %v", run, err)
			}
			if got := problems(t, err); !slices.Equal(got, c.problems) {
				t.Errorf("problems with %q, want %q", got, c.problems)
			}
			for _, text := range c.says {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q is not in: %v", text, err)
				}
			}
		})
	}
}
