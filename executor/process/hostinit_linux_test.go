package process

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/docker/docker/api/types/container"
	"golang.org/x/sys/unix"
)

func TestInitInTheHostsPIDNamespaceIsSeenBeforeItsProgramRuns(t *testing.T) {
	c := dockerClient(t)
	f := newLeaf(t)
	id := f.create(c, container.HostConfig{PidMode: "host"}, "sh", "-c", "sleep 1000 & exit 7")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- c.ContainerStart(ctx, id, container.StartOptions{}) }()
	init, err := f.WatchHostInit(ctx, id)
	if err != nil {
		t.Fatalf("%v (start: %v)", err, <-answer)
	}
	defer init.Close()
	if init.Executed() {
		t.Error("first seen when the program runs")
	}
	shim, err := init.Shim(id)
	if err != nil {
		t.Fatal(err)
	}
	defer shim.Close()
	told := make(chan Exit, 1)
	go func() {
		exit, _ := shim.Wait(ctx)
		told <- exit
	}()
	if exit, err := init.Wait(ctx); err != nil || !exit.Known || exit.Code() != 7 || exit.Source != SourcePidfd {
		t.Errorf("got %+v, %v", exit, err)
	}
	if exit := <-told; !exit.Known || exit.Code() != 7 {
		t.Errorf("the shim says %+v", exit)
	}
	if err := <-answer; err != nil {
		t.Error(err)
	}
}

// A stopped shim ends nothing of what the init has left.
func TestKillEndsWhatAnInitInTheHostsPIDNamespaceLeaves(t *testing.T) {
	c := dockerClient(t)
	f := newLeaf(t)
	id := f.create(c, container.HostConfig{PidMode: "host"}, "sh", "-c", "(sleep 1001 & sleep 1002 & exec sleep 0.1); exec sleep 1000")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := c.ContainerStart(ctx, id, container.StartOptions{}); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the init to run beside two orphans", func() bool {
		ps, err := f.Processes()
		return err == nil && len(ps) == 3 && !slices.ContainsFunc(ps, func(p Process) bool { return p.Comm != "sleep" })
	})
	init, err := f.WatchHostInit(ctx, id) // it runs already, beside orphans with the same parent
	if err != nil {
		t.Fatal(err)
	}
	defer init.Close()
	if i, err := c.ContainerInspect(ctx, id); err != nil || i.State.Pid != init.PID {
		t.Errorf("docker says pid %d, we %d (%v)", i.State.Pid, init.PID, err)
	}
	if err := dockerEngine.SignalShim(id, unix.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dockerEngine.SignalShim(id, unix.SIGCONT) }()
	if err := init.Signal(unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := init.Dead(ctx); err != nil {
		t.Fatal(err)
	}
	if ps, err := f.Processes(); err != nil || len(ps) != 2 {
		t.Errorf("outlived the init: %v, %v", ps, err)
	}
	if err := f.Kill(); err != nil {
		t.Error(err)
	}
	if ps, err := f.Processes(); err != nil || len(ps) > 0 {
		t.Errorf("outlived the kill: %v, %v", ps, err)
	}
}

func TestInitInTheHostsPIDNamespaceIsTheOneThatTheBundleNames(t *testing.T) {
	const bystander = "sh"
	for name, test := range map[string]struct {
		program, called string
		config, pid     string // content of the bundle's files; empty: none; own: the id of the process
		parentInside    bool
		want            bool
	}{
		"named by the bundle":                      {program: "containerd-shim-runc-v2", called: bystander, config: "{}", pid: "own", want: true},
		"last stage of runc":                       {program: "containerd-shim-runc-v2", called: runcInitStage, config: "{}", want: true},
		"first stage of runc":                      {program: "containerd-shim-runc-v2", called: "runc:[0:PARENT]", config: "{}"},
		"another one is named":                     {program: "containerd-shim-runc-v2", called: bystander, config: "{}", pid: "1"},
		"calls itself as runc does":                {program: "containerd-shim-runc-v2", called: runcInitStage, config: "{}", pid: "1"},
		"child of the container's":                 {program: "containerd-shim-runc-v2", called: runcInitStage, config: "{}", pid: "own", parentInside: true},
		"the bundle is gone":                       {program: "containerd-shim-runc-v2", called: runcInitStage},
		"below what only looks like a shim":        {program: "supervisord", called: runcInitStage, config: "{}", pid: "own"},
		"named, and with a line break in the file": {program: "containerd-shim-runc-v2", called: bystander, config: "{}", pid: "own\n", want: true},
	} {
		t.Run(name, func(t *testing.T) {
			f := newLeaf(t)
			bundle := t.TempDir()
			shim, pid := f.playStage(test.program, test.called, bundle)
			for file, text := range map[string]string{"config.json": test.config, "init.pid": test.pid} {
				if text == "" {
					continue
				}
				if len(text) > 2 && text[:3] == "own" {
					text = strconv.Itoa(pid) + text[3:]
				}
				if err := os.WriteFile(filepath.Join(bundle, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			group := []int{pid}
			if test.parentInside {
				group = append(group, shim)
			}
			if got, err := isHostInit(pid, group, testID); err != nil || got != test.want {
				t.Errorf("got %v, %v, want %v", got, err, test.want)
			}
		})
	}
}

// playStage starts a process with the program and command line of a shim, and below it one that was never executed, as runc's stages.
func (f *fixture) playStage(program, called, bundle string) (shim, stage int) {
	f.t.Helper()
	copied := shellCalled(f.t, program)
	r, w, err := os.Pipe()
	if err != nil {
		f.t.Fatal(err)
	}
	defer r.Close()
	f.t.Cleanup(func() { w.Close() })
	cmd := exec.Command(copied, "-c", "read go; (printf %s \"$CALLED\" >/proc/self/comm; read never <&3) & wait", "sh", "-id", testID)
	cmd.Env, cmd.Dir, cmd.ExtraFiles = []string{"CALLED=" + called}, bundle, []*os.File{r}
	c := f.start(testID, nil, cmd)
	waitFor(f.t, "the stage", func() bool {
		pids, err := readPIDs(f.freezer(testID))
		if err != nil {
			f.t.Fatal(err)
		}
		for _, pid := range pids {
			if st, err := readStat(pid); err == nil && st.comm == called && st.parent == c.Process.Pid {
				stage = pid
			}
		}
		return stage != 0
	})
	return c.Process.Pid, stage
}
