package gcproof

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/enginefault"
	"mesos-docker-executor/executor/localagent"
	"mesos-docker-executor/executor/registrytest"
	"mesos-docker-executor/executor/task"
)

// team is images of one registry that tasks run from. They share a layer.
type team struct {
	registry *registrytest.Registry
	pushed   []registrytest.Image
	ids      []string
}

// pulled are such images, which the engine has. They were used weeks ago, the first one first, and before all other images.
func (h *host) pulled(count int) *team {
	h.t.Helper()
	listener, err := private.Listen(h.t.Context(), "tcp", "127.0.0.1:0")
	must(h.t, err)
	all := &team{registry: registrytest.Start(h.t, listener)}
	path, err := exec.LookPath("busybox")
	must(h.t, err)
	busybox, err := os.ReadFile(path)
	must(h.t, err)
	shell := registrytest.Layer(h.t, map[string][]byte{"bin/sh": busybox})
	for n := range count {
		name := fmt.Sprintf("team/app%d", n)
		image := all.registry.Push(h.t, name, "v1", ocispec.ImageConfig{}, shell, registrytest.Layer(h.t, map[string][]byte{"name": []byte(name)}))
		must(h.t, h.engine.Pull(h.t.Context(), image.Ref, engine.PullOptions{}))
		found, err := h.engine.Image(h.t.Context(), image.Ref)
		must(h.t, err)
		all.pushed, all.ids = append(all.pushed, image), append(all.ids, found.ID)
		h.usedLongAgo(all, n)
	}
	h.t.Cleanup(func() {
		for _, image := range all.pushed {
			if err := h.engine.RemoveImage(after(h.t), image.Ref); err != nil {
				h.t.Error(err)
			}
		}
	})
	return all
}

// pulls counts how often the engine has asked for an image.
func (a *team) pulls(n int) int { return a.registry.Count(a.pushed[n].Digest) }

// life is one executor under an embedded agent. Its task goes on until it is told to end.
type life struct {
	*localagent.Agent
	t    *testing.T
	host *host
	ctx  context.Context
	word *os.File
}

// launch starts an executor with a task. Its engine is behind a proxy if there is one.
func (h *host) launch(t *testing.T, mode localagent.Mode, image string, p *enginefault.Proxy) *life {
	t.Helper()
	config, socket := h.config, private.Socket
	if p != nil {
		config, socket = h.configThrough(p), strings.TrimPrefix(p.Host, "unix://")
	}
	info, err := task.FromJSON(fmt.Appendf(nil, `{
		"name": "test", "task_id": {"value": "task-1"}, "agent_id": {"value": "agent-1"},
		"resources": [
			{"name": "cpus", "type": "SCALAR", "scalar": {"value": 0.1}},
			{"name": "mem", "type": "SCALAR", "scalar": {"value": 64}}],
		"command": {"shell": true, "value": "read word <$MESOS_SANDBOX/end"},
		"container": {"type": "DOCKER", "docker": {"image": %q, "network": "NONE"}}
	}`, image))
	must(t, err)
	o := localagent.Options{
		Mode: mode, Task: info, Executable: binary, Arguments: []string{"--config=" + config},
		DockerSocket: socket,
	}
	if mode == localagent.Custom {
		o.Arguments = append([]string{"run"}, o.Arguments...)
	}
	ctx, cancel := context.WithTimeout(after(t), patience)
	agent, err := localagent.Start(ctx, o)
	must(t, err)
	l := &life{Agent: agent, t: t, host: h, ctx: ctx}
	t.Cleanup(func() {
		defer cancel()
		l.report()
		if err := agent.Close(); err != nil {
			t.Errorf("agent: %v", err)
		}
	})
	path := filepath.Join(l.Sandbox(), "end")
	must(t, syscall.Mkfifo(path, 0o666))
	l.word, err = os.OpenFile(path, os.O_RDWR, 0) // also for reading, so that it does not wait for the task
	must(t, err)
	t.Cleanup(func() { l.word.Close() })
	must(t, l.StartExecutor())
	return l
}

// runs waits for TASK_RUNNING, for which a task that ends before it is too late.
func (l *life) runs() {
	l.t.Helper()
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	go func() {
		defer cancel()
		_, _ = l.WaitTerminal(ctx) // the timeline has it
	}()
	_, err := l.WaitState(ctx, mesos.TASK_RUNNING)
	must(l.t, err)
}

// finishes lets the task end, and waits for the executor to have ended with it.
func (l *life) finishes() {
	l.t.Helper()
	_, err := l.word.WriteString("now\n")
	must(l.t, err)
	last, err := l.WaitTerminal(l.ctx)
	must(l.t, err)
	if last.GetState() != mesos.TASK_FINISHED {
		l.t.Errorf("%v: %s", last.GetState(), last.GetMessage())
	}
	if state, err := l.WaitExit(l.ctx); err != nil || state.ExitCode() != 0 {
		l.t.Errorf("the executor: %v, %v", state, err)
	}
}

// report prints what a reader of a failure needs, and fails for breaches of the protocol.
func (l *life) report() {
	for _, v := range l.Violations() {
		l.t.Errorf("protocol: %s", v)
	}
	if !l.t.Failed() {
		return
	}
	var timeline bytes.Buffer
	for _, e := range l.Timeline() {
		fmt.Fprintf(&timeline, "%s %s\n", e.At.Format("05.000"), e)
	}
	log, _ := os.ReadFile(filepath.Join(l.Sandbox(), "mesos-docker-executor.log"))
	l.t.Logf("timeline:\n%s\nlog:\n%s", timeline.String(), log)
}

// nothingLeft checks that executors have left no container, nothing in their run directory, and no cgroup.
func (h *host) nothingLeft() {
	h.t.Helper()
	containers, err := h.engine.List(h.t.Context(), "mesos-docker-executor.container_id")
	must(h.t, err)
	if len(containers) > 0 {
		h.t.Errorf("containers left behind: %v", containers)
	}
	for _, folder := range []string{"leases", "mounts", "tasks"} {
		left, err := filepath.Glob(filepath.Join(h.run, folder, "*"))
		must(h.t, err)
		if len(left) > 0 {
			h.t.Errorf("left behind: %v", left)
		}
	}
	hierarchies, err := cgroupnet.Hierarchies()
	must(h.t, err)
	for _, hierarchy := range hierarchies {
		left, err := filepath.Glob(hierarchy.Folder(cgroupRoot) + "/*/")
		must(h.t, err)
		if len(left) > 0 {
			h.t.Errorf("left behind: %v", left)
		}
	}
}
