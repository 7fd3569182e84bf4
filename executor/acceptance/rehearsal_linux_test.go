//go:build acceptance

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/executor/enginetest"
	"mesos-docker-executor/executor/localagent"
)

// The rehearsal needs no Mesos: the fake master, the embedded agent, the real executor and a real Docker Engine. It shows
// that executor and checks agree about a task's whole life.
func TestRealExecutorPassesEveryCheckBehindTheEmbeddedAgent(t *testing.T) {
	dir := t.TempDir()
	binary := filepath.Join(dir, "mesos-docker-executor")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "mesos-docker-executor/executor").CombinedOutput(); err != nil {
		t.Fatalf("build the executor: %v\n%s", err, out)
	}
	engine, err := enginetest.Start(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := engine.Stop(); err != nil {
			t.Error(err)
		}
	}()
	config := filepath.Join(dir, "config.yaml")
	if err := os.WriteFile(config, []byte("version: 1\nengine:\n  host: "+engine.Host+"\nrun_directory: "+filepath.Join(dir, "run")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}

	c := newFakeCluster(t, rehearse(t, engine.Socket, binary, config))
	c.flags["launcher_dir"] = dir
	o := testOptions(c)
	o.binary, o.image = binary, enginetest.Image
	machine := &localMachine{engine: engine.Host}
	defer machine.close()
	r, lines := accepted(t, t.Context(), c, o, machine)
	for _, l := range lines {
		t.Logf("%-8s %-34s %v %.2fs %s %q", l.Mode, l.Check, l.Passed, l.Seconds, l.Detail, l.Wrong)
	}
	if !r.passed() {
		t.Error("not passed")
	}
}

// rehearse plays the executor with the real one, started by an embedded agent.
func rehearse(t *testing.T, socket, binary, config string) player {
	return func(task mesos.TaskInfo, kill <-chan *mesos.KillPolicy, send func(mesos.TaskStatus)) {
		ctx, cancel := context.WithTimeout(t.Context(), checkLimit)
		defer cancel()
		a, err := localagent.Start(ctx, localagent.Options{
			Mode: modeOf(task), Task: task, IDs: localagent.IDs{AgentID: fakeAgentID, FrameworkID: fakeFrameworkID},
			Executable: binary, Arguments: []string{"--config=" + config}, DockerSocket: socket,
		})
		if err != nil {
			t.Errorf("start the agent: %v", err)
			return
		}
		defer func() {
			if err := a.Close(); err != nil {
				t.Errorf("close the agent: %v", err)
			}
			for _, v := range a.Violations() {
				t.Errorf("%s: protocol: %s", task.TaskID.Value, v)
			}
		}()
		if err := a.StartExecutor(); err != nil {
			t.Errorf("start the executor: %v", err)
			return
		}
		go func() {
			select {
			case policy := <-kill:
				var grace *time.Duration
				if p := policy.GetGracePeriod(); p != nil {
					grace = new(time.Duration(p.Nanoseconds))
				}
				a.Kill(grace)
			case <-ctx.Done():
			}
		}()
		forward(ctx, a, send)
		if _, err := a.WaitExit(ctx); err != nil {
			t.Errorf("%s: the executor does not end: %v", task.TaskID.Value, err)
		}
	}
}

func modeOf(task mesos.TaskInfo) localagent.Mode {
	if task.Executor != nil {
		return localagent.Custom
	}
	return localagent.DropIn
}

// forward sends each new status until the terminal one.
func forward(ctx context.Context, a *localagent.Agent, send func(mesos.TaskStatus)) {
	for seen := 0; ; {
		entries, err := a.Next(ctx, seen)
		if err != nil {
			return
		}
		seen += len(entries)
		for _, e := range entries {
			if e.Status == nil || e.Duplicate {
				continue
			}
			send(*e.Status)
			if isTerminal(e.Status.GetState()) {
				return
			}
		}
	}
}
