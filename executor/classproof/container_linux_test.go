package classproof

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/network"
	"github.com/google/uuid"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/enginetest"
)

// spec says what a container is to be.
type spec struct {
	network container.NetworkMode // onHost or onBridge
	class   uint32                // of the leaf; 0: none is written
	command []string
	restart container.RestartPolicyMode
	dns     []string // name servers that Docker asks
}

// shell is a command for the image's shell.
func shell(format string, args ...any) []string {
	return []string{"sh", "-c", fmt.Sprintf(format, args...)}
}

// task is a container in a leaf of its own.
type task struct {
	groups []cgroupnet.Hierarchy
	leaf   cgroupnet.Placement
	id     string // Docker's
}

// newTask makes leaf and container as the executor does, and does not start it. Of a task that could not be made nothing is left.
func newTask(ctx context.Context, s spec) (*task, error) {
	groups, err := cgroupnet.Hierarchies()
	if err != nil {
		return nil, err
	}
	id := uuid.NewString()
	// Debian's dockerd has this driver where there is a net_cls.
	leaf, err := cgroupnet.Place(cgroupnet.PlaceInput{Root: cgroupRoot, ContainerID: id, CgroupDriver: "cgroupfs", Class: s.class})
	if err != nil {
		return nil, err
	}
	k := &task{groups: groups, leaf: leaf}
	if err := k.make(ctx, s, "classproof-"+id); err != nil {
		return nil, errors.Join(err, k.remove(ctx))
	}
	return k, nil
}

func (k *task) make(ctx context.Context, s spec, name string) error {
	if err := cgroupnet.Prepare(k.groups, k.leaf); err != nil {
		return err
	}
	if s.class != 0 {
		if err := driver.Assign(k.leaf, s.class); err != nil {
			return err
		}
	}
	config := &container.Config{Image: enginetest.Image, Cmd: s.command}
	host := &container.HostConfig{
		NetworkMode:   s.network,
		DNS:           s.dns,
		RestartPolicy: container.RestartPolicy{Name: s.restart},
		LogConfig:     container.LogConfig{Type: "none"},
		Resources:     container.Resources{CgroupParent: k.leaf.Parent},
	}
	made, err := api.ContainerCreate(ctx, config, host, &network.NetworkingConfig{}, nil, name)
	k.id = made.ID
	return err
}

func (k *task) start(ctx context.Context) error {
	return api.ContainerStart(ctx, k.id, container.StartOptions{})
}

// run starts the container and waits for its end, which must be one with status 0.
func (k *task) run(ctx context.Context) error {
	return k.runWith(ctx, func() error { return nil })
}

// runWith is run that calls f meanwhile.
func (k *task) runWith(ctx context.Context, f func() error) error {
	ctx, cancel := context.WithTimeout(ctx, soonEnough)
	defer cancel()
	ended, failed := api.ContainerWait(ctx, k.id, container.WaitConditionNextExit)
	if err := k.start(ctx); err != nil {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	select {
	case end := <-ended:
		if end.Error != nil || end.StatusCode != 0 {
			return fmt.Errorf("the container ended with status %d, error %+v", end.StatusCode, end.Error)
		}
		return nil
	case err := <-failed:
		return err
	}
}

// remove removes container and leaf, also when ctx has ended.
func (k *task) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), soonEnough)
	defer cancel()
	var err error
	if k.id != "" {
		err = api.ContainerRemove(ctx, k.id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	}
	return errors.Join(err, cgroupnet.Remove(k.groups, k.leaf))
}

// runOnce is a container's whole life.
func runOnce(ctx context.Context, s spec) error {
	k, err := newTask(ctx, s)
	if err != nil {
		return err
	}
	return errors.Join(k.run(ctx), k.remove(ctx))
}

// exec runs a command in the container, which must end with status 0.
func (k *task) exec(ctx context.Context, command string) error {
	made, err := api.ContainerExecCreate(ctx, k.id, container.ExecOptions{
		Cmd: strings.Fields(command), AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return err
	}
	attached, err := api.ContainerExecAttach(ctx, made.ID, container.ExecAttachOptions{})
	if err != nil {
		return err
	}
	defer attached.Close()
	// The stream ends with the command; its status is known a moment later.
	var said strings.Builder
	if _, err := attached.Reader.WriteTo(&said); err != nil {
		return err
	}
	return poll(func() error {
		end, err := api.ContainerExecInspect(ctx, made.ID)
		if err == nil && (end.Running || end.ExitCode != 0) {
			err = fmt.Errorf("docker exec %q: running %t, status %d, %q", command, end.Running, end.ExitCode, &said)
		}
		return err
	})
}
