//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/docker/docker/client"
	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/enginetest"
)

// bench is what all parts work with. Its methods are for one goroutine.
type bench struct {
	options
	report *report
	notes  progress

	engine      *enginetest.Engine
	docker      *client.Client // the plain side
	image       string
	endpoint    *endpoint
	stopServing context.CancelFunc
	dir         string // holds everything below
	work        string // the agent's work directory, without symbolic links
	config      string // config.yaml
	cgroupRoot  string
	idling      []*execution // of the last burst
	groups      []cgroupnet.Hierarchy

	mu   sync.Mutex
	runs []*execution // guarded by mu: all executors that were started
}

// prepare brings up engine and agent. ctx ends the measurement; close has to be called all the same.
func prepare(ctx context.Context, o options, r *report, notes progress) (*bench, error) {
	if _, err := os.Stat(o.binary); err != nil {
		return nil, fmt.Errorf("the executor is missing: %w; build it with `make build`, or name another with -binary", err)
	}
	b := &bench{options: o, report: r, notes: notes, image: enginetest.Image}
	if err := b.bringUp(ctx); err != nil {
		return nil, errors.Join(orInterrupted(ctx, err), b.close())
	}
	return b, nil
}

func (b *bench) bringUp(ctx context.Context) error {
	b.describeHost()
	if !b.needsMore("size", "review") {
		return nil
	}
	if err := b.makeFolders(); err != nil {
		return err
	}
	if !b.needsMore("size", "review", "class") {
		return nil
	}
	b.notes.say("starting a private Docker Engine")
	engine, err := enginetest.Start(ctx, nil)
	if err != nil {
		return err
	}
	b.engine = engine
	b.docker, err = client.NewClientWithOpts(client.WithHost(engine.Host), client.WithAPIVersionNegotiation())
	if err != nil {
		return err
	}
	version, err := b.docker.ServerVersion(ctx)
	if err != nil {
		return err
	}
	b.report.host["engine"] = version.Version
	serving, stop := context.WithCancel(context.WithoutCancel(ctx)) // executors are ended before the agent is
	b.stopServing = stop
	b.endpoint, err = openEndpoint(serving)
	return err
}

// needsMore reports whether other parts than these are measured.
func (b *bench) needsMore(than ...string) bool {
	return slices.ContainsFunc(b.only, func(part string) bool { return !slices.Contains(than, part) })
}

// makeFolders makes the bench's own folder, and decides on its part of the cgroups.
func (b *bench) makeFolders() (err error) {
	if b.groups, err = cgroupnet.Hierarchies(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "mesos-docker-executor-bench-"); err != nil {
		return err
	}
	if b.dir, err = filepath.EvalSymlinks(b.dir); err != nil {
		return err
	}
	b.work = filepath.Join(b.dir, "work")
	b.cgroupRoot = "/" + filepath.Base(b.dir)
	b.config = filepath.Join(b.dir, "config.yaml")
	text := fmt.Sprintf("version: 1\ncgroup: {root: %s}\nrun_directory: %s\ngc: {directory: %s}\n", b.cgroupRoot, b.runDir(), b.imageUse())
	return os.WriteFile(b.config, []byte(text), 0o600)
}

// runDir and imageUse are what executors and gc share.
func (b *bench) runDir() string   { return filepath.Join(b.dir, "run") }
func (b *bench) imageUse() string { return filepath.Join(b.dir, "images") }

// describeHost notes what the figures depend on.
func (b *bench) describeHost() {
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		b.report.host["kernel"] = unix.ByteSliceToString(name.Release[:])
	}
	b.report.host["cpus"] = fmt.Sprint(runtime.NumCPU())
	b.report.host["network"] = b.network
	b.report.host["began"] = time.Now().UTC().Format(time.RFC3339)
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		b.report.host["load_before"] = strings.Fields(string(load))[0]
	}
}

func (b *bench) keep(r *execution) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.runs = append(b.runs, r)
}

// close ends and removes everything, in the order in which one thing holds the other.
func (b *bench) close() error {
	b.notes.say("cleaning up")
	b.mu.Lock()
	runs := b.runs
	b.mu.Unlock()
	var stopped sync.WaitGroup
	for _, r := range runs {
		stopped.Go(r.stop)
	}
	stopped.Wait()
	var errs []error
	if b.endpoint != nil {
		b.endpoint.close()
	}
	if b.stopServing != nil {
		b.stopServing()
	}
	if b.docker != nil {
		errs = append(errs, b.docker.Close())
	}
	if b.engine != nil {
		errs = append(errs, b.engine.Stop())
	}
	if b.dir != "" {
		errs = append(errs, b.removeCgroups(), os.RemoveAll(b.dir))
	}
	return errors.Join(errs...)
}

// removeCgroups removes the bench's own root of leaves, which is empty by now.
func (b *bench) removeCgroups() error {
	var errs []error
	for _, h := range b.groups {
		var dirs []string
		_ = filepath.WalkDir(h.Folder(b.cgroupRoot), func(path string, d os.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				dirs = append(dirs, path)
			}
			return nil
		})
		for _, dir := range slices.Backward(dirs) {
			errs = append(errs, unix.Rmdir(dir))
		}
	}
	return errors.Join(errs...)
}
