//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/task"
	"mesos-docker-executor/security"
)

// plain is one container of the plain side.
type plain struct {
	identity
	bench     *bench
	plan      *task.Plan
	placement cgroupnet.Placement
	id        string
}

// newPlain prepares what the executor would create for a task: the same decision, sandbox and leaf.
func (b *bench) newPlain(command string) (*plain, error) {
	id, err := b.newIdentity()
	if err != nil {
		return nil, err
	}
	info, err := b.taskFor(id, command)
	if err != nil {
		return nil, err
	}
	raw, err := info.Marshal()
	if err != nil {
		return nil, err
	}
	d := task.Decide(raw, id.inputs(), security.BuiltIn())
	if d.Refusal != nil {
		return nil, fmt.Errorf("the task of the bench is refused: %s", d.Refusal.Message)
	}
	p := &plain{identity: id, bench: b, plan: d.Plan}
	p.placement, err = cgroupnet.Place(cgroupnet.PlaceInput{Root: b.cgroupRoot, ContainerID: id.containerID, CgroupDriver: "cgroupfs"})
	if err != nil {
		return nil, err
	}
	spec := &p.plan.Spec
	spec.Host.CgroupParent = p.placement.Parent
	return p, cgroupnet.Prepare(b.groups, p.placement)
}

// start creates and starts the container; that is what is measured.
func (p *plain) start(ctx context.Context) (time.Duration, error) {
	spec := &p.plan.Spec
	began := time.Now()
	made, err := p.bench.docker.ContainerCreate(ctx, &spec.Config, &spec.Host, &spec.Network, nil, spec.Name)
	if err != nil {
		return 0, err
	}
	p.id = made.ID
	err = p.bench.docker.ContainerStart(ctx, p.id, container.StartOptions{})
	return time.Since(began), err
}

func (p *plain) pid(ctx context.Context) (int, error) {
	said, err := p.bench.docker.ContainerInspect(ctx, p.id)
	if err != nil {
		return 0, err
	}
	return said.State.Pid, nil
}

func (p *plain) remove(ctx context.Context) error {
	if err := p.bench.docker.ContainerRemove(ctx, p.id, container.RemoveOptions{Force: true, RemoveVolumes: true}); err != nil {
		return err
	}
	return cgroupnet.Remove(p.bench.groups, p.placement)
}
