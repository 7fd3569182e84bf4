//go:build linux

package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"mesos-docker-executor/cgroupnet"
	"mesos-docker-executor/cgroupnet/classes"
)

// placements is how many leaves are made with a class, and how many without.
const placements = 200

// class measures what it takes to decide where a leaf is, to make it in every hierarchy, to give it a class and to read that
// back; and beside that, interleaved, the same without a class.
func (b *bench) class(ctx context.Context) error {
	b.notes.say("class: making leaves")
	support, err := cgroupnet.Probe()
	if err != nil {
		return err
	}
	driver, err := support.Driver()
	if err != nil {
		return fmt.Errorf("%w (scripts/setup bench mounts net_cls)", err)
	}
	var with, without []float64
	for i := range 2 * placements {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if i%2 == 0 {
			err = b.place(&with, driver)
		} else {
			err = b.place(&without, nil)
		}
		if err != nil {
			return err
		}
	}
	b.report.add("class", medianOf(with), "in %d hierarchies; %s; without a class %s ms", len(b.groups), spread(with), number(median(without)))
	return nil
}

// place makes a leaf as an executor does, and removes it when its time was taken. Without a driver it gets no class.
func (b *bench) place(into *[]float64, driver cgroupnet.Driver) error {
	in := cgroupnet.PlaceInput{Root: b.cgroupRoot, ContainerID: uuid.NewString(), CgroupDriver: "cgroupfs"}
	if driver != nil {
		in.Class = uint32(benchClass)
	}
	began := time.Now()
	leaf, err := cgroupnet.Place(in)
	if err != nil {
		return err
	}
	if err := cgroupnet.Prepare(b.groups, leaf); err != nil {
		return err
	}
	if driver != nil {
		if err := driver.Assign(leaf, in.Class); err != nil {
			return err
		}
	}
	*into = append(*into, ms(time.Since(began)))
	return cgroupnet.Remove(b.groups, leaf)
}

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
