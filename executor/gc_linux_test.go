package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mesos-docker-executor/executor/config"
	"mesos-docker-executor/storage/cleanup"
)

func TestDefaultsOfConfigAndCleanUpAgree(t *testing.T) {
	want := cleanup.DefaultRules()
	want.Keep = []string{}
	if diff := cmp.Diff(want, gcRules(config.Default().GC)); diff != "" {
		t.Errorf("(-clean-up +config):\n%s", diff)
	}
}

func TestCommandLineOfGC(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	wrong := write("wrong.yaml", "version: 1\ngc: {begin_percent: 50}\n")
	alone := write("alone.yaml", "version: 1\nengine: {host: 'unix://"+dir+"/none.sock'}\nrun_directory: "+dir+"/run\ngc: {directory: "+dir+"/images}\n")
	other := write("other.yaml", "version: 1\nengine: {host: 'unix://"+dir+"/none.sock'}\nrun_directory: "+dir+"/run\ngc: {directory: "+wrong+"/images}\n")
	for _, c := range []struct {
		args   string
		status int
		want   []string
	}{
		{"gc --help", exitOK, []string{"--dry-run", "Exit status: 0 done", "Examples:"}},
		{"gc now", exitUsage, []string{`"now" is there`}},
		{"gc --prune", exitUsage, []string{"--prune"}},
		{"gc --config " + wrong, exitUsage, []string{"gc.until_percent: is 80, above gc.begin_percent, which is 50"}},
		{"gc --config " + alone, exitFail, []string{"failed: docker ping: ", "is the Docker daemon running", "executors: 0 executors live"}},
		{"gc --json --config " + alone, exitFail, []string{`"failed": [`, `"sweep": {`}},
		{"gc --config " + other, exitFail, []string{"failed: no image is removed: record of image use: ", "executors: 0 executors live"}},
		{"gc --dry-run --config " + alone, exitFail, []string{"failed: docker ping: "}},
	} {
		out, status, said := commanded(nil, strings.Fields(c.args)...)
		for _, want := range c.want {
			if status != c.status || !strings.Contains(out+said, want) {
				t.Errorf("%s: status %d, %q is missing in:\n%s%s", c.args, status, want, out, said)
			}
		}
	}
}
