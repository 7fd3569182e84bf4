// Package engine is the guarded client of the Docker Engine: every call to the daemon that this program
// makes goes through it, under a time limit of its kind, and comes back with what is known about its effect.
//
// A daemon can refuse, hang, die half-way, answer nonsense, or carry out a request long after the client has
// given up. So each failure carries an [Outcome]: [Refused] is surely without effect, [Unknown] may still happen, and
// the caller has to look for the effect, adopt it, or make it harmless. Nothing is retried here but a pull ([Engine.Pull] says
// when) and the removal of a container that the daemon is removing already: else, whether to try again is the caller's decision.
//
// The package owns its connections. Every request gets a new one and closes it: a unix connect costs some
// microseconds, and in return a hung connection never blocks another call, a stale one is never reused, and whether
// anything reached the daemon is never in doubt. An idle [Engine] holds neither connections nor goroutines.
// [Engine.History] tells what was asked and how it ended; concurrent inspects of a container are one request ([Engine.Inspect]).
// What outlives its call ([Output], [Exit]) has an owner that closes it. After a daemon's restart, [Engine.Resume] goes on with an Output;
// [Engine.Diagnose] says what is wrong with a daemon that doesn't answer.
//
// All methods of Engine block, at most for the limit of their kind, and may be called from any number of
// goroutines. They end early when their context ends. The environment (DOCKER_HOST, DOCKER_API_VERSION, HTTP_PROXY and the
// like) has no influence. Nothing is stored on disk: after a crash of this process, a new Engine knows nothing of the old one's calls.
package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/docker/docker/client"
)

// Engine is a guarded client of one Docker Engine. [Open] makes it, [Engine.Probe] makes it usable.
type Engine struct {
	host   string
	limits Limits
	guard  guard
	agreed atomic.Pointer[protocol]                   // nil until a probe has succeeded
	wait   func(context.Context, time.Duration) error // between the tries of a pull

	history  history
	inspects flights
	behind   atomic.Pointer[daemons] // what Standstill found; nil before
}

// protocol is what a successful probe agreed upon with the daemon.
type protocol struct {
	version string // of the API, "1.41"
	docker  *client.Client
}

// Open returns a client of the engine at host, "unix:///path/of/the.sock". It causes no traffic; a daemon that
// isn't there is found by [Engine.Probe]. Other transports are refused: the executor works on the daemon's
// machine by its very nature (cgroups, bind mounts, processes).
func Open(host string, l Limits) (*Engine, error) {
	path, ok := strings.CutPrefix(host, "unix://")
	if !ok || !strings.HasPrefix(path, "/") {
		return nil, fmt.Errorf("engine host %q is not a unix socket: use unix:///path, for example unix:///var/run/docker.sock", host)
	}
	if err := l.check(); err != nil {
		return nil, err
	}
	transport := &http.Transport{
		DialContext:        dialer(path),
		DisableKeepAlives:  true,
		DisableCompression: true,
		Proxy:              nil, // never one of the environment's
	}
	return &Engine{host: host, limits: l, guard: guard{transport}, wait: pause}, nil
}

// Close gives up the client. Calls, [Output]s and [Exit]s in progress are not affected: each ends with its own
// context or Close. The error is always nil.
func (e *Engine) Close() error {
	e.guard.transport.CloseIdleConnections()
	return nil
}

// docker returns the client that speaks the agreed version.
func (e *Engine) docker() (*protocol, error) {
	if p := e.agreed.Load(); p != nil {
		return p, nil
	}
	return nil, errNotProbed
}

var errNotProbed = errors.New("the API version is not agreed yet: probe the engine first")

// dialer connects to the unix socket at path, whatever address the request names.
func dialer(path string) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		conn, err := d.DialContext(ctx, "unix", path)
		if err != nil {
			return nil, fmt.Errorf("%w%s", err, remedy(err))
		}
		return conn, nil
	}
}

// remedy says what the operator can do about a failed connect, see unix(7) and connect(2).
func remedy(err error) string {
	switch {
	case errors.Is(err, syscall.ENOENT), errors.Is(err, syscall.ECONNREFUSED):
		return ": is the Docker daemon running, and is this its socket?"
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return ": run as root or as a member of the socket's group"
	case errors.Is(err, syscall.EAGAIN):
		return ": its queue of connections is full, so the Docker daemon hangs"
	}
	return ""
}
