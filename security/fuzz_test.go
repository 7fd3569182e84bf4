package security

import (
	"testing"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/go-connections/nat"
)

// FuzzReview: no Spec makes a review panic, and whatever is accepted holds the invariants of [violation].
func FuzzReview(f *testing.F) {
	f.Add("bridge", "NET_ADMIN", "ALL", "/lease/1/data", "/data", "nofile", "80/tcp", "31000", "a", "/tmp", "1000", "MESOS", int64(1024), uint8(0))
	f.Add("none", "ALL", "KILL", "/lease/1", "/proc/x", "core", "", "", "web-1", "/proc/self/fd/8", "root", ReservedLabelPrefix+"x", int64(-1), uint8(1))
	f.Add("host", "cap_sys_admin", "", "/lease/1/../../etc", "/", "as", "80/tcp", "1-65535", "-", "tmp", "a:b:c", "", int64(1)<<62, uint8(0xff))
	f.Add("container:x", "ſys_admin", "\xff", "/lease/10", "//x", "rtprio", "1-5/udp", "0", "", "", "", "l\x00", int64(0), uint8(0x40))
	f.Fuzz(func(t *testing.T, network, add, drop, source, target, ulimit, port, hostPort, hostname, workdir, user, label string, number int64, flags uint8) {
		s := goodSpec()
		s.Config.Hostname, s.Config.WorkingDir, s.Config.User = hostname, workdir, user
		s.Config.Labels = map[string]string{label: label}
		s.Config.Env = append(s.Config.Env, label+"="+user)
		s.Host.NetworkMode = container.NetworkMode(network)
		s.Host.CapAdd, s.Host.CapDrop = []string{add}, []string{drop}
		s.Host.Mounts = append(s.Host.Mounts, mount.Mount{Type: mount.TypeBind, Source: source, Target: target, ReadOnly: flags&2 != 0})
		s.Host.Ulimits = []*container.Ulimit{{Name: ulimit, Soft: number, Hard: number}}
		if port != "" {
			s.Host.PortBindings = nat.PortMap{nat.Port(port): {{HostPort: hostPort}}}
			s.Config.ExposedPorts = nat.PortSet{nat.Port(port): {}}
		}
		s.Host.Privileged = flags&1 != 0
		if flags&4 != 0 {
			s.Host.Mounts[1].BindOptions = &mount.BindOptions{Propagation: mount.Propagation(label)}
		}
		if flags&8 != 0 {
			s.Host.PidMode, s.Host.IpcMode = container.PidMode(network), container.IpcMode(network)
		}
		if flags&16 != 0 {
			s.Host.Memory, s.Host.CPUShares, s.Host.CPUQuota, s.Host.CPUPeriod = number, number, number, number
		}
		if flags&32 != 0 {
			s.Host.SecurityOpt = []string{label}
		}
		if flags&64 != 0 {
			s.Host.RestartPolicy.Name = container.RestartPolicyMode(label)
		}
		d := BuiltIn().Review(s, testRoots)
		if d.Rejected() {
			return
		}
		if problem := violation(d.Spec, testRoots); problem != "" {
			t.Fatalf("accepted with %s: %+v", problem, d.Spec)
		}
	})
}
