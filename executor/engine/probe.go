package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/docker/docker/api"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"

	"mesos-docker-executor/storage"
)

// oldestAPI is the API of Docker Engine 20.10 (December 2020), the oldest engine that this package is tested with.
const oldestAPI = "1.41"

// Info is what the daemon says about itself and its host. The fields are named as in its answer.
type Info struct {
	ServerVersion string // "20.10.24"
	APIVersion    string // agreed upon, "1.41"
	Driver        string // storage driver or snapshotter, "overlay2"; empty in the answer of a daemon in trouble
	CgroupDriver  string // "cgroupfs" or "systemd"
	CgroupVersion string // "1" or "2"
	LoggingDriver string // of containers that name none, "json-file"
	KernelVersion string
	DockerRootDir string // where images and containers are, "/var/lib/docker"

	LiveRestoreEnabled bool // containers outlive the daemon
	NGoroutines, NFd   int  // of the daemon: they rise for as long as calls hang
	ContainersRunning  int
	// DriverStatus is what the storage driver says of itself, name and value: at most 32 pairs, each text of 200 bytes. Some
	// drivers say nothing.
	DriverStatus    [][2]string
	Warnings        []string // of the host's shortcomings, at most 8 of 200 bytes
	SecurityOptions []string // "name=seccomp,profile=default" and the like
}

// Bounds of what is kept of an answer.
const (
	maxWarnings = 8
	maxStatus   = 32
	maxText     = 200 // bytes
)

// Probe asks the daemon for its API version and then for its [Info], under the limits Ping and Info. It has to succeed
// before any other call; later probes are allowed and follow an engine that was upgraded meanwhile.
// The version used is the lower one of the daemon's and the client library's; daemons older than API 1.41
// (Docker 20.10) are an error that names their version.
func (e *Engine) Probe(ctx context.Context) (Info, error) {
	p, err := e.negotiate(ctx)
	if err != nil {
		return Info{}, err
	}
	info, err := e.info(ctx, p)
	if err != nil {
		return Info{}, err
	}
	e.agreed.Store(p)
	return info, nil
}

func (e *Engine) info(ctx context.Context, p *protocol) (info Info, err error) {
	kind := call{name: "info", limit: e.limits.Info, accept: []int{http.StatusOK}}
	err = e.do(ctx, kind, func(ctx context.Context) error {
		answer, err := e.get(ctx, p, "/info")
		if err != nil {
			return err
		}
		said := Info{}
		if err := json.NewDecoder(answer).Decode(&said); err != nil {
			return fmt.Errorf("the answer is malformed: %w", err)
		}
		if said.ServerVersion == "" || said.KernelVersion == "" {
			return errors.New("the answer lacks the server's version or the kernel's")
		}
		said.APIVersion = p.version
		said.bound()
		info = said
		return nil
	})
	return info, err
}

// Storage is what package storage judges by.
func (i Info) Storage() storage.Engine {
	return storage.Engine{
		Driver: i.Driver, DriverStatus: i.DriverStatus, DockerRootDir: i.DockerRootDir, KernelVersion: i.KernelVersion, Warnings: i.Warnings,
	}
}

// bound cuts the lists, and makes their texts printable.
func (i *Info) bound() {
	i.Warnings = i.Warnings[:min(len(i.Warnings), maxWarnings)]
	for at := range i.Warnings {
		i.Warnings[at] = boundText(i.Warnings[at])
	}
	i.DriverStatus = i.DriverStatus[:min(len(i.DriverStatus), maxStatus)]
	for at, pair := range i.DriverStatus {
		i.DriverStatus[at] = [2]string{boundText(pair[0]), boundText(pair[1])}
	}
}

func boundText(text string) string {
	return printable(strings.ToValidUTF8(text[:min(len(text), maxText)], ""))
}

var apiVersion = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[1-9][0-9]{0,2}\.[0-9]{1,4}$`) })

// oldAPIError says that a daemon is too old for this package.
type oldAPIError struct{ host, speaks string }

func (e *oldAPIError) Error() string {
	return fmt.Sprintf("the daemon at %s speaks API %s, at least %s (Docker Engine 20.10) is needed: upgrade it", e.host, e.speaks, oldestAPI)
}

// ping returns the daemon's API version.
func (e *Engine) ping(ctx context.Context) (theirs string, err error) {
	kind := call{name: "ping", limit: e.limits.Ping, accept: []int{http.StatusOK}}
	err = e.do(ctx, kind, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+client.DummyHost+"/_ping", nil)
		if err != nil {
			return err
		}
		answer, err := e.guard.RoundTrip(request)
		if err != nil {
			return err
		}
		theirs = answer.Header.Get("Api-Version")
		switch {
		case !apiVersion().MatchString(theirs):
			return fmt.Errorf("the answer's Api-Version is %q, not a version: is a Docker daemon listening at %s?", theirs, e.host)
		case versions.LessThan(theirs, oldestAPI):
			return &oldAPIError{host: e.host, speaks: theirs}
		}
		return nil
	})
	return theirs, err
}

// negotiate pings the daemon and agrees upon a version of the API.
//
// The Docker client's own negotiation is not used: a single answer without the header Api-Version, as a proxy or a
// daemon in trouble gives it, pins that client to API 1.24 for ever.
func (e *Engine) negotiate(ctx context.Context) (*protocol, error) {
	theirs, err := e.ping(ctx)
	if err != nil {
		return nil, err
	}
	ours := api.DefaultVersion
	if versions.LessThan(theirs, ours) {
		ours = theirs
	}
	docker, err := client.NewClientWithOpts(
		client.WithHost(e.host), // before the transport: it wants to set up one of its own kind
		client.WithHTTPClient(&http.Client{Transport: e.guard, CheckRedirect: client.CheckRedirect}),
		client.WithVersion(ours),
		client.WithUserAgent("mesos-docker-executor"),
	)
	if err != nil {
		return nil, fmt.Errorf("docker client: %w", err)
	}
	return &protocol{version: ours, docker: docker}, nil
}
