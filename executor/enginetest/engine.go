//go:build linux

// Package enginetest runs a private Docker Engine for tests, the demo and rehearsals.
//
// Each [Engine] is a dockerd with a network namespace, data root, exec root, containerd, socket and
// cgroup parent of its own, so that several can run side by side, can be frozen or killed, and never
// meet the Docker Engine of the host. It has three local images and needs no registry.
//
// The package owns what it starts: [Engine.Stop] ends the daemon, its containerd, the shims and the
// containers below its exec root, and deletes their mounts, cgroups and files. It signals nothing else.
// When the starting process dies without Stop, the kernel sends the daemon a SIGTERM; the daemon then
// ends its containers, and the next Start on this machine deletes the rest.
//
// [Start] and [Engine.Stop] block for about a second; both are bounded. The methods of an Engine are
// not safe for concurrent use; any number of clients may use its socket at the same time.
//
// It must run as root with Debian's packages docker.io and busybox-static installed.
package enginetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// Limits of the steps, generous because tests of several packages share a machine.
const (
	readyLimit  = 60 * time.Second // a quiet machine needs less than half a second
	imagesLimit = 60 * time.Second
	removeLimit = 20 * time.Second // removal of all containers through the API
	stopLimit   = 20 * time.Second // dockerd gives each container 10 s to react to its stop signal
	sweepLimit  = 10 * time.Second
	pollEvery   = 10 * time.Millisecond
)

// maxSocketPath is the longest path that fits sockaddr_un.sun_path with its final zero, unix(7).
const maxSocketPath = 107

// Engine is one private Docker Engine.
type Engine struct {
	Host   string // "unix://" + Socket, as in DOCKER_HOST
	Socket string // path of the API socket
	Dir    string // holds everything that the engine writes; dockerd.log is the daemon's log
	PID    int    // of dockerd; `nsenter -t PID -n` reaches its network namespace

	base         context.Context // never cancelled: Stop has to work when the context of Start has ended
	options      Options         // kept for Restart
	cgroupParent string          // below which containers live that name no parent
	daemon       *daemon         // nil once it was reaped
	lock         *os.File        // held: this process owns Dir
	shimSockets  map[string]bool // outside of Dir, see rememberShimSockets
}

// Start starts a private engine and returns once it answers and has its images: [Image],
// [EntrypointImage] and [StopSignalImage]. args are added to dockerd's command line
// ("--live-restore"). log receives a line per step, nil means silence. ctx bounds the start only,
// not the life of the engine. An error carries the end of the daemon's log; nothing is left behind then.
func Start(ctx context.Context, log io.Writer, args ...string) (*Engine, error) {
	return StartWith(ctx, log, Options{Args: args})
}

// StartWith is [Start] for an engine that is short of something.
func StartWith(ctx context.Context, log io.Writer, o Options) (*Engine, error) {
	if log == nil {
		log = io.Discard
	}
	if err := checkHost(); err != nil {
		return nil, err
	}
	if err := sweepAbandoned(); err != nil { // a pity, but no hindrance
		fmt.Fprintln(log, "delete what earlier engines left:", err)
	}
	dir, err := os.MkdirTemp("", folderPrefix)
	if err != nil {
		return nil, fmt.Errorf("make the engine's folder: %w", err)
	}
	e := newEngine(dir)
	e.base, e.options = context.WithoutCancel(ctx), o
	if err := e.bringUp(ctx, log); err != nil {
		return nil, errors.Join(err, e.Stop())
	}
	return e, nil
}

// newEngine describes the engine that has its files in dir.
func newEngine(dir string) *Engine {
	socket := filepath.Join(dir, "docker.sock")
	return &Engine{
		Host:         "unix://" + socket,
		Socket:       socket,
		Dir:          dir,
		cgroupParent: "/" + filepath.Base(dir),
		shimSockets:  map[string]bool{},
	}
}

func (e *Engine) bringUp(ctx context.Context, log io.Writer) error {
	if err := e.own(); err != nil {
		return err
	}
	if len(e.Socket) > maxSocketPath {
		return fmt.Errorf("socket path %s is longer than %d bytes: set TMPDIR to a shorter folder", e.Socket, maxSocketPath)
	}
	// An empty file in place of /etc/docker/daemon.json, whose settings may contradict the flags below.
	if err := os.WriteFile(e.configFile(), []byte("{}\n"), 0o600); err != nil {
		return fmt.Errorf("write the engine's configuration: %w", err)
	}
	if err := e.mountDataRoot(); err != nil {
		return err
	}
	began := time.Now()
	if err := e.startDaemon(ctx); err != nil {
		return err
	}
	fmt.Fprintf(log, "private engine at %s ready after %s\n", e.Host, time.Since(began).Round(time.Millisecond))
	began = time.Now()
	if err := e.loadImages(ctx); err != nil {
		return fmt.Errorf("load the test images: %w\n%s", err, e.logTail())
	}
	fmt.Fprintf(log, "images loaded after %s\n", time.Since(began).Round(time.Millisecond))
	return nil
}

// checkHost reports what this machine lacks, with the remedy.
func checkHost() error {
	if os.Geteuid() != 0 {
		return errors.New("a private engine needs root: run as root")
	}
	for program, pkg := range map[string]string{"dockerd": "docker.io", "containerd": "containerd", "busybox": "busybox-static"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%s is missing: apt-get install %s", program, pkg)
		}
	}
	return nil
}

// Freeze stops dockerd with SIGSTOP: connections are accepted, nothing is answered. containerd and
// the containers run on.
func (e *Engine) Freeze() error { return e.signal(unix.SIGSTOP) }

// Thaw lets a frozen dockerd go on, with every request that waits in its socket.
func (e *Engine) Thaw() error { return e.signal(unix.SIGCONT) }

// Kill ends dockerd with SIGKILL and reaps it. Its containerd dies with it (parent-death signal),
// shims and containers run on. Restart brings the daemon back.
func (e *Engine) Kill() error {
	if err := e.signal(unix.SIGKILL); err != nil {
		return err
	}
	<-e.daemon.exited
	e.daemon = nil
	return e.waitForContainerd()
}

// Terminate ends dockerd with SIGTERM, as an upgrade of its package does, and reaps it: it stops the containers first, unless it
// runs with --live-restore. Restart brings the daemon back. It takes as long as the containers do, up to 20 s.
func (e *Engine) Terminate() error {
	if err := e.signal(unix.SIGTERM); err != nil {
		return err
	}
	select {
	case <-e.daemon.exited:
	case <-time.After(stopLimit):
		return fmt.Errorf("dockerd did not end within %v of SIGTERM; the end of its log:\n%s", stopLimit, e.logTail())
	}
	e.daemon = nil
	return e.waitForContainerd()
}

// Died reports whether dockerd ended by itself since it was started. Restart brings it back.
func (e *Engine) Died() bool {
	if e.daemon == nil {
		return false
	}
	select {
	case <-e.daemon.exited:
		return true
	default:
		return false
	}
}

// Restart starts dockerd again after [Engine.Kill] or [Engine.Terminate], or after it died, on the same folders and socket,
// and returns once it answers. ctx bounds the start.
func (e *Engine) Restart(ctx context.Context) error {
	if e.Died() {
		e.daemon = nil
		if err := e.waitForContainerd(); err != nil {
			return err
		}
	}
	if e.daemon != nil {
		return errors.New("restart: dockerd still runs, kill it first")
	}
	return e.startDaemon(ctx)
}

func (e *Engine) signal(s unix.Signal) error {
	if e.daemon == nil {
		return errors.New("dockerd of the private engine does not run")
	}
	if err := e.daemon.process.Signal(s); err != nil {
		return fmt.Errorf("signal dockerd: %w", err)
	}
	return nil
}

// Stop ends the engine and everything that it started, and deletes what they left: mounts, cgroups,
// sockets and files. It works on a frozen, killed or half-started engine too, with a frozen containerd, frozen shims and frozen
// cgroups of containers; it takes at most about a minute (a second when all is well), and may be called again.
func (e *Engine) Stop() error {
	e.rememberShimSockets()
	e.thawAll()
	errs := []error{e.stopDaemon(), e.sweep()}
	if e.lock != nil {
		errs = append(errs, e.lock.Close())
		e.lock = nil
	}
	return errors.Join(errs...)
}

// Tests is the part of [testing.M] that Run uses.
type Tests interface{ Run() int }

// Run is the body of a TestMain whose package shares one engine: it starts the engine, hands it to
// use, runs the tests and stops the engine. It returns the exit status; an engine that cannot be
// started or leaves something behind is a failure, never a skip.
//
// The worker processes of `go test -fuzz` get no engine: they run TestMain as well, but of the package's tests
// only the fuzz target, and are killed when they don't end at once.
func Run(ctx context.Context, m Tests, use func(*Engine)) int {
	return RunWith(ctx, m, Options{}, use)
}

// RunWith is Run with an engine that has options.
func RunWith(ctx context.Context, m Tests, o Options, use func(*Engine)) int {
	if slices.Contains(os.Args, "-test.fuzzworker") {
		return m.Run()
	}
	e, err := StartWith(ctx, nil, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "start a private engine:", err)
		return 1
	}
	use(e)
	status := m.Run()
	if err := e.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop the private engine:", err)
		return max(status, 1)
	}
	return status
}
