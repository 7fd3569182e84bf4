package packaging

import (
	"os/exec"
	"testing"
)

// systemd's own check reads the units as installed ones: a key or value that it does not know, a cycle in the order of the boot,
// a timer without its service and a command that is not there are lines of its output, mostly with the exit status 0.
func TestUnitsAreWhatSystemdTakes(t *testing.T) {
	const script = `
mkdir -p /opt /run
mount -t tmpfs tmpfs /opt
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/system
install -D -m 0755 mount-net-cls /opt/mesos-docker-executor/sbin/mount-net-cls
install -D -m 0755 /bin/true /opt/mesos-docker-executor/libexec/mesos-docker-executor
install -m 0644 *.service *.timer /run/systemd/system
cd /run/systemd/system
systemd-analyze verify --man=no ./*
`
	out, err := exec.CommandContext(t.Context(), "unshare", "--mount", "--propagation", "private", "sh", "-euc", script).CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("%v: %s(systemd-analyze is in Debian's package systemd)", err, out)
	}
}
