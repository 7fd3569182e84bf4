//go:build linux

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"mesos-docker-executor/cgroupnet"
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
