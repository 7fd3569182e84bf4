package engine

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/versions"
)

// noContainer begins the daemon's message for a container that does not exist (moby, daemon/errors.go). Two calls draw
// conclusions from that: [Engine.Inspect] and [Engine.Remove].
const noContainer = "No such container: "

// removalPoll is the pause between two looks at a removal that somebody else has begun.
const removalPoll = 200 * time.Millisecond

// isFullID is true of what the daemon calls a container: 64 hexadecimal digits.
func isFullID(s string) bool {
	digit := func(r rune) bool { return '0' <= r && r <= '9' || 'a' <= r && r <= 'f' }
	return len(s) == 64 && strings.IndexFunc(s, func(r rune) bool { return !digit(r) }) < 0
}

// idOrName is a container's ID or name, as Docker allows them.
var idOrName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`) })

// checkContainer refuses what would end up as another path of the API, "" and "../images" among it.
func checkContainer(container string) error {
	if !idOrName().MatchString(container) {
		return fmt.Errorf("%q is not a container's ID or name", container)
	}
	return nil
}

// Create creates a container and returns its ID (64 hex digits) and the daemon's warnings. A name in use is
// [ErrConflict], a missing image [ErrNotFound]. The structs are sent as they are, capabilities sorted and
// spelled in full; they are not modified.
func (e *Engine) Create(ctx context.Context, name string, c *container.Config, h *container.HostConfig, n *network.NetworkingConfig) (id string, warnings []string, err error) {
	kind := call{
		name: "create", limit: e.limits.Create, mutates: true, accept: []int{http.StatusCreated},
		conceal: func(no *DaemonError) { hideEnvironment(no, c) },
	}
	err = e.do(ctx, kind, func(ctx context.Context) error {
		p, err := e.docker()
		if err != nil {
			return err
		}
		if err := checkContainer(name); err != nil {
			return err
		}
		if c == nil || h == nil {
			return errors.New("configuration missing")
		}
		if err := p.knows(h.Mounts); err != nil {
			return err
		}
		config, host := *c, *h // the client normalizes some fields in place
		answer, err := p.docker.ContainerCreate(ctx, &config, &host, p.endpoints(n, &config), nil, name)
		if err != nil {
			return err
		}
		if !isFullID(answer.ID) {
			return fmt.Errorf("the answer has no container ID but %q", answer.ID)
		}
		id, warnings = answer.ID, answer.Warnings
		return nil
	})
	return id, warnings, err
}

// endpointMAC is the first API version in which an endpoint has a hardware address of its own; before, it is the
// container's (Config.MacAddress), and the client refuses to send the endpoint's.
const endpointMAC = "1.44"

// endpoints returns what can be sent of n in the agreed version, and puts into c what has to be sent there instead.
func (p *protocol) endpoints(n *network.NetworkingConfig, c *container.Config) *network.NetworkingConfig {
	if n == nil || !versions.LessThan(p.version, endpointMAC) {
		return n
	}
	sent := &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{}}
	for name, settings := range n.EndpointsConfig {
		if settings != nil && settings.MacAddress != "" {
			//lint:ignore SA1019 older engines take nothing else
			c.MacAddress = settings.MacAddress
			settings = settings.Copy()
			settings.MacAddress = ""
		}
		sent.EndpointsConfig[name] = settings
	}
	return sent
}

// knows returns an error for an option of a mount that an engine of the agreed version leaves out without a word, as it does with
// all of JSON that it does not know: a mount of the whole volume instead of a path in it, say. The client checks the others.
func (p *protocol) knows(mounts []mount.Mount) error {
	for _, m := range mounts {
		option, since := "", ""
		switch {
		case m.VolumeOptions != nil && m.VolumeOptions.Subpath != "":
			option, since = "volume-subpath", "1.45"
		case m.TmpfsOptions != nil && len(m.TmpfsOptions.Options) > 0:
			option, since = "an option of a tmpfs mount", "1.46"
		}
		if option != "" && versions.LessThan(p.version, since) {
			return fmt.Errorf("%s at %s requires API v%s or later, and the engine has v%s", option, m.Target, since, p.version)
		}
	}
	return nil
}

// hideEnvironment takes the values of environment variables out of a daemon's message: it quotes a variable
// that it does not accept in full.
func hideEnvironment(no *DaemonError, c *container.Config) {
	if c == nil {
		return
	}
	for _, variable := range c.Env {
		name, value, _ := strings.Cut(variable, "=")
		if value != "" {
			no.Message = strings.ReplaceAll(no.Message, variable, name+"=<hidden>")
		}
	}
}

// Start starts a created container; nil also if it runs already. A command that doesn't exist or cannot be executed is a
// [*DaemonError] with the runtime's message; the container stays in state "created" then.
//
// A daemon that has lost contact with its runtime answers 500 without knowing whether the container runs:
// that outcome is [Unknown].
func (e *Engine) Start(ctx context.Context, id string) error {
	kind := call{
		name: "start", limit: e.limits.Start, mutates: true,
		accept: []int{http.StatusNoContent, http.StatusNotModified},
		doubt:  lostRuntime,
	}
	return e.do(ctx, kind, func(ctx context.Context) error {
		p, err := e.docker()
		if err != nil {
			return err
		}
		if err := checkContainer(id); err != nil {
			return err
		}
		return p.docker.ContainerStart(ctx, id, container.StartOptions{})
	})
}

// lostRuntime recognizes the ends of gRPC and ttrpc errors by which dockerd reports that containerd or the shim
// went away, or was too slow, in the middle of a request.
func lostRuntime(no *DaemonError) bool {
	if no.Status < http.StatusInternalServerError {
		return false
	}
	for _, sign := range []string{": unavailable", "transport is closing", "error reading from server", "ttrpc: closed", "deadline exceeded", "context canceled"} {
		if strings.Contains(no.Message, sign) {
			return true
		}
	}
	return false
}

// Signal sends a signal, by name ("SIGTERM") or number ("15"), to the container's init process.
// A container that does not run is [ErrConflict]. The limit is Kill for SIGKILL, Signal for all others.
func (e *Engine) Signal(ctx context.Context, id, signal string) error {
	limit := e.limits.Signal
	if isKill(signal) {
		limit = e.limits.Kill
	}
	kind := call{name: "signal", limit: limit, mutates: true, accept: []int{http.StatusNoContent}}
	return e.do(ctx, kind, func(ctx context.Context) error {
		p, err := e.docker()
		if err != nil {
			return err
		}
		if err := checkContainer(id); err != nil {
			return err
		}
		if signal == "" { // the daemon would take it for SIGKILL
			return errors.New("no signal given")
		}
		return p.docker.ContainerKill(ctx, id, signal)
	})
}

// isKill is true of the ways in which the daemon lets SIGKILL be written (moby's pkg/signal): "SIGKILL", "KILL", "9", in any case.
func isKill(signal string) bool {
	if number, err := strconv.Atoi(signal); err == nil {
		return number == 9
	}
	return strings.TrimPrefix(strings.ToUpper(signal), "SIG") == "KILL"
}

// Remove kills and removes a container with its anonymous volumes; nil if there is no such container. A removal that
// is in progress already is waited for. The limit covers everything; when it is over, the removal may still go on.
func (e *Engine) Remove(ctx context.Context, id string) error {
	end := time.Now().Add(e.limits.Remove)
	for {
		err := e.removeOnce(ctx, id, time.Until(end))
		switch {
		case err == nil, errors.Is(err, ErrNotFound):
			return nil
		case !errors.Is(err, ErrConflict) || !strings.Contains(err.Error(), "already in progress") || time.Until(end) < removalPoll:
			return err
		}
		select {
		case <-time.After(removalPoll):
		case <-ctx.Done():
			return err
		}
	}
}

func (e *Engine) removeOnce(ctx context.Context, id string, limit time.Duration) error {
	kind := call{name: "remove", limit: limit, mutates: true, accept: []int{http.StatusNoContent}, missing: noContainer}
	return e.do(ctx, kind, func(ctx context.Context) error {
		p, err := e.docker()
		if err != nil {
			return err
		}
		if err := checkContainer(id); err != nil {
			return err
		}
		return p.docker.ContainerRemove(ctx, id, container.RemoveOptions{Force: true, RemoveVolumes: true})
	})
}
