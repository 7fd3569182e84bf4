package engine

import (
	"os/exec"
	"testing"
)

// commandLine starts a process with these words at the end of its command line, and returns its PID.
func commandLine(t *testing.T, words ...string) int {
	t.Helper()
	cmd := exec.Command("sh", append([]string{"-c", "read ended"}, words...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); _ = cmd.Wait() })
	return cmd.Process.Pid
}

// Where systemd opens the socket, the kernel tells of systemd only. Docker in Docker is told the same socket as the host's Docker has.
func TestDockerInDockerIsNotTheHostsDockerd(t *testing.T) {
	const systemd, shim, socket = 1, 4711, "/var/run/docker.sock"
	inner := entry{Process{"dockerd", commandLine(t, "dockerd", "--host=unix://"+socket, "--host=tcp://0.0.0.0:2376"), "S"}, shim}
	hosts := entry{Process{"dockerd", commandLine(t, "dockerd", "-H", "fd://", "--containerd=/run/containerd/containerd.sock"), "S"}, systemd}
	other := entry{Process{"dockerd", commandLine(t, "dockerd", "-H", "unix:///run/other.sock"), "S"}, systemd}
	for name, table := range map[string]processTable{"before": {inner, hosts}, "after": {hosts, inner}, "alone": {hosts}, "one of two": {other, hosts, inner}} {
		if got := table.dockerd(systemd, socket); got != hosts.Process {
			t.Errorf("%s: got %v, want %v", name, got, hosts.Process)
		}
	}
	if got := (processTable{inner}).dockerd(systemd, socket); got != inner.Process {
		t.Errorf("the only one that listens there: got %v", got)
	}
}
