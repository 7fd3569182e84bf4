//go:build linux

package enginetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

const (
	defaultHost = "unix:///var/run/docker.sock" // where Docker listens unless told otherwise
	pingLimit   = 5 * time.Second
)

// ErrNoEngine says that no engine answers where [Find] looked.
var ErrNoEngine = errors.New("no Docker Engine answers")

// Find returns the address of the engine that already runs on this host: the one at dockerHost (the value of
// DOCKER_HOST), or at Docker's default socket when that is empty. The error is [ErrNoEngine] when none answers
// within 5 s, another one when dockerHost is not a unix socket: an executor shares the host with its engine.
func Find(ctx context.Context, dockerHost string) (host string, err error) {
	host = dockerHost
	if host == "" {
		host = defaultHost
	}
	path, ok := strings.CutPrefix(host, "unix://")
	if !ok || !strings.HasPrefix(path, "/") {
		return "", fmt.Errorf("DOCKER_HOST: %q is not unix:///PATH, the only kind of engine that an executor uses: "+
			"run this on the engine's host, or unset DOCKER_HOST", host)
	}
	// Asked first because the client's own error for a missing socket speaks of a daemon that may be down.
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w at %s: %w", ErrNoEngine, host, err)
	}
	c, err := client.NewClientWithOpts(client.WithHost(host))
	if err != nil {
		return "", err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, pingLimit)
	defer cancel()
	if ping, err := c.Ping(ctx); err != nil || ping.APIVersion == "" {
		return "", fmt.Errorf("%w at %s: %v", ErrNoEngine, host, err)
	}
	return host, nil
}

// Lend gives the engine at host the images that a private one has, as far as it has none of these names; what it
// has stays as it is. giveBack removes what was added, and is never nil; it needs no living ctx. An image that a
// container still uses then stays, and is named in the error.
func Lend(ctx context.Context, host string) (giveBack func() error, err error) {
	nothing := func() error { return nil }
	c, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		return nothing, err
	}
	defer c.Close()
	lookup, cancel := context.WithTimeout(ctx, imagesLimit)
	defer cancel()
	missing, err := missingImages(lookup, c)
	if err != nil {
		return nothing, fmt.Errorf("look for images at %s: %w", host, err)
	}
	if len(missing) == 0 {
		return nothing, nil
	}
	base := context.WithoutCancel(ctx)
	giveBack = func() error { return removeImages(base, host, slices.Sorted(maps.Keys(missing))) }
	if err := load(lookup, c, missing); err != nil {
		// A load that was given up may have been carried out in part.
		return nothing, errors.Join(fmt.Errorf("load images into %s: %w", host, err), giveBack())
	}
	return giveBack, nil
}

// missingImages returns the images of a private engine that this one does not have.
func missingImages(ctx context.Context, c *client.Client) (map[string]ocispec.ImageConfig, error) {
	missing := imageConfigs()
	for tag := range imageConfigs() {
		switch _, err := c.ImageInspect(ctx, tag); {
		case err == nil:
			delete(missing, tag)
		case !errdefs.IsNotFound(err):
			return nil, err
		}
	}
	return missing, nil
}

func removeImages(ctx context.Context, host string, tags []string) error {
	ctx, cancel := context.WithTimeout(ctx, removeLimit)
	defer cancel()
	c, err := client.NewClientWithOpts(client.WithHost(host), client.WithAPIVersionNegotiation())
	if err != nil {
		return err
	}
	defer c.Close()
	var errs []error
	for _, tag := range tags {
		if _, err := c.ImageRemove(ctx, tag, image.RemoveOptions{}); err != nil && !errdefs.IsNotFound(err) {
			errs = append(errs, fmt.Errorf("remove the image %s from %s: %w", tag, host, err))
		}
	}
	return errors.Join(errs...)
}
