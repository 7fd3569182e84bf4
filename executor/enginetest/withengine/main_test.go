//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCommandLine(t *testing.T) {
	noSocket := "unix://" + filepath.Join(t.TempDir(), "no.sock")
	for _, tc := range []struct {
		name       string
		args       []string
		dockerHost string
		want       int
		says       string
	}{
		{"nothing to run", nil, "", wrongUsage, "usage:"},
		{"host but nothing to run", []string{"-host", noSocket, "--"}, "", wrongUsage, "usage:"},
		{"find and a command", []string{"-find", "--", "true"}, "", wrongUsage, "usage:"},
		{"unknown flag", []string{"-no-such-flag"}, "", wrongUsage, "usage:"},
		{"help", []string{"-help"}, "", 0, "usage:"},
		{"find without an engine", []string{"-find"}, noSocket, noEngine, ""},
		{"find with a remote engine", []string{"-find"}, "tcp://127.0.0.1:2375", wrongUsage, "unix:///PATH"},
		{"host that does not answer", []string{"-host", noSocket, "--", "true"}, "", engineFailed, "no.sock"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var out, errOut strings.Builder
			getenv := func(string) string { return tc.dockerHost }
			if got := run(t.Context(), tc.args, nil, getenv, &out, &errOut); got != tc.want {
				t.Errorf("exit status %d, want %d", got, tc.want)
			}
			if out.Len() > 0 || !strings.Contains(errOut.String(), tc.says) {
				t.Errorf("stdout %q, stderr %q; want %q on stderr only", &out, &errOut, tc.says)
			}
		})
	}
}

func TestStatusOfTheCommandIsPassedOn(t *testing.T) {
	for _, tc := range []struct {
		command []string
		want    int
	}{
		{[]string{"sh", "-c", `[ "$DOCKER_HOST" = unix:///engine.sock ]`}, 0},
		{[]string{"sh", "-c", "exit 7"}, 7},
		{[]string{"sh", "-c", "kill -TERM $$"}, 128 + 15},
		{[]string{"/no/such/command"}, notStarted},
	} {
		if got := runCommand(tc.command, "unix:///engine.sock", make(chan os.Signal)); got != tc.want {
			t.Errorf("%q: exit status %d, want %d", tc.command, got, tc.want)
		}
	}
}
