package localagent_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/localagent"
)

// The tests below run the built executor against a private engine.
func TestRealExecutor(t *testing.T) {
	engine, err := enginetest.Start(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Stop(); err != nil {
			t.Error(err)
		}
	})
	dir := t.TempDir()
	binary, config := filepath.Join(dir, "mesos-docker-executor"), filepath.Join(dir, "config.yaml")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "..")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	text := fmt.Sprintf("version: 1\nengine: {host: %q}\nrun_directory: %q\ngc: {directory: %q}\n", engine.Host, filepath.Join(dir, "run"), filepath.Join(dir, "images"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []localagent.Mode{localagent.DropIn, localagent.Custom} {
		f := lifeFixture{mode: mode, binary: binary, config: config, engine: engine}
		t.Run("restarts of the agent, "+string(mode), f.restarts)
		t.Run("faults of the agent, "+string(mode), f.faults)
	}
}

type lifeFixture struct {
	mode           localagent.Mode
	binary, config string
	engine         *enginetest.Engine
}

// agent makes a run of a task that lasts until it is killed.
func (f lifeFixture) agent(t *testing.T, edit func(*localagent.Options)) (*localagent.Agent, error) {
	o := localagent.Options{
		Mode: f.mode, Task: task(), Executable: f.binary, DockerSocket: f.engine.Socket,
		Arguments: []string{"--config=" + f.config},
	}
	if f.mode == localagent.Custom {
		o.Arguments = append([]string{"run"}, o.Arguments...)
	}
	o.Task.Command = &mesos.CommandInfo{Value: ptr("trap 'exit 0' TERM; while true; do sleep 1; done")}
	o.Task.Container.Docker.Image = enginetest.Image
	o.Task.Container.Docker.Network = mesos.ContainerInfo_DockerInfo_NONE.Enum()
	o.Task.Resources = append(o.Task.Resources, mesos.Resource{Name: "mem", Type: mesos.SCALAR.Enum(), Scalar: &mesos.Value_Scalar{Value: 32}})
	o.Task.KillPolicy = &mesos.KillPolicy{GracePeriod: &mesos.DurationInfo{Nanoseconds: (10 * time.Second).Nanoseconds()}}
	edit(&o)
	return localagent.Start(t.Context(), o)
}

// restarts is ten tasks that each live through 50 restarts of the agent at
// random moments: none is lost, no update is lost, doubled or out of order.
func (f lifeFixture) restarts(t *testing.T) {
	t.Parallel() // both modes at once: it is mostly waiting
	const tasks, restarts = 10, 50
	var running sync.WaitGroup
	for n := range tasks {
		running.Go(func() {
			if err := f.restartOne(t, rand.New(rand.NewPCG(uint64(n), 1)), restarts); err != nil {
				t.Errorf("task %d: %v", n, err)
			}
		})
	}
	running.Wait()
}

func (f lifeFixture) restartOne(t *testing.T, random *rand.Rand, restarts int) (err error) {
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	agent, err := f.agent(t, func(*localagent.Options) {})
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := agent.Close(); err == nil {
			err = closeErr
		}
		if v := agent.Violations(); err == nil && len(v) > 0 {
			err = fmt.Errorf("violations: %q", v)
		}
	}()
	if err := agent.StartExecutor(); err != nil {
		return err
	}
	// Before the first update, a restart may lose the task with a real agent too.
	if _, err := agent.WaitState(ctx, mesos.TASK_STARTING); err != nil {
		return err
	}
	up := func(limit time.Duration) time.Duration { return time.Duration(random.Int64N(int64(limit))) }
	for n := range restarts {
		<-time.After(up(500 * time.Millisecond)) // the moment is the point
		err := agent.Restart(ctx, localagent.Restart{Down: up(300 * time.Millisecond), NotFound: random.IntN(3), Recovery: up(300 * time.Millisecond)})
		if err != nil {
			return fmt.Errorf("restart %d: %w", n, err)
		}
	}
	if _, err := agent.WaitState(ctx, mesos.TASK_RUNNING); err != nil {
		return err
	}
	agent.Kill(nil)
	return expectLife(ctx, agent, mesos.TASK_STARTING, mesos.TASK_RUNNING, mesos.TASK_KILLING, mesos.TASK_KILLED)
}

// expectLife waits for the end of the executor and compares what was told.
func expectLife(ctx context.Context, agent *localagent.Agent, want ...mesos.TaskState) error {
	state, err := agent.WaitExit(ctx)
	if err != nil {
		return err
	}
	if !state.Success() {
		err = fmt.Errorf("the executor's end: %v", state)
	}
	var got []mesos.TaskState
	for _, s := range agent.Statuses() {
		got = append(got, s.GetState())
	}
	if !slices.Equal(got, want) {
		err = fmt.Errorf("told %v, want %v", got, want)
	}
	if err != nil {
		var lines []string
		for _, e := range agent.Timeline() {
			lines = append(lines, e.At.Format("05.000 ")+e.String())
		}
		return fmt.Errorf("%w:\n%s", err, strings.Join(lines, "\n"))
	}
	return nil
}

// faults are lives with a misbehaving agent, all at once.
func (f lifeFixture) faults(t *testing.T) {
	whole := []mesos.TaskState{mesos.TASK_STARTING, mesos.TASK_RUNNING, mesos.TASK_KILLING, mesos.TASK_KILLED}
	onRunning := localagent.OnState(mesos.TASK_RUNNING)
	kill := localagent.Rule{When: onRunning, Do: localagent.Later(time.Second, localagent.KillByPolicy)}
	withhold := func(on bool) localagent.Action { return func(a *localagent.Agent) { a.WithholdAcks(on) } }
	for name, tt := range map[string]struct {
		script []localagent.Rule
		acks   int
	}{
		"acknowledged twice": {script: []localagent.Rule{kill}, acks: 2},
		"stream cut at RUNNING": {script: []localagent.Rule{
			{When: onRunning, Do: localagent.CutStream}, kill,
		}},
		"cut in the middle of each acknowledgement": {script: []localagent.Rule{
			{When: localagent.OnUpdate(1), Do: localagent.CutMidFrame}, {When: localagent.OnUpdate(2), Do: localagent.CutMidFrame}, kill,
		}},
		"503 for a while": {script: []localagent.Rule{
			{When: localagent.AfterLaunch(), Do: func(a *localagent.Agent) { a.UnavailableFor(2 * time.Second) }}, kill,
		}},
		"accepted late": {script: []localagent.Rule{
			{When: localagent.AfterLaunch(), Do: func(a *localagent.Agent) { a.DelayAccepted(300 * time.Millisecond) }}, kill,
		}},
		"acknowledgements withheld, then the stream cut": {script: []localagent.Rule{
			{When: localagent.AfterLaunch(), Do: withhold(true)},
			{When: onRunning, Do: localagent.Later(500*time.Millisecond, func(a *localagent.Agent) { a.WithholdAcks(false); a.CutStream() })},
			{When: localagent.OnSubscribe(2), Do: localagent.Later(time.Second, localagent.KillByPolicy)},
		}},
		"agent restarts at RUNNING": {script: []localagent.Rule{
			{When: onRunning, Do: localagent.RestartAgent(localagent.Restart{Recovery: 200 * time.Millisecond})},
			{When: localagent.OnSubscribe(2), Do: localagent.Later(3*time.Second, localagent.KillByPolicy)},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			agent, err := f.agent(t, func(o *localagent.Options) {
				o.Script = tt.script
				if tt.acks > 0 {
					o.Acks = func(mesos.TaskStatus) int { return tt.acks }
				}
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := agent.Close(); err != nil {
					t.Error(err)
				}
			})
			if err := agent.StartExecutor(); err != nil {
				t.Fatal(err)
			}
			if err := expectLife(deadline(t, 2*time.Minute), agent, whole...); err != nil {
				t.Error(err)
			}
			noViolations(t, agent)
		})
	}
}
