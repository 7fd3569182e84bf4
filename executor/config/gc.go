package config

import (
	"fmt"
	"strings"
	"time"

	"mesos-docker-executor/storage/cleanup"
)

// GC is the section about the command gc, which removes images to get room back.
type GC struct {
	// Directory is the record of which images are in use. It is the one key
	// that executors read, too.
	Directory string `yaml:"directory"`
	// BeginPercent and UntilPercent are how full a disk is, in bytes or inodes.
	BeginPercent int           `yaml:"begin_percent"`
	UntilPercent int           `yaml:"until_percent"`
	MaxImages    int           `yaml:"max_images"` // removed in one run
	Pause        time.Duration `yaml:"pause"`      // between two removals
	MinAge       time.Duration `yaml:"min_age"`
	// Keep is as it stands in the file; [GC.Kept] takes it apart.
	Keep string `yaml:"keep"`
	// MaxLoad is a load average per CPU, times 100; MaxIOPressure is in percent
	// of time. 0 switches either off.
	MaxLoad       int `yaml:"max_load"`
	MaxIOPressure int `yaml:"max_io_pressure"`
}

func defaultGC() GC {
	rules := cleanup.DefaultRules()
	return GC{
		Directory:    "/var/lib/mesos-docker-executor/images",
		BeginPercent: rules.Begin, UntilPercent: rules.Until, MaxImages: rules.Cycle, Pause: time.Second, MinAge: rules.MinAge,
		MaxLoad: 200, MaxIOPressure: 40,
	}
}

func (g *GC) settings() []setting {
	return []setting{
		stringSetting(&g.Directory, "gc.directory", "absolute path, not `/`", checkFolder,
			"folder where executors write down which images they use; the same for all executors of a host, on a disk that outlives its boot"),
		integerSetting(&g.BeginPercent, "gc.begin_percent", 1, 100, "[gc](gc.md) removes images when a disk with layers is fuller than this, in bytes or inodes, or too full for containers"),
		integerSetting(&g.UntilPercent, "gc.until_percent", 0, 100, "how full the disk is to be then; not above `gc.begin_percent`"),
		integerSetting(&g.MaxImages, "gc.max_images", 1, 1000, "images that one run of gc removes at most"),
		durationSetting(&g.Pause, "gc.pause", 0, 10*time.Minute, "how long gc waits between two removals"),
		durationSetting(&g.MinAge, "gc.min_age", time.Minute, 90*24*time.Hour, "images that were used later than so long ago stay"),
		stringSetting(&g.Keep, "gc.keep", "patterns, separated by commas, or empty", checkKeep,
			"images that stay, by name as `docker images` prints it, with or without tag: `registry.example.com/base/*, busybox:1.36`; an asterisk matches no slash"),
		integerSetting(&g.MaxLoad, "gc.max_load", 0, 10_000, "gc removes nothing while the load average of one minute per CPU, in percent, is above this; 0: however high"),
		integerSetting(&g.MaxIOPressure, "gc.max_io_pressure", 0, 100, "the same for the percentage of time in which processes wait for disks (`/proc/pressure/io`); 0: however high"),
	}
}

// check returns what the keys are together, and the key that is to be changed.
func (g GC) check() (key string, err error) {
	if g.UntilPercent > g.BeginPercent {
		return "gc.until_percent", fmt.Errorf("is %d, above gc.begin_percent, which is %d; lower it", g.UntilPercent, g.BeginPercent)
	}
	return "", nil
}

// Kept returns the patterns of the images that stay.
func (g GC) Kept() []string {
	return strings.FieldsFunc(g.Keep, func(c rune) bool { return c == ',' || c == ' ' })
}

func checkKeep(patterns string) error {
	for _, pattern := range (GC{Keep: patterns}).Kept() {
		if err := cleanup.CheckPattern(pattern); err != nil {
			return fmt.Errorf("%s %w", quote(pattern), err)
		}
	}
	return nil
}
