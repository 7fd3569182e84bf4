package supervise

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"mesos-docker-executor/executor/process"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security"
)

// stageMounts puts folders of the sandbox and paths of the host behind paths that no user can change.
func (r *runner) stageMounts(c *container, spec *security.Spec, plan *task.Plan) error {
	if len(plan.SandboxDirs) == 0 && len(plan.HostBinds) == 0 {
		return nil
	}
	o := process.StageOptions{
		Dir: stageDir(r.RunDir), ContainerID: r.ContainerID, Attempt: attempt,
		Sandbox: r.Sandbox, SandboxDirs: plan.SandboxDirs,
	}
	if len(plan.HostBinds) > 0 {
		o.Daemon = r.Engine.Daemon()
	}
	for _, b := range plan.HostBinds {
		o.HostPaths = append(o.HostPaths, r.hostPath(b))
	}
	stage, err := process.NewStage(o)
	if err != nil {
		return explainStage(err, plan.HostBinds)
	}
	c.stage = stage
	spec.Host.Mounts = slices.Clone(spec.Host.Mounts)
	for i, m := range spec.Host.Mounts {
		if rel, ok := strings.CutPrefix(m.Source, r.lease.Path+"/"); ok {
			spec.Host.Mounts[i].Source = stage.Source(rel)
		}
		if n := slices.IndexFunc(plan.HostBinds, func(b security.HostBind) bool { return b.Target == m.Target }); n >= 0 {
			spec.Host.Mounts[i].Source = stage.HostSource(n)
		}
	}
	return nil
}

// hostPath closes to a task what the policy cannot know: where the engine has its data.
func (r *runner) hostPath(b security.HostBind) process.HostPath {
	if info := r.info.Load(); info != nil && info.DockerRootDir != "" {
		b = b.Closing(info.DockerRootDir)
	}
	return process.HostPath{
		Path: b.Source, Inside: b.Inside, Closed: b.Closed, Open: b.Open,
		ReadOnly: b.ReadOnly, Recursive: b.Recursive, Propagation: string(b.Propagation), Lifted: b.Lifted,
	}
}

// explainStage says which of the task's mounts it is.
func explainStage(err error, binds []security.HostBind) error {
	var path *process.HostPathError
	if !errors.As(err, &path) {
		return err
	}
	b := binds[path.Index]
	return fmt.Errorf("%s: %q cannot be mounted at %q: %w", b.Origin, b.Source, b.Target, path.Err)
}
