package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/term"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/executor/admission"
	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/executor/engine"
	"mesos-docker-executor/executor/hostcheck"
	"mesos-docker-executor/executor/imagegc"
	"mesos-docker-executor/executor/supervise"
	"mesos-docker-executor/storage"
	"mesos-docker-executor/storage/cleanup"
	"mesos-docker-executor/storage/imageuse"
)

const (
	gcSweepLimit = time.Minute      // nobody waits for it, unlike for that of a launch
	gcCgroupAge  = 10 * time.Minute // somebody may be about to use a younger one
	gcPatience   = 30 * time.Second // with an agent that is about to remove what a container had
)

func gc(c *cli.Context) error {
	err := noWords(c)
	if errors.Is(err, flag.ErrHelp) {
		return cli.ShowSubcommandHelp(c)
	}
	if err != nil {
		return cli.Exit("gc: "+err.Error(), exitUsage)
	}
	file, err := configFlagged(c)
	if err != nil {
		return cli.Exit(err.Error(), exitUsage)
	}
	g := gcRun{file: file, settings: file.Storage.Settings(), result: gcResult{DryRun: c.Bool("dry-run")}, tell: func(string) {}}
	if term.IsTerminal(int(os.Stderr.Fd())) {
		g.tell = say
	}
	ctx, stop := signal.NotifyContext(c.Context, syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	if err := g.run(ctx); err != nil {
		return cli.Exit("gc: "+err.Error(), exitUsage)
	}
	if c.Bool("json") {
		if err := writeJSON(c.App.Writer, g.result); err != nil {
			return cli.Exit(err.Error(), exitFail)
		}
	} else {
		g.result.print(c.App.Writer)
	}
	return cli.Exit("", g.result.status())
}

// gcRun is one run of gc.
type gcRun struct {
	file     config.File
	settings storage.Settings
	result   gcResult
	tell     func(string) // what is about to be done, on a terminal

	gate   *admission.Gate
	docker *engine.Engine // nil while it is in trouble
	info   engine.Info
}

// rules are those of the configuration.
func gcRules(keys config.GC) cleanup.Rules {
	return cleanup.Rules{
		Begin: keys.BeginPercent, Until: keys.UntilPercent, Cycle: keys.MaxImages, MinAge: keys.MinAge, Keep: keys.Kept(),
	}
}

// run returns an error for what is wrong with the call itself; all else is in the result.
func (g *gcRun) run(ctx context.Context) error {
	if err := gcRules(g.file.GC).Check(); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("it has to be run as root, as the executors are")
	}
	docker, err := engine.Open(g.file.Engine.Host, engine.Limits(g.file.Engine.Limits))
	if err != nil {
		return err
	}
	defer docker.Close()
	if g.result.DryRun {
		g.meet(ctx, docker)
		g.look(ctx)
	} else {
		record, release, err := g.lock()
		if errors.Is(err, imageuse.ErrBusy) {
			g.result.PutOff = "another gc of this host is at work"
			return nil
		}
		defer release()
		g.meet(ctx, docker)
		if err != nil { // what dead executors left is in nobody's record
			g.result.fail(fmt.Errorf("%s: %w", g.noImage(), err))
		} else {
			g.images(ctx, record)
		}
		g.sweep(ctx)
	}
	g.cgroups(ctx)
	g.result.Stopped = ctx.Err() != nil
	return nil
}

// lock opens the record and makes this run the only one of the host until release is called.
func (g *gcRun) lock() (record *imageuse.Folder, release func(), err error) {
	record, err = imageuse.Open(g.file.GC.Directory)
	if err != nil {
		return nil, func() {}, err
	}
	unlock, err := record.Lock()
	if err != nil {
		record.Close()
		return nil, func() {}, err
	}
	return record, func() { unlock(); record.Close() }, nil
}

// meet sees whether the engine may be asked, and asks it who it is.
func (g *gcRun) meet(ctx context.Context, docker *engine.Engine) {
	g.gate = admission.New(admission.Options{
		Dir: filepath.Join(g.file.RunDirectory, "engine"), Engine: g.file.Engine.Host,
		Note: func(line string) { g.result.Notes = append(g.result.Notes, line) },
	})
	if trouble := g.trouble(); trouble != "" {
		g.result.Images.Ended = trouble
		return
	}
	g.tell("asking the engine at " + g.file.Engine.Host)
	info, err := docker.Probe(ctx)
	if err != nil {
		g.failed(ctx, fmt.Errorf("%s: %w; mesos-docker-executor doctor says what to do", g.noImage(), err))
		return
	}
	g.docker, g.info = docker, info
}

// failed adds what went wrong, unless the run was told to stop meanwhile.
func (g *gcRun) failed(ctx context.Context, err error) {
	if ctx.Err() == nil {
		g.result.fail(err)
	}
}

// noImage is what comes of a failure before the first removal.
func (g *gcRun) noImage() string {
	if g.result.DryRun {
		return "no image would be removed"
	}
	return "no image is removed"
}

// trouble says what the host's executors know of an engine that is unfit, "" if they know of nothing.
func (g *gcRun) trouble() string {
	open, state := g.gate.Open()
	if !open {
		return ""
	}
	return fmt.Sprintf("the engine at %s has been unfit since %s: %s", g.file.Engine.Host, state.Changed.Format(time.RFC3339), state.Cause)
}

// hindrance says why nothing may be removed just now.
func (g *gcRun) hindrance() string {
	if trouble := g.trouble(); trouble != "" {
		return trouble
	}
	for _, kind := range []admission.Kind{admission.Start, admission.Pull} {
		if g.gate.Awaited(kind) {
			return fmt.Sprintf("a launch waits for its %s", kind)
		}
	}
	return imagegc.Load{Average: g.file.GC.MaxLoad, Pressure: g.file.GC.MaxIOPressure}.Exceeded()
}

func (g *gcRun) options() imagegc.Options {
	looker := &storage.Looker{}
	return imagegc.Options{
		Engine: imagegc.Engine{
			Images: g.docker.Images, ImagesInUse: g.docker.ImagesInUse, Image: g.docker.Image, RemoveImage: g.docker.RemoveImage,
		},
		Rooms: func(ctx context.Context) []storage.Room {
			said := g.info.Storage()
			pools := storage.Pools(said)
			if len(pools) > 0 { // they are what the engine says
				if info, err := g.docker.Probe(ctx); err == nil {
					pools = storage.Pools(info.Storage())
				}
			}
			return append(looker.Look(ctx, storage.LookLimit, storage.Places(said, g.settings.ContainerdRoot, "")), pools...)
		},
		Rules:      gcRules(g.file.GC),
		Thresholds: g.settings.Thresholds,
		Pause:      g.file.GC.Pause,
		Hindrance:  g.hindrance,
		Tell:       g.tell,
	}
}

// look plans, and changes nothing.
func (g *gcRun) look(ctx context.Context) {
	if g.docker == nil {
		return
	}
	uses, begun, err := imageuse.Read(g.file.GC.Directory)
	if err == nil {
		err = g.info.Storage().Check()
	}
	var plan cleanup.Plan
	if err == nil {
		plan, err = imagegc.Look(ctx, g.options(), uses, begun)
	}
	if err != nil {
		g.failed(ctx, fmt.Errorf("%s: %w", g.noImage(), err))
		return
	}
	g.result.planned(plan)
	g.result.Images.Ended = g.hindrance()
}

func (g *gcRun) images(ctx context.Context, record *imageuse.Folder) {
	if g.docker == nil {
		return
	}
	if g.result.Images.Ended = g.hindrance(); g.result.Images.Ended != "" {
		return // not even the lists are asked for
	}
	err := g.info.Storage().Check()
	var report imagegc.Report
	if err == nil {
		report, err = imagegc.Run(ctx, g.options(), record)
	}
	if err != nil {
		g.failed(ctx, fmt.Errorf("%s: %w", g.noImage(), err))
		return
	}
	g.result.carriedOut(report)
}

// sweep cleans up after dead executors; what needs the engine stays for later while that is in trouble.
func (g *gcRun) sweep(ctx context.Context) {
	options := supervise.SweepOptions{
		RunDir: g.file.RunDirectory, CgroupRoot: g.file.Cgroup.Root, Log: slog.New(slog.DiscardHandler),
		Thorough: true, Limit: gcSweepLimit,
	}
	if g.docker != nil && g.trouble() == "" {
		options.Engine, options.EngineHost = g.docker, g.docker.Host()
	}
	if ctx.Err() != nil {
		return
	}
	g.tell("cleaning up after dead executors")
	report, err := supervise.Sweep(ctx, options)
	if err != nil {
		g.failed(ctx, err)
		return
	}
	g.result.Sweep = &report
}

// cgroups removes those of containers that are gone, or only names them.
func (g *gcRun) cgroups(ctx context.Context) {
	hierarchies, err := cgroupnet.Hierarchies()
	if errors.Is(err, cgroupnet.ErrNoHierarchy) || ctx.Err() != nil {
		return
	}
	g.tell("looking for cgroups that nobody needs")
	search := cgroupnet.Search{Hierarchies: hierarchies, Age: gcCgroupAge, Claimed: func(id string) bool {
		_, err := os.Lstat(filepath.Join(supervise.ClaimDir(g.file.RunDirectory), id))
		return !errors.Is(err, fs.ErrNotExist)
	}}
	var found []cgroupnet.Leftover
	if err == nil {
		found, err = search.Leaves(g.file.Cgroup.Root)
	}
	if err == nil {
		patience := gcPatience
		if g.result.DryRun {
			patience = 0
		}
		var agents []cgroupnet.Leftover
		agents, err = search.AgentLeftovers(ctx, patience, append(hostcheck.CgroupsRoots("/proc"), cgroupnet.AgentRoot)...)
		found = append(found, agents...)
	}
	if err != nil {
		g.failed(ctx, err)
	}
	for _, l := range found {
		one := gcCgroup{Cgroup: l.Folder()}
		if !g.result.DryRun {
			if err := l.Remove(); err != nil {
				one.Why = err.Error()
				g.result.fail(err)
			}
			one.Removed = one.Why == ""
		}
		g.result.Cgroups = append(g.result.Cgroups, one)
	}
}
