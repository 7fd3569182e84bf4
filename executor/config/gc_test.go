package config_test

import (
	"slices"
	"strings"
	"testing"

	"mesos-docker-executor/executor/config"
)

func TestKeysOfGC(t *testing.T) {
	file, err := config.Parse("c.yaml", []byte("version: 1\ngc:\n  keep: \"r.example.com/base/*, pause:3.9\"\n  begin_percent: 70\n  until_percent: 60\n"))
	if want := []string{"r.example.com/base/*", "pause:3.9"}; err != nil || !slices.Equal(file.GC.Kept(), want) || file.GC.UntilPercent != 60 {
		t.Errorf("%+v, %v", file.GC, err)
	}
	for text, want := range map[string]string{
		"  begin_percent: 70\n":  "gc.until_percent: is 80, above gc.begin_percent, which is 70; lower it",
		"  until_percent: 101\n": "allowed: 0 to 100",
		"  keep: \"a[\"\n":       "no pattern for the names of images",
		"  keep: base/**\n":      "one pattern for each level",
		"  directory: images\n":  "gc.directory",
		"  pause: 5\n":           "has no unit",
	} {
		if _, err := config.Parse("c.yaml", []byte("version: 1\ngc:\n"+text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
