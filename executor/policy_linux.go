package main

import (
	"context"
	"log/slog"
	"time"

	mesos "github.com/mesos/mesos-go/api/v1/lib"

	"mesos-docker-executor/cgroupnet/classes"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/process"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security"
)

// trustWait is how long the decision over a task waits, if a file goes by identity, for the inquiry about the agent, which takes milliseconds.
const trustWait = 2 * time.Second

// logPolicy says by which policy the task will be judged.
func (s start) logPolicy(log *slog.Logger) {
	if s.policy == nil {
		return
	}
	log.Info("policy", "file", s.policy.Name(), "sha256", s.policy.Digest())
	for _, note := range s.policy.Notes() {
		log.Warn("policy", "note", note.String())
	}
}

// agentTrusted reports whether the agent's word counts for files that go by who a task belongs to; false where none does.
func (s start) agentTrusted(ctx context.Context, log *slog.Logger, registry *classes.Registry) bool {
	if !registry.UsesIdentity() && (s.policy == nil || !s.policy.UsesIdentity()) {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, trustWait)
	defer cancel()
	verdict, err := s.trust.Verdict(ctx)
	if err != nil {
		log.Warn("policy", "note", "the agent was not checked in time, so no rule by role or principal applies to the task", "waited", trustWait)
	}
	return err == nil && verdict.Trusted
}

// hostGives refuses an accepted task whose container this host cannot give what was decided.
func hostGives(d task.Decision) task.Decision {
	if d.Refusal != nil {
		return d
	}
	if err := process.CheckCapabilities(d.Plan.Spec.Host.CapAdd); err != nil {
		d.Plan = nil
		d.Refusal = &task.Refusal{State: mesos.TASK_FAILED, Reason: mesos.REASON_CONTAINER_LAUNCH_FAILED, Message: "capabilities: " + err.Error()}
	}
	return classGiven(d)
}

// reviewImage refuses an image that reaches what the task itself may not ask for; nil when it is fine.
func reviewImage(log *slog.Logger, image engine.Image, plan *task.Plan) *task.Refusal {
	inherited := security.Image{
		Labels: image.Labels, User: image.User, WorkingDir: image.WorkingDir, Entrypoint: image.Entrypoint, Cmd: image.Cmd,
		Path: image.Path, Volumes: image.Volumes, RepoDigests: image.RepoDigests,
	}
	found := plan.Policy.ReviewImage(inherited, plan.Spec, plan.Granted)
	for _, f := range found {
		if f.Action == security.Audited || f.Action == security.Lift {
			log.Warn("image", "action", string(f.Action), "would", string(f.Would), "field", f.Field, "value", f.Value, "rule", f.Rule, "place", f.Place)
		}
	}
	return task.Refuse(found, plan.Policy.Hash())
}
