//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet/classes"
)

// A class file of the size that is measured: 10,000 apps.
const (
	benchTeams  = 100
	teamApps    = 100
	firstMajor  = 0x0010
	firstMinor  = 0x0100
	proxy       = "marathon-proxy"                                                      // principal of the team's Marathon
	lastAppID   = "/team-100/app-100"                                                   // the app that For finds last
	benchClass  = classes.ID((firstMajor+benchTeams-1)<<16 + firstMinor + teamApps - 1) // its class
	registryRun = 20                                                                    // loads that are measured
)

// writeClassFile writes it to the bench's folder. The tasks of the bench match its last entry.
func (b *bench) writeClassFile() (path string, err error) {
	var text, entries strings.Builder
	fmt.Fprintf(&text, "version: 1\nprincipals:\n  %s: {app_id_trusted: true}\nclusters:\n  bench:\n    teams:\n", proxy)
	for t := range benchTeams {
		fmt.Fprintf(&text, "      team-%d:\n        major: %#04x\n        apps:\n", t+1, firstMajor+t)
		for a := range teamApps {
			fmt.Fprintf(&text, "          /team-%d/app-%d: 0x%04x%04x\n", t+1, a+1, firstMajor+t, firstMinor+a)
		}
		fmt.Fprintf(&entries, "      - {match: {principals: [%s], app_ids: [\"/team-%d/**\"]}, team: team-%d}\n", proxy, t+1, t+1)
	}
	fmt.Fprintf(&entries, "      - {match: {roles: [\"*\"]}, team: team-%d, app: %s}\n", benchTeams, lastAppID)
	path = filepath.Join(b.dir, "classes.yaml")
	return path, os.WriteFile(path, []byte(text.String()+"    identities:\n"+entries.String()), 0o600)
}

// registry measures what a class file of 10,000 apps costs: to load it and to find a class, and what it does to executors.
func (b *bench) registry(ctx context.Context) error {
	b.notes.say("registry: loading a class file")
	path, err := b.writeClassFile()
	if err != nil {
		return err
	}
	if err := b.loadRegistry(ctx, path); err != nil {
		return err
	}
	if err := b.registryStarts(ctx, path); err != nil {
		return err
	}
	return b.registryMemory(ctx, path)
}

// loadRegistry measures Load and For in the bench's own process.
func (b *bench) loadRegistry(ctx context.Context, path string) error {
	var took, cpu []float64
	for range registryRun {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		before, began := ownCPU(), time.Now()
		r, err := classes.Load(path, true)
		if err != nil {
			return err
		}
		class, err := r.For(classes.Identity{Principal: proxy, Trusted: true, AppID: lastAppID})
		took, cpu = append(took, ms(time.Since(began))), append(cpu, ms(ownCPU()-before))
		if err != nil || class.ID != benchClass {
			return fmt.Errorf("the last app of the class file has class %s instead of %s: %v", class.ID, benchClass, err)
		}
	}
	b.report.add("registry_load", medianOf(took), "%d apps; CPU %s ms; the first time %s ms, CPU %s ms",
		benchTeams*teamApps, number(median(cpu)), number(took[0]), number(cpu[0]))
	return nil
}

// ownCPU is the user and system time of the bench's own process.
func ownCPU() time.Duration {
	var used unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &used) != nil {
		return 0 // cannot happen: getrusage(2)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// registryStarts measures the time to SUBSCRIBE of executors that have a class file to read, and interleaved of those that have
// none. They get no task.
func (b *bench) registryStarts(ctx context.Context, path string) error {
	var with, without []float64
	for i := range b.pairs {
		b.notes.say("registry: start %d of %d", i+1, b.pairs)
		err := inOrder(i%2 == 0,
			func() error { return b.startOnly(ctx, &with, "--classes="+path) },
			func() error { return b.startOnly(ctx, &without) })
		if err != nil {
			return err
		}
	}
	b.report.add("registry_start", ratioOf(singly(with), singly(without)),
		"fork to SUBSCRIBE %s ms, without a class file %s ms", number(median(with)), number(median(without)))
	return nil
}

// startOnly starts an executor, and ends it when it has subscribed.
func (b *bench) startOnly(ctx context.Context, into *[]float64, flags ...string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := b.startExecutor(untilKilled, b.engine.Socket, flags...)
	if err != nil {
		return err
	}
	defer r.stop()
	subscribed, err := r.awaitSubscribe(ctx)
	if err != nil {
		return err
	}
	*into = append(*into, ms(subscribed.Sub(r.began)))
	return nil
}

// registryMemory measures what idle executors have in memory that have read a class file, and interleaved those that had none,
// and their launches.
func (b *bench) registryMemory(ctx context.Context, path string) error {
	var runs [2][]*execution // with, without
	var took [2][]float64
	for i := range b.executors + b.executors%2 {
		b.notes.say("registry: launching executor %d", i+1)
		side, flags := i%2, []string{"--classes=" + path}
		if side == 1 {
			flags = nil
		}
		r, launched, err := b.launchClassed(ctx, side == 0, flags)
		if err != nil {
			return err
		}
		runs[side], took[side] = append(runs[side], r), append(took[side], launched)
	}
	b.notes.say("registry: settling for %s", grownIdle)
	if err := pause(ctx, grownIdle); err != nil {
		return err
	}
	var rss, anon [2][]float64
	for side := range runs {
		for _, r := range runs[side] {
			m, err := memoryOf(r.pid())
			if err != nil {
				return err
			}
			rss[side], anon[side] = append(rss[side], m.rss), append(anon[side], m.anon)
		}
	}
	b.report.add("registry_launch", ratioOf(singly(took[0]), singly(took[1])),
		"LAUNCH to TASK_RUNNING %s ms, without a class file %s ms", number(median(took[0])), number(median(took[1])))
	b.report.add("registry_rss", differenceOf(rss[0], rss[1]), "idle VmRSS %s MB, without a class file %s MB; RssAnon %s and %s MB",
		number(median(rss[0])), number(median(rss[1])), number(median(anon[0])), number(median(anon[1])))
	return endAll(ctx, append(runs[0], runs[1]...))
}

// launchClassed launches a task, and makes sure that it has its class, or none.
func (b *bench) launchClassed(ctx context.Context, classed bool, flags []string) (*execution, float64, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := b.startExecutor(untilKilled, b.engine.Socket, flags...)
	if err != nil {
		return nil, 0, err
	}
	if _, err := r.awaitSubscribe(ctx); err != nil {
		return nil, 0, err
	}
	launched, err := r.launch()
	if err != nil {
		return nil, 0, err
	}
	at, _, err := r.running(ctx)
	if err != nil {
		return nil, 0, err
	}
	want := uint32(0)
	if classed {
		want = uint32(benchClass)
	}
	if got := r.classID(); got != want {
		return nil, 0, fmt.Errorf("TASK_RUNNING has class 0x%08x instead of 0x%08x", got, want)
	}
	return r, ms(at.Sub(launched)), nil
}
