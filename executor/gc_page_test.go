package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/storage"
	"mesos-docker-executor/storage/cleanup"
)

// The table in docs/gc.md is what the program prints.
func TestPageOfGCShowsThePlan(t *testing.T) {
	const day = 24 * time.Hour
	gib := func(n float64) uint64 { return uint64(n * (1 << 30)) }
	keys := config.Default()
	keys.GC.MaxImages, keys.GC.Keep = 3, "registry.example.com/base/*"
	rules := cleanup.Rules{Begin: keys.GC.BeginPercent, Until: keys.GC.UntilPercent, Cycle: 3, MinAge: keys.GC.MinAge, Keep: keys.GC.Kept()}
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	image := func(name, id string, size float64, ago time.Duration, containers int) cleanup.Image {
		return cleanup.Image{ID: "sha256:" + id, Names: []string{"registry.example.com/" + name}, Size: gib(size), Used: now.Add(-ago), Containers: containers}
	}
	room := storage.Room{Bytes: storage.Amount{Free: gib(14.1), Total: gib(98.4)}, Inodes: storage.Amount{Free: 5_101_233, Total: 6_553_600}}
	for _, use := range []storage.Use{storage.DataRoot, storage.Layers, storage.Downloads, storage.Containers} {
		room.Places = append(room.Places, storage.Place{Path: "/var/lib/docker", Use: use})
	}
	var b strings.Builder
	err := rules.Plan(now, rules.Goal([]storage.Room{room}, keys.Storage.Settings().Thresholds), []cleanup.Image{
		image("shop/cart:41", "5f2c1a0b9e7d", 3.42, 21*day, 0),
		image("shop/cart:42", "93c04b771f52", 3.43, 14*day, 0),
		image("batch/etl:7", "c1d20e8f6a3b", 2.11, 10*day, 0),
		image("batch/etl:8", "08aa1c3d55e0", 2.12, 5*day, 0),
		image("base/java:17", "7a90cc1e2f04", 0.39, 40*day, 0),
		image("shop/cart:43", "0be4f5a2d911", 3.43, 3*time.Hour, 3),
		image("batch/etl:9", "4d1f90b2c77a", 2.12, 40*time.Minute, 0),
	}).Table(&b)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../docs/gc.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(page), b.String()) {
		t.Errorf("docs/gc.md does not have:\n%s", b.String())
	}
	if line := fmt.Sprintf("(here with gc.max_images: %d)", keys.GC.MaxImages); !strings.Contains(string(page), line) {
		t.Errorf("docs/gc.md does not have: %s", line)
	}
}
