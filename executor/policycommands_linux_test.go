package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPolicyCommandsOfABinary runs what only a process shows: another user, a disk that is full, a reader that is gone.
func TestPolicyCommandsOfABinary(t *testing.T) {
	// Below /tmp, for a user who may not enter the test's own folders.
	dir, err := os.MkdirTemp("/tmp", "policy-commands-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	in := func(name string) string { return filepath.Join(dir, name) }
	build := exec.CommandContext(t.Context(), "go", "build", "-o", in("executor"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	task, err := os.ReadFile("../testdata/tasks/hello.json")
	if err != nil {
		t.Fatal(err)
	}
	const nobody = 65534
	err = errors.Join(os.Chmod(dir, 0o755), os.Mkdir(in("tasks"), 0o755), os.WriteFile(in("tasks/hello.json"), task, 0o644),
		os.WriteFile(in("policy.yaml"), []byte(goodPolicy), 0o644), os.Chown(in("policy.yaml"), nobody, nobody),
		os.WriteFile(in("secret"), []byte(goodPolicy), 0o600),
		os.WriteFile(in("classes.yaml"), []byte(goodClasses), 0o644), os.Chown(in("classes.yaml"), nobody, nobody))
	if err != nil {
		t.Fatal(err)
	}
	command := func(args ...string) *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), in("executor"), args...)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		return cmd
	}

	t.Run("without root", func(t *testing.T) {
		for _, tc := range []struct {
			args   []string
			status int
			want   string
		}{
			{[]string{"check", in("policy.yaml")}, exitOK, "policy.yaml: warning: no executor would read it: belongs to user 65534, not to root"},
			{[]string{"check", in("secret")}, exitUsage, "secret: cannot be opened: permission denied; read it as root"},
			{[]string{"explain", "--policy", in("policy.yaml"), in("tasks/hello.json")}, exitOK, "warning: an executor would not read this policy: belongs to user 65534"},
			{[]string{"explain", "--policy", in("secret"), in("tasks/hello.json")}, exitUsage, "secret: cannot be opened: permission denied"},
			{[]string{"explain", "--classes", in("secret"), in("tasks/hello.json")}, exitUsage, "secret: cannot be opened: permission denied"},
			{[]string{"classes", "show", "--classes", in("classes.yaml")}, exitOK, "warning: an executor would not read these classes: belongs to user 65534"},
			{[]string{"classes", "lookup", "--classes", in("classes.yaml"), "10:100"}, exitOK, "app shop of team web"},
			{[]string{"classes", "lookup", "--classes", in("classes.yaml"), "10:100"}, exitOK, "\nmesos-docker-executor: classes lookup: warning: an executor would not read these classes: belongs to user 65534"},
			{[]string{"classes", "allocate", "--classes", in("classes.yaml"), "--team=web", "--app=x"}, exitOK, "\nmesos-docker-executor: classes allocate: warning: an executor would not read these classes: belongs to user 65534"},
			{[]string{"classes", "lookup", "--classes", in("secret"), "10:100"}, exitUsage, "secret: cannot be opened: permission denied"},
			{[]string{"policy", "default"}, exitOK, "version: 1\n"},
			{[]string{"policy", "diff", "built-in", in("policy.yaml"), "--tasks", in("tasks")}, exitFail, "pids_limit: 4096 -> 100"},
			{[]string{"policy", "diff", in("secret"), in("policy.yaml"), "--tasks", in("tasks")}, exitUsage, "secret: cannot be opened: permission denied"},
		} {
			out, err := command(tc.args...).CombinedOutput()
			if status := exitStatus(t, err); status != tc.status || !strings.Contains(string(out), tc.want) {
				t.Errorf("%q: %d, want %d and %q\n%s", tc.args, status, tc.status, tc.want, out)
			}
		}
	})

	all := [][]string{
		{"check", in("policy.yaml")}, {"check", "--json", in("policy.yaml")}, {"policy", "default"}, {"policy", "--help"},
		{"policy", "diff", "built-in", "built-in", "--tasks", in("tasks")}, {"policy", "diff", "--json", "built-in", "built-in", "--tasks", in("tasks")},
		{"explain", "--decisions", in("tasks/hello.json")}, {"--version"}, {"report", "--help"},
		{"classes", "show", "--classes", in("classes.yaml")}, {"classes", "show", "--json", "--classes", in("classes.yaml")},
		{"classes", "lookup", "--classes", in("classes.yaml"), "10:100"}, {"classes", "allocate", "--classes", in("classes.yaml"), "--team=web", "--app=x"},
		{"classes", "ps"}, {"classes", "ps", "--json"}, {"classes", "--help"},
	}
	t.Run("the host's classes", func(t *testing.T) { hostsClasses(t, in("executor"), in("tasks/hello.json")) })
	t.Run("classes that are demanded", func(t *testing.T) { demandedClasses(t, in("executor"), in("tasks/hello.json")) })
	t.Run("output that cannot be written", func(t *testing.T) {
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer full.Close()
		for _, args := range all {
			cmd := command(args...)
			var stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = full, &stderr
			if status := exitStatus(t, cmd.Run()); status != exitFail || strings.Count(stderr.String(), "no space left on device") != 1 {
				t.Errorf("%q: %d %s", args, status, stderr.String())
			}
		}
	})
	t.Run("a reader that is gone", func(t *testing.T) {
		for _, args := range all {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			r.Close()
			cmd := command(args...)
			var stderr bytes.Buffer
			cmd.Stdout, cmd.Stderr = w, &stderr
			status := exitStatus(t, cmd.Run())
			w.Close()
			if status != exitFail || strings.Count(stderr.String(), "broken pipe") != 1 {
				t.Errorf("%q: %d %s", args, status, stderr.String())
			}
		}
	})
}
