//go:build acceptance

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/client"
	"github.com/docker/docker/pkg/jsonmessage"
	"github.com/docker/docker/pkg/stdcopy"
	"github.com/docker/go-connections/nat"
)

// What the image mesos/mesos-mini is made of (support/mesos-mini in the Mesos repository): systemd, a master on 5050, an
// agent on 5051, Docker and Marathon; the agent's settings are shell assignments in one file.
const (
	miniMasterPort  = nat.Port("5050/tcp")
	miniAgentPort   = nat.Port("5051/tcp")
	miniBinary      = "/usr/libexec/mesos/mesos-docker-executor" // in the agent's default --launcher_dir
	miniAgentConfig = "/etc/default/mesos-agent"
	// The image runs custom executors in pid namespaces of their own, where host pids mean nothing.
	miniAgentSettings = "MESOS_CONTAINERIZERS=docker,mesos\nMESOS_LAUNCHER=linux\nMESOS_ISOLATION=cgroups/cpu,cgroups/mem\n"

	miniPullLimit  = 15 * time.Minute
	miniStartLimit = 3 * time.Minute
	miniStopLimit  = time.Minute
)

type miniOptions struct {
	Engine    string // Docker host
	Image     string // the cluster's image
	TaskImage string // copied from Engine into the cluster's own engine
	Binary    string // on this machine
	Notes     func(string, ...any)
}

// mini is a Mesos cluster in one container. It is the [machine] that its agent runs on.
type mini struct {
	docker *client.Client
	id     string // of its container
	master string // host:port, published on loopback
	binary string // as the agent sees it
	agent  agent
}

// startMini starts the cluster and waits for its agent. On an error nothing stays.
func startMini(ctx context.Context, o miniOptions) (*mini, error) {
	docker, err := openDocker(o.Engine)
	if err != nil {
		return nil, err
	}
	m := &mini{docker: docker, binary: miniBinary}
	if err := m.start(ctx, o); err != nil {
		m.stop(context.WithoutCancel(ctx), o.Notes)
		return nil, err
	}
	return m, nil
}

func (m *mini) start(ctx context.Context, o miniOptions) error {
	ping, cancel := context.WithTimeout(ctx, engineLimit)
	defer cancel()
	if _, err := m.docker.Ping(ping); err != nil {
		return fmt.Errorf("no Docker Engine answers at %s: %w; start one, or set MESOS_MASTER=host:port to use a Mesos that runs already", o.Engine, err)
	}
	if _, err := (&localMachine{}).version(ctx, o.Binary); err != nil {
		return fmt.Errorf("%s does not run: %w; build it with `make build`, or name it with --binary", o.Binary, err)
	}
	if err := m.ensureImage(ctx, o); err != nil {
		return err
	}
	if _, err := m.docker.ImageInspect(ctx, o.TaskImage); err != nil {
		return fmt.Errorf("image %s for the tasks is not on the Docker Engine at %s: %w; name another with --image", o.TaskImage, o.Engine, err)
	}
	if err := m.create(ctx, o); err != nil {
		return fmt.Errorf("create a container of %s: %w", o.Image, err)
	}
	if err := m.configureAgent(ctx); err != nil {
		return fmt.Errorf("set the agent up in %s: %w", miniAgentConfig, err)
	}
	if err := m.docker.ContainerStart(ctx, m.id, container.StartOptions{}); err != nil {
		return fmt.Errorf("start %s: %w", o.Image, err)
	}
	if err := m.ready(ctx); err != nil {
		return fmt.Errorf("%s was started, but: %w; it said at last: %s", o.Image, err, m.lastWords(context.WithoutCancel(ctx)))
	}
	if err := m.loadImage(ctx, o.TaskImage); err != nil {
		return fmt.Errorf("copy image %s into the cluster: %w", o.TaskImage, err)
	}
	return nil
}

func (m *mini) ensureImage(ctx context.Context, o miniOptions) error {
	_, err := m.docker.ImageInspect(ctx, o.Image)
	if err == nil {
		return nil
	}
	if !errdefs.IsNotFound(err) {
		return fmt.Errorf("look for image %s on the Docker Engine at %s: %w", o.Image, o.Engine, err)
	}
	o.Notes("pulling %s (not on the Docker Engine at %s yet)", o.Image, o.Engine)
	ctx, cancel := context.WithTimeout(ctx, miniPullLimit)
	defer cancel()
	stream, err := m.docker.ImagePull(ctx, o.Image, image.PullOptions{})
	if err == nil {
		defer stream.Close()
		// The stream tells of a failure in its body; its end without one is success.
		err = jsonmessage.DisplayJSONMessagesStream(stream, io.Discard, 0, false, nil)
	}
	if err != nil {
		return fmt.Errorf("image %s is neither on the Docker Engine at %s nor can it be pulled: %w; load it with `docker load`, or set MESOS_MASTER=host:port to use a Mesos that runs already", o.Image, o.Engine, err)
	}
	return nil
}

func (m *mini) create(ctx context.Context, o miniOptions) error {
	loopback := []nat.PortBinding{{HostIP: "127.0.0.1"}} // a free port of the engine's choice
	created, err := m.docker.ContainerCreate(ctx,
		&container.Config{
			Image: o.Image, Labels: map[string]string{"mesos-docker-executor.acceptance": "mini"},
			ExposedPorts: nat.PortSet{miniMasterPort: {}, miniAgentPort: {}},
		},
		&container.HostConfig{
			Privileged: true, AutoRemove: false,
			PortBindings: nat.PortMap{miniMasterPort: loopback, miniAgentPort: loopback},
			Mounts:       []mount.Mount{{Type: mount.TypeBind, Source: o.Binary, Target: miniBinary, ReadOnly: true}},
		}, nil, nil, "")
	if err != nil {
		return err
	}
	m.id = created.ID
	return nil
}

// ready waits for the published ports, the master and an active agent.
func (m *mini) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, miniStartLimit, fmt.Errorf("its agent did not register in %s", miniStartLimit))
	defer cancel()
	for {
		err := m.look(ctx)
		if err == nil {
			return nil
		}
		var ended endedError
		if errors.As(err, &ended) {
			return err
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
	}
}

// endedError says that the cluster's container is not running.
type endedError struct{ status string }

func (e endedError) Error() string { return "its container is " + e.status }

// look asks once whether the cluster is ready, and fills in where it is.
func (m *mini) look(ctx context.Context) error {
	c, err := m.docker.ContainerInspect(ctx, m.id)
	if err != nil {
		return err
	}
	if !c.State.Running {
		return endedError{fmt.Sprintf("%s with status %d", c.State.Status, c.State.ExitCode)}
	}
	var addresses [2]string
	for i, port := range []nat.Port{miniMasterPort, miniAgentPort} {
		bound := c.NetworkSettings.Ports[port]
		if len(bound) == 0 {
			return fmt.Errorf("port %s is not published yet", port)
		}
		addresses[i] = net.JoinHostPort("127.0.0.1", bound[0].HostPort)
	}
	all, err := listAgents(ctx, addresses[0])
	if err != nil {
		return err
	}
	// Inside, the agent announces itself as 127.0.0.1: any address counts as ours.
	chosen, err := chooseAgent(all, "", nil)
	if err != nil {
		return err
	}
	process, _, err := chosen.split()
	if err != nil {
		return err
	}
	m.master = addresses[0]
	m.agent = agent{id: chosen.ID, process: process, address: addresses[1]}
	m.agent.readFlags(ctx)
	return m.agent.flagsErr
}

// stop removes the cluster's container with everything in it.
func (m *mini) stop(ctx context.Context, notes func(string, ...any)) {
	defer m.docker.Close()
	if m.id == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, miniStopLimit)
	defer cancel()
	if err := m.docker.ContainerRemove(ctx, m.id, container.RemoveOptions{Force: true, RemoveVolumes: true}); err != nil && !errdefs.IsNotFound(err) {
		notes("container %.12s of the cluster was not removed: %v; remove it with `docker rm -f -v %.12s`", m.id, err, m.id)
	}
}

// lastWords are the last lines of the cluster's log, for an error message.
func (m *mini) lastWords(ctx context.Context) string {
	ctx, cancel := context.WithTimeout(ctx, engineLimit)
	defer cancel()
	stream, err := m.docker.ContainerLogs(ctx, m.id, container.LogsOptions{ShowStdout: true, ShowStderr: true, Tail: "10"})
	if err != nil {
		return "(no log: " + err.Error() + ")"
	}
	defer stream.Close()
	var said bytes.Buffer
	stdcopy.StdCopy(&said, &said, io.LimitReader(stream, 64<<10))
	if said.Len() == 0 {
		return "(nothing)"
	}
	return oneLine(said.String())
}
