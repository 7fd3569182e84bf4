//go:build acceptance

package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/client"
)

// defaultEngine is the Docker host that the docker command uses as well.
const defaultEngine = "unix:///var/run/docker.sock"

// engineLimit bounds each question to the Docker Engine.
const engineLimit = 20 * time.Second

// machine is where the agent runs: the host itself, or the container of the mini cluster.
type machine interface {
	// version runs `path --version` and returns the first line that it prints. A status other than 0 is an error.
	version(ctx context.Context, path string) (string, error)
	// containers lists the containers of the agent's Docker Engine, also the ones that have ended.
	containers(ctx context.Context) ([]found, error)
	// remove kills and removes a container, with its anonymous volumes.
	remove(ctx context.Context, id string) error
}

// found is a container on the agent's Docker Engine.
type found struct {
	id, name, state string
	task            string // value of the label [taskLabel]
}

// localMachine is the host that this program runs on.
type localMachine struct {
	engine string // Docker host
	docker *client.Client
}

func (l *localMachine) version(ctx context.Context, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, "--version")
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
	cmd.WaitDelay = time.Second
	out, err := cmd.Output()
	if err != nil {
		return "", err
	}
	return firstLine(string(out)), nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

func (l *localMachine) open() (*client.Client, error) {
	if l.docker == nil {
		c, err := openDocker(l.engine)
		if err != nil {
			return nil, err
		}
		l.docker = c
	}
	return l.docker, nil
}

// openDocker makes a client that agrees on an API version with the daemon. No traffic.
func openDocker(host string) (*client.Client, error) {
	c, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		return nil, fmt.Errorf("docker host %q: %w", host, err)
	}
	return c, nil
}

func (l *localMachine) containers(ctx context.Context) ([]found, error) {
	c, err := l.open()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, engineLimit)
	defer cancel()
	list, err := c.ContainerList(ctx, container.ListOptions{All: true})
	if err != nil {
		return nil, fmt.Errorf("list the containers of the Docker Engine at %s: %w", l.engine, err)
	}
	var all []found
	for _, s := range list {
		f := found{id: s.ID, state: string(s.State), task: s.Labels[taskLabel]}
		if len(s.Names) > 0 {
			f.name = strings.TrimPrefix(s.Names[0], "/")
		}
		all = append(all, f)
	}
	return all, nil
}

func (l *localMachine) remove(ctx context.Context, id string) error {
	c, err := l.open()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, engineLimit)
	defer cancel()
	return c.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
}

func (l *localMachine) close() {
	if l.docker != nil {
		l.docker.Close()
	}
}
