package supervise

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

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
	stage, err := r.newStage(o)
	c.stuck = errors.As(err, new(*stuckError))
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

// stageLimit is how long the host may take to open what a task mounts: a moment, but for a file system whose server is away.
const stageLimit = 10 * time.Second

// stuckError is that the host had not opened a path when the time for it was over, or nobody wanted it any more.
type stuckError struct {
	path string
	why  error
}

func (e *stuckError) Error() string {
	return fmt.Sprintf("the file system of %s does not answer (%v): see what is mounted there (findmnt -T)", e.path, e.why)
}

// newStage gives up what does not come to an end, which may be any call on a path: a user can make a file system whose server never
// answers (FUSE). Its goroutine stays behind, as nothing ends such a call but the end of the process.
func (r *runner) newStage(o process.StageOptions) (*process.Stage, error) {
	ctx, cancel := context.WithTimeoutCause(r.launch, stageLimit, fmt.Errorf("waited %s", stageLimit))
	defer cancel()
	var at atomic.Pointer[string]
	o.Opening = func(path string) { at.Store(&path) }
	type result struct {
		stage *process.Stage
		err   error
	}
	staged := make(chan result)
	go func() {
		stage, err := process.NewStage(o)
		select {
		case staged <- result{stage, err}:
		case <-ctx.Done():
			if stage != nil {
				_ = stage.Release() // else the next executor's sweep does it
			}
		}
	}()
	select {
	case s := <-staged:
		return s.stage, s.err
	case <-ctx.Done():
		return nil, stuckAt(o, *cmp.Or(at.Load(), &o.Dir), context.Cause(ctx))
	}
}

func stuckAt(o process.StageOptions, path string, why error) error {
	stuck := &stuckError{path, why}
	if n := slices.IndexFunc(o.HostPaths, func(h process.HostPath) bool { return h.Path == path }); n >= 0 {
		return &process.HostPathError{Index: n, Err: stuck}
	}
	return stuck
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
