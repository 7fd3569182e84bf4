//go:build acceptance

package main

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/pkg/stdcopy"
)

// miniCommandLimit bounds a command inside the cluster; loading an image is the slow one.
const miniCommandLimit = 2 * time.Minute

// configureAgent appends our settings to the agent's: of two assignments the later one wins.
func (m *mini) configureAgent(ctx context.Context) error {
	present, err := m.readFile(ctx, miniAgentConfig)
	if err != nil {
		return err
	}
	content := append(append(present, '\n'), miniAgentSettings...)
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	header := &tar.Header{Name: path.Base(miniAgentConfig), Mode: 0o644, Size: int64(len(content)), Typeflag: tar.TypeReg}
	if err := errors.Join(w.WriteHeader(header), write(w, content), w.Close()); err != nil {
		return err
	}
	return m.docker.CopyToContainer(ctx, m.id, path.Dir(miniAgentConfig), &archive, container.CopyToContainerOptions{})
}

func write(w io.Writer, content []byte) error {
	_, err := w.Write(content)
	return err
}

// readFile takes a regular file out of the cluster's container, which need not run.
func (m *mini) readFile(ctx context.Context, name string) ([]byte, error) {
	stream, _, err := m.docker.CopyFromContainer(ctx, m.id, name)
	if err != nil {
		return nil, err
	}
	defer stream.Close()
	archive := tar.NewReader(stream)
	if _, err := archive.Next(); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(archive, 1<<20))
}

// command runs a command in the cluster's container and returns its standard output. A status other than 0 is an error.
func (m *mini) command(ctx context.Context, stdin io.Reader, argv ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, miniCommandLimit)
	defer cancel()
	created, err := m.docker.ContainerExecCreate(ctx, m.id, container.ExecOptions{
		Cmd: argv, AttachStdin: stdin != nil, AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return "", err
	}
	attached, err := m.docker.ContainerExecAttach(ctx, created.ID, container.ExecAttachOptions{})
	if err != nil {
		return "", err
	}
	defer attached.Close()
	// Reads and writes on a hijacked connection know no context.
	defer context.AfterFunc(ctx, attached.Close)()
	fed := make(chan error, 1)
	go func() {
		var err error
		if stdin != nil {
			_, err = io.Copy(attached.Conn, stdin)
		}
		fed <- errors.Join(err, attached.CloseWrite())
	}()
	var out, errOut bytes.Buffer
	_, err = stdcopy.StdCopy(&out, &errOut, attached.Reader)
	if err == nil {
		err = <-fed
	}
	if ctx.Err() != nil {
		return "", fmt.Errorf("%s: %w", argv[0], context.Cause(ctx))
	}
	// A command that fails leaves its input unread: its own words come first.
	ended, inspectErr := m.docker.ContainerExecInspect(ctx, created.ID)
	if inspectErr == nil && ended.ExitCode != 0 {
		return "", fmt.Errorf("%s: exit status %d: %s", strings.Join(argv, " "), ended.ExitCode, oneLine(errOut.String()))
	}
	if err := errors.Join(err, inspectErr); err != nil {
		return "", fmt.Errorf("%s: %w", argv[0], err)
	}
	return out.String(), nil
}

// loadImage copies an image from the outer engine to the one inside: no registry is asked.
func (m *mini) loadImage(ctx context.Context, name string) error {
	saved, err := m.docker.ImageSave(ctx, []string{name})
	if err != nil {
		return err
	}
	defer saved.Close()
	_, err = m.command(ctx, saved, "docker", "load")
	return err
}

func (m *mini) version(ctx context.Context, path string) (string, error) {
	out, err := m.command(ctx, nil, path, "--version")
	return firstLine(out), err
}

func (m *mini) containers(ctx context.Context) ([]found, error) {
	out, err := m.command(ctx, nil, "docker", "ps", "--all", "--no-trunc", "--format", "{{.ID}}\t{{.Names}}\t{{.Status}}\t{{.Label \""+taskLabel+"\"}}")
	if err != nil {
		return nil, err
	}
	return parseContainers(out), nil
}

// parseContainers reads the lines of `docker ps` in the format of [mini.containers].
func parseContainers(lines string) []found {
	var all []found
	for line := range strings.Lines(lines) {
		fields := strings.Split(strings.TrimRight(line, "\n"), "\t")
		if len(fields) == 4 {
			all = append(all, found{id: fields[0], name: fields[1], state: fields[2], task: fields[3]})
		}
	}
	return all
}

func (m *mini) remove(ctx context.Context, id string) error {
	_, err := m.command(ctx, nil, "docker", "rm", "--force", "--volumes", id)
	return err
}
